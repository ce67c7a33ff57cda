"""Foreach: grids, joins, chains, and layers that run in no split or in one."""

import itertools
import threading
from typing import Any

import pytest

from laminar import Accessor, Flow, Layer, Parameters
from laminar.configurations import layers
from laminar.configurations.layers import ForEach, Parameter
from laminar.exceptions import ExecutionError


def over(*parameters: tuple[Any, ...]) -> ForEach:
    return ForEach(parameters=[Parameter(*parameter) for parameter in parameters])


class Lists(Flow): ...


@Lists.register
class Letters(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.shard(letter=parameters.letters, digit=[1, 2, 3], one=["single"])
        self.plain = ["not", "sharded"]


class Grid(Lists): ...


@Grid.register(foreach=over((Letters, "letter"), (Letters, "digit")))
class Cell(Layer):
    def __call__(self, letters: Letters) -> None:
        self.pair = (letters.letter, letters.digit)
        self.place = (self.index, self.splits)
        self.whole = letters.plain


@Grid.register
class Join(Layer):
    def __call__(self, cell: Cell) -> None:
        self.pairs = list(cell.pair)
        self.count = len(cell.pair)


def test_a_foreach_runs_once_for_each_element_and_its_artifacts_are_joined(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Upper(Layer):
        def __call__(self, letters: Letters) -> None:
            self.letter = letters.letter.upper()

    @F.register
    class Word(Layer):
        def __call__(self, upper: Upper) -> None:
            assert isinstance(upper.letter, Accessor)
            self.word = "".join(upper.letter)

    execution = memory(F)(letters="abc")
    assert execution.layer(Word).word == "ABC"
    assert execution.layer(Upper).letter[-1] == "C"
    assert [execution.layer(Upper, index=index).letter for index in range(3)] == ["A", "B", "C"]


def test_several_parameters_give_the_product_with_the_last_varying_fastest(memory: Any) -> None:
    execution = memory(Grid)(letters="ab")
    expected = list(itertools.product("ab", [1, 2, 3]))
    assert list(execution.layer(Cell).pair) == expected
    assert execution.layer(Join).pairs == expected
    assert execution.layer(Join).count == 6
    assert list(execution.layer(Cell).place) == [(index, 6) for index in range(6)]


def test_three_parameters_of_two_layers_give_the_product(memory: Any) -> None:
    class F(Lists): ...

    @F.register
    class Other(Layer):
        def __call__(self) -> None:
            self.shard(sign="+-")

    @F.register(foreach=over((Letters, "letter"), (Other, "sign"), (Letters, "digit")))
    class Cell3(Layer):
        def __call__(self, other: Other, letters: Letters) -> None:
            self.triple = (letters.letter, other.sign, letters.digit)

    assert list(memory(F)(letters="ab").layer(Cell3).triple) == list(itertools.product("ab", "+-", [1, 2, 3]))


def test_an_artifact_that_is_not_sharded_is_passed_to_each_split(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "plain"), (Letters, "letter")))
    class Cell2(Layer):
        def __call__(self, letters: Letters) -> None:
            self.seen = (letters.letter, letters.plain)

    execution = memory(F)(letters="ab")
    assert list(execution.layer(Cell2).seen) == [("a", ["not", "sharded"]), ("b", ["not", "sharded"])]


def test_a_foreach_over_an_artifact_that_is_not_sharded_is_one_split(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "plain")))
    class Once(Layer):
        def __call__(self, letters: Letters) -> None:
            self.seen = letters.plain

    seen = memory(F)(letters="").layer(Once).seen
    assert isinstance(seen, Accessor)
    assert list(seen) == [["not", "sharded"]]


def test_artifacts_beside_the_foreach_are_read_whole(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Beside(Layer):
        def __call__(self, letters: Letters) -> None:
            self.seen = (letters.letter, list(letters.digit), letters.plain)

    seen = memory(F)(letters="ab").layer(Beside).seen
    assert list(seen) == [("a", [1, 2, 3], ["not", "sharded"]), ("b", [1, 2, 3], ["not", "sharded"])]


def test_a_shard_of_one_element_is_one_split_and_joins_to_one(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "one")))
    class Single(Layer):
        def __call__(self, letters: Letters) -> None:
            assert (self.index, self.splits) == (0, 1)
            self.seen = letters.one

    @F.register
    class After(Layer):
        def __call__(self, single: Single) -> None:
            self.seen = list(single.seen)

    execution = memory(F)(letters="")
    assert execution.layer(After).seen == ["single"]
    assert isinstance(execution.layer(Single).seen, Accessor)


def test_a_foreach_over_nothing_gives_no_splits_and_empty_accessors(memory: Any) -> None:
    execution = memory(Grid)(letters="")
    assert execution.finished
    assert execution.layer(Join).pairs == []
    assert execution.layer(Join).count == 0
    assert isinstance(execution.layer(Cell).pair, Accessor)
    assert list(execution.layer(Cell).pair) == list(execution.layer(Cell).anything) == []
    assert execution.layer(Cell).state.finished


# Chained foreach


class Chain(Lists): ...


@Chain.register(foreach=over((Letters, "letter")))
class First(Layer):
    def __call__(self, letters: Letters) -> None:
        self.foo = letters.letter * 2
        self.shard(parts=[letters.letter, letters.letter.upper()])


@Chain.register(foreach=over((First, "foo", None)))
class Second(Layer):
    def __call__(self, first: First) -> None:
        self.foo = first.foo + "!"
        self.place = (self.index, self.splits)


def test_an_index_of_none_chains_foreach_layers_one_to_one(memory: Any) -> None:
    layer = memory(Chain)(letters="abc").layer(Second)
    assert list(layer.foo) == ["aa!", "bb!", "cc!"]
    assert list(layer.place) == [(0, 3), (1, 3), (2, 3)]


def test_a_chain_of_foreach_layers_over_nothing_is_over_nothing(memory: Any) -> None:
    execution = memory(Chain)(letters="")
    assert execution.finished
    assert list(execution.layer(Second).foo) == []


def test_a_chained_foreach_of_what_each_split_has_sharded_takes_them_in_a_row(memory: Any) -> None:
    class F(Chain): ...

    @F.register(foreach=over((First, "parts", None)))
    class Part(Layer):
        def __call__(self, first: First) -> None:
            self.part = first.parts

    assert list(memory(F)(letters="ab").layer(Part).part) == ["a", "A", "b", "B"]


def test_an_index_takes_the_artifact_of_one_split(memory: Any) -> None:
    class F(Chain): ...

    @F.register(foreach=over((First, "parts", 1)))
    class Part(Layer):
        def __call__(self, first: First) -> None:
            self.seen = (first.parts, list(first.foo))

    @F.register(foreach=over((First, "foo", 1)))
    class Plain(Layer):
        def __call__(self, first: First) -> None:
            self.seen = first.foo

    execution = memory(F)(letters="ab")
    assert list(execution.layer(Part).seen) == [("b", ["aa", "bb"]), ("B", ["aa", "bb"])]
    assert list(execution.layer(Plain).seen) == ["bb"]


def test_an_index_of_none_on_a_layer_without_foreach_is_its_only_split(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter", None)))
    class Cell2(Layer):
        def __call__(self, letters: Letters) -> None:
            self.seen = letters.letter

    assert list(memory(F)(letters="ab").layer(Cell2).seen) == ["a", "b"]


def test_a_chained_foreach_and_a_shard_give_the_product(memory: Any) -> None:
    class F(Chain): ...

    @F.register(foreach=over((First, "foo", None), (Letters, "digit")))
    class Cell2(Layer):
        def __call__(self, first: First, letters: Letters) -> None:
            self.seen = (first.foo, letters.digit)

    assert list(memory(F)(letters="ab").layer(Cell2).seen) == list(itertools.product(["aa", "bb"], [1, 2, 3]))


# What goes wrong


def test_an_artifact_that_one_split_has_not_assigned_is_missing_there_only(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Some(Layer):
        def __call__(self, letters: Letters) -> None:
            if letters.letter != "b":
                self.foo = letters.letter

    @F.register
    class After(Layer):
        def __call__(self, some: Some) -> None:
            foo: Any = some.foo
            self.seen = (len(foo), foo.available, foo[0], foo[2])

    execution = memory(F)(letters="abc")
    assert execution.layer(After).seen == (3, [0, 2], "a", "c")
    with pytest.raises(AttributeError, match=r"Some.foo: split 1 has not assigned it.*available"):
        list(execution.layer(Some).foo)
    with pytest.raises(AttributeError, match=r"Layer Some .* has no artifact 'foo'"):
        execution.layer(Some, index=1).foo  # noqa: B018


def test_handing_on_an_accessor_with_a_missing_element_says_which(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Some(Layer):
        def __call__(self, letters: Letters) -> None:
            if letters.letter != "b":
                self.foo = letters.letter

    @F.register
    class After(Layer):
        def __call__(self, some: Some) -> None:
            self.again = some.foo

    with pytest.raises(AttributeError, match=r"Some.foo: split 1 has not assigned it"):
        memory(F)(letters="abc")


def test_a_chained_foreach_over_an_artifact_that_one_split_has_not_assigned_fails_and_names_it(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Some(Layer):
        def __call__(self, letters: Letters) -> None:
            if letters.letter == "a":
                self.foo = letters.letter

    @F.register(foreach=over((Some, "foo", None)))
    class After(Layer):
        def __call__(self, some: Some) -> None: ...

    with pytest.raises(ExecutionError, match=r"layer After: Some.foo was not assigned by split 1 and 1 more"):
        memory(F)(letters="abc")


def test_a_foreach_over_an_artifact_that_does_not_exist_names_the_nearest(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "leter")))
    class Cell2(Layer): ...

    flow = memory(F)
    with pytest.raises(
        ExecutionError, match=r"ForEach of layer Cell2: Letters has no artifact 'leter'. Did you mean 'letter"
    ):
        flow(letters="ab")
    assert flow.execution.error.layer == "Cell2"


# Splits at the same time


def test_the_splits_of_a_foreach_run_at_the_same_time(memory: Any) -> None:
    meeting = threading.Barrier(3, timeout=30)

    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Meet(Layer):
        def __call__(self) -> None:
            meeting.wait()

    assert memory(F, concurrency=3)(letters="abc").finished


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_more_splits_run_at_a_time_than_the_executor_s_concurrency(memory: Any, concurrency: int) -> None:
    meeting = threading.Barrier(concurrency, timeout=30)
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []

    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Count(Layer):
        def __call__(self) -> None:
            with lock:
                running.append(1)
            meeting.wait()
            with lock:
                most.append(len(running))
            meeting.wait()
            with lock:
                running.pop()

    assert memory(F, concurrency=concurrency)(letters="abcdef").finished
    assert max(most) == concurrency


def test_a_thousand_splits_join_in_order(memory: Any) -> None:
    class F(Lists): ...

    @F.register(foreach=over((Letters, "letter")))
    class Twice(Layer):
        def __call__(self, letters: Letters) -> None:
            self.number = letters.letter * 2

    layer = memory(F, concurrency=2)(letters=range(1000)).layer(Twice)
    assert list(layer.number) == [number * 2 for number in range(1000)]


def test_foreach_works_with_every_other_configuration_at_once(memory: Any) -> None:
    class F(Lists): ...

    @F.register(
        foreach=over((Letters, "letter")),
        retry=layers.Retry(attempts=2, delay=0),
        catch=layers.Catch(KeyError),
        timeout=layers.Timeout(60),
        container=layers.Container(memory=5),
        resources=layers.Resources(cpu=3),
    )
    class All(Layer):
        def __call__(self, letters: Letters) -> None:
            self.seen = (
                letters.letter,
                self.attempt,
                self.configuration.container.memory,
                self.configuration.container.cpu,
            )
            if letters.letter == "a" and self.attempt == 1:
                raise ValueError
            if letters.letter == "b":
                raise KeyError

    assert list(memory(F)(letters="ab").layer(All).seen) == [("a", 2, 5, 3), ("b", 1, 5, 3)]
