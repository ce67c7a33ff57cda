"""Entry conditions, and what is skipped because of them."""

from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks, layers


class Branching(Flow): ...


@Branching.register
class Start(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.score = parameters.score


@Branching.register
class High(Layer):
    @hooks.entry
    def high(self, start: Start) -> bool:
        return bool(start.score > 5)

    def __call__(self, start: Start) -> None:
        self.said = f"high {start.score}"


@Branching.register
class Low(Layer):
    @hooks.entry
    def low(self, start: Start) -> bool:
        return bool(start.score <= 5)

    def __call__(self, start: Start) -> None:
        self.said = f"low {start.score}"


@Branching.register
class AfterHigh(Layer):
    def __call__(self, high: High) -> None:
        self.said = high.said


@Branching.register
class AfterAfterHigh(Layer):
    def __call__(self, after: AfterHigh) -> None:
        self.said = after.said


@Branching.register
class Meet(Layer):
    @hooks.entry
    def always(self) -> bool:
        return True

    def __call__(self, high: High, low: Low) -> None:
        self.ran = [layer.name for layer in (high, low) if layer.state.finished]
        self.said = (high if high.state.finished else low).said


@pytest.mark.parametrize(
    ("score", "ran"),
    [(9, ["Start", "High", "AfterHigh", "AfterAfterHigh", "Meet"]), (1, ["Start", "Low", "Meet"])],
)
def test_a_branch_runs_if_its_condition_holds_and_what_needs_a_skipped_layer_is_skipped(
    memory: Any, score: int, ran: list[str]
) -> None:
    execution = memory(Branching)(score=score)
    assert execution.finished
    assert [
        name for name in execution.flow.registry if name != "Parameters" and execution.layer(name).state.finished
    ] == ran
    assert execution.layer(Meet).said == ("high 9" if score == 9 else "low 1")
    assert execution.layer(Meet).ran == (["High"] if score == 9 else ["Low"])


def test_reading_a_skipped_layer_says_that_it_has_not_finished(memory: Any) -> None:
    layer = memory(Branching)(score=1).layer(High)
    with pytest.raises(AttributeError, match=r"Layer High .* has no artifact 'said'. Layer High has not finished"):
        layer.said  # noqa: B018


@pytest.mark.parametrize("answer", [True, 1, "yes", [0]])
def test_a_truthy_answer_runs_the_layer(memory: Any, answer: Any) -> None:
    assert memory(_answering(answer))().layer("A").state.finished


@pytest.mark.parametrize("answer", [False, 0, "", None, []])
def test_a_falsy_answer_skips_the_layer(memory: Any, answer: Any) -> None:
    execution = memory(_answering(answer))()
    assert not execution.layer("A").state.finished
    assert execution.finished


def _answering(answer: Any) -> type[Flow]:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.entry
        def condition(self) -> Any:
            return answer

    return F


@pytest.mark.parametrize(("first", "second", "runs"), [(1, 1, True), (1, 0, False), (0, 1, False), (0, 0, False)])
def test_all_entry_hooks_are_asked_and_must_agree(memory: Any, first: int, second: int, runs: bool) -> None:
    asked = []

    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.entry
        def one(self) -> int:
            asked.append("one")
            return first

        @hooks.entry
        def two(self) -> int:
            asked.append("two")
            return second

    assert memory(F)().layer(A).state.finished is runs
    assert asked == ["one", "two"]


def test_an_entry_hook_that_is_a_generator_yields_its_answer(memory: Any) -> None:
    for answer in (True, False):

        class F(Flow): ...

        @F.register
        class A(Layer):
            @hooks.entry
            def condition(self) -> Any:
                yield answer  # noqa: B023

        assert memory(F)().layer(A).state.finished is answer


def test_an_entry_hook_of_the_flow_is_asked_for_every_layer_but_does_not_run_what_needs_a_skipped_one(
    memory: Any,
) -> None:
    asked = []

    class F(Flow):
        @hooks.entry
        def condition(self: Any) -> bool:
            asked.append(self.name)
            return self.name != "A"

    @F.register
    class A(Layer): ...

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    @F.register
    class C(Layer): ...

    execution = memory(F)()
    assert asked == ["A", "C"]
    assert [execution.layer(kind).state.finished for kind in (A, B, C)] == [False, False, True]


def test_the_entry_hook_of_a_foreach_layer_is_asked_once_before_its_splits_are_counted(memory: Any) -> None:
    asked = []

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=[1, 2, 3])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(A, "foo")]))
    class B(Layer):
        @hooks.entry
        def condition(self, a: A) -> bool:
            asked.append(len(a.foo))  # type: ignore[attr-defined]
            return True

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(A, "does_not_exist")]))
    class C(Layer):
        @hooks.entry
        def condition(self) -> bool:
            return False

    assert memory(F)().finished
    assert asked == [3]


def test_a_foreach_over_a_skipped_layer_is_skipped(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.entry
        def never(self) -> bool:
            return False

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(A, "foo")]))
    class B(Layer): ...

    execution = memory(F)()
    assert execution.finished
    assert not execution.layer(B).state.finished


def test_a_layer_that_needs_only_parameters_is_never_skipped_by_them(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.foo = parameters.artifacts

    assert memory(F)().layer(A).state.finished
