"""Hooks of all four kinds, on layers and on flows."""

from collections.abc import Generator
from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks, layers
from laminar.exceptions import FlowError


@pytest.fixture
def journal() -> list[Any]:
    return []


# Order, and where they run


def test_hooks_run_in_the_order_of_definition_the_flow_s_first_and_tear_downs_in_reverse(
    memory: Any, journal: list[str]
) -> None:
    def named(kind: Any, name: str) -> Any:
        def hook(self: Layer) -> Generator[bool, None, None]:
            journal.append(f"+{name}")
            yield True
            journal.append(f"-{name}")

        return kind(hook)

    class F(Flow):
        flow_execution = named(hooks.execution, "flow execution")
        flow_submission = named(hooks.submission, "flow submission")
        flow_entry = named(hooks.entry, "flow entry")

    @F.register
    class A(Layer):
        second = named(hooks.execution, "second")
        entry = named(hooks.entry, "entry")
        submission = named(hooks.submission, "submission")

        def __call__(self) -> None:
            journal.append("call")

        third = named(hooks.execution, "third")

    memory(F)()
    assert journal == [
        *("+flow entry", "+entry", "-entry", "-flow entry"),
        *("+flow submission", "+submission", "-submission", "-flow submission"),
        *("+flow execution", "+second", "+third", "call", "-third", "-second", "-flow execution"),
    ] or _submission_apart(journal)


def _submission_apart(journal: list[str]) -> bool:
    """Tell whether all but the end of the submission, which the scheduler reaches while the layer runs, is in order."""
    submission = [entry for entry in journal if "submission" in entry]
    execution = [entry for entry in journal if "submission" not in entry]
    return submission == ["+flow submission", "+submission", "-submission", "-flow submission"] and execution == [
        *("+flow entry", "+entry", "-entry", "-flow entry"),
        *("+flow execution", "+second", "+third", "call", "-third", "-second", "-flow execution"),
    ]


def test_hooks_of_a_flow_apply_to_every_layer_and_get_that_layer_as_self(memory: Any, journal: list[Any]) -> None:
    class F(Flow):
        @hooks.entry
        def asked(self: Any) -> bool:
            journal.append(("entry", self.name))
            return True

        @hooks.submission
        def submitted(self: Any) -> None:
            journal.append(("submission", self.name, self.index))

        @hooks.execution
        def around(self: Any) -> None:
            journal.append(("execution", self.name, self.index))

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=[1, 2])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    memory(F)()
    assert sorted(journal) == [
        ("entry", "A"),
        ("entry", "B"),
        *(("execution", "A", 0), ("execution", "B", 0), ("execution", "B", 1)),
        *(("submission", "A", 0), ("submission", "B", 0), ("submission", "B", 1)),
    ]


def test_hooks_of_base_classes_apply_first_and_a_redefined_one_once(memory: Any, journal: list[str]) -> None:
    class F(Flow): ...

    class Base(Layer):
        @hooks.execution
        def shared(self) -> None:
            journal.append("base")

        @hooks.execution
        def kept(self) -> None:
            journal.append("kept")

    @F.register
    class A(Base):
        @hooks.execution
        def own(self) -> None:
            journal.append("own")

        @hooks.execution
        def shared(self) -> None:
            journal.append("redefined")

    memory(F)()
    assert journal == ["redefined", "kept", "own"]


def test_every_kind_of_hook_may_take_layers(memory: Any, journal: list[Any]) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = 1

    @F.register(retry=layers.Retry(attempts=2, delay=0))
    class B(Layer):
        @hooks.entry
        def entry(self, a: A, parameters: Parameters) -> bool:
            journal.append(("entry", a.foo, parameters.x))
            return True

        @hooks.submission
        def submission(self, a: A) -> None:
            journal.append(("submission", a.foo))

        @hooks.execution
        def around(self, parameters: Parameters, a: A) -> None:
            journal.append(("execution", a.foo, parameters.x))

        @hooks.retry
        def retry(self, a: A) -> None:
            journal.append(("retry", a.foo))

        def __call__(self) -> None:
            if self.attempt == 1:
                raise ValueError

    memory(F)(x=2)
    assert journal[0] == ("entry", 1, 2)
    assert [kind for kind, *_ in journal if kind != "entry"].count("submission") == 2
    assert ("execution", 1, 2) in journal
    assert ("retry", 1) in journal


# Execution hooks


def test_execution_hooks_may_assign_to_self_before_and_after_the_body(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        before: int
        foo: int

        @hooks.execution
        def around(self) -> Generator[None, None, None]:
            self.before = 1
            yield
            self.foo += 1

        def __call__(self) -> None:
            self.foo = self.before + 1

    assert memory(F)().layer(A).foo == 3


def test_an_execution_hook_reads_the_element_of_its_split(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=[10, 20])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
    class B(Layer):
        @hooks.execution
        def read(self, a: A) -> None:
            self.foo = a.foo

        def __call__(self) -> None: ...

    assert list(memory(F)().layer(B).foo) == [10, 20]


def test_tear_downs_run_when_the_body_fails_and_the_error_is_that_of_the_body(memory: Any, journal: list[str]) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.execution
        def outer(self) -> Generator[None, None, None]:
            yield
            journal.append("outer")
            raise KeyError("of the tear-down")

        @hooks.execution
        def inner(self) -> Generator[None, None, None]:
            yield
            journal.append("inner")

        def __call__(self) -> None:
            raise ValueError("of the body")

    with pytest.raises(ValueError, match="of the body"):
        memory(F)()
    assert journal == ["inner", "outer"]


def test_a_tear_down_that_raises_fails_the_layer_and_the_others_still_run(memory: Any, journal: list[str]) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.execution
        def outer(self) -> Generator[None, None, None]:
            yield
            journal.append("outer")

        @hooks.execution
        def inner(self) -> Generator[None, None, None]:
            yield
            raise KeyError("of the tear-down")

        def __call__(self) -> None:
            self.foo = "kept"

    flow = memory(F)
    with pytest.raises(KeyError, match="of the tear-down") as raised:
        flow()
    assert journal == ["outer"]
    assert any("in inner" in note for note in raised.value.__notes__)
    assert flow.execution.layer(A).foo == "kept"


def test_a_set_up_that_raises_fails_the_layer_and_tears_down_those_before_it(memory: Any, journal: list[str]) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.execution
        def first(self) -> Generator[None, None, None]:
            journal.append("+first")
            yield
            journal.append("-first")

        @hooks.execution
        def second(self) -> Generator[None, None, None]:
            raise KeyError("of the set-up")
            yield

        @hooks.execution
        def third(self) -> None:
            journal.append("third")

        def __call__(self) -> None:
            journal.append("call")

    with pytest.raises(KeyError, match="of the set-up"):
        memory(F)()
    assert journal == ["+first", "-first"]


def test_catch_does_not_hide_what_a_hook_raises(memory: Any) -> None:
    class F(Flow): ...

    @F.register(catch=layers.Catch(KeyError))
    class A(Layer):
        @hooks.execution
        def wrong(self) -> None:
            raise KeyError("of a hook")

    with pytest.raises(KeyError, match="of a hook"):
        memory(F)()


@pytest.mark.parametrize("kind", ["entry", "submission", "execution"])
def test_a_generator_that_does_not_yield_once_is_refused(memory: Any, kind: str) -> None:
    mark = getattr(hooks, kind)

    class Never(Flow): ...

    class Twice(Flow): ...

    @Never.register
    class A(Layer):
        @mark
        def hook(self) -> Generator[None, None, None]:
            return
            yield

    @Twice.register
    class B(Layer):
        @mark
        def hook(self) -> Generator[bool, None, None]:
            yield True
            yield True

    with pytest.raises(FlowError, match=r"A\.hook is a generator that did not yield; it must yield once"):
        memory(Never)()
    with pytest.raises(FlowError, match=r"B\.hook yielded more than once"):
        memory(Twice)()


# Submission hooks


def test_a_submission_hook_sets_resources_from_upstream_values_for_each_split(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(size=[100, 200])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="size")]))
    class B(Layer):
        @hooks.submission
        def follow(self, a: A) -> None:
            assert self.index is not None
            self.configuration.container.memory = a.size[self.index] * 3
            self.configuration.container.cpu = 2

        def __call__(self, a: A) -> None:
            self.seen = (a.size, self.configuration.container.memory, self.configuration.container.cpu)

    flow = memory(F)
    assert list(flow().layer(B).seen) == [(100, 300, 2), (200, 600, 2)]
    assert flow.registry["B"].configuration.container.memory == 1500


def test_a_submission_hook_can_change_retry_catch_and_time_out_of_its_split(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.submission
        def kind(self) -> None:
            self.configuration.retry.attempts = 3
            self.configuration.retry.delay = 0
            self.configuration.catch = layers.Catch(KeyError)
            self.configuration.timeout = layers.Timeout(60)

        def __call__(self) -> None:
            self.attempts = self.attempt
            if self.attempt == 2:
                raise KeyError
            raise ValueError

    assert memory(F)().layer(A).attempts == 2


def test_a_submission_hook_runs_before_each_attempt_and_its_changes_stay(memory: Any) -> None:
    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=3, delay=0))
    class A(Layer):
        @hooks.submission
        def more(self) -> None:
            assert isinstance(self.configuration.container.memory, int)
            self.configuration.container.memory += 1

        def __call__(self) -> None:
            self.memory = self.configuration.container.memory
            if self.memory < 1503:
                raise ValueError

    assert memory(F)().layer(A).memory == 1503


@pytest.mark.parametrize("amount", ["much", 0, -1, None])
def test_a_submission_hook_that_sets_nonsense_fails_the_split(memory: Any, amount: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.submission
        def wrong(self) -> None:
            self.configuration.container.cpu = amount

        def __call__(self) -> None: ...

    flow = memory(F)
    if amount is None:
        assert flow().finished, "None asks for nothing"
    else:
        with pytest.raises(FlowError, match="cpu"):
            flow()
        assert flow.execution.error.layer == "A"


def test_a_submission_hook_that_sets_what_does_not_exist_says_so(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.submission
        def wrong(self) -> None:
            self.configuration.container.memroy = 3  # type: ignore[attr-defined]

    with pytest.raises(
        AttributeError, match=r"Container has no field 'memroy'. Its fields: image, command, cpu, memory"
    ):
        memory(F)()


# Retry hooks


def test_a_retry_hook_runs_between_attempts_and_may_change_the_configuration(memory: Any, journal: list[Any]) -> None:
    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=4, delay=0), container=layers.Container(memory=100))
    class A(Layer):
        @hooks.retry
        def double(self) -> Generator[None, None, None]:
            journal.append(("failed", self.attempt))
            assert isinstance(self.configuration.container.memory, int)
            self.configuration.container.memory *= 2
            yield
            journal.append(("goes on", self.attempt))

        def __call__(self) -> None:
            journal.append(("runs", self.attempt, self.configuration.container.memory))
            if self.attempt != 3:
                raise ValueError

    assert memory(F)().finished
    assert journal == [
        *(("runs", 1, 100), ("failed", 1), ("goes on", 1)),
        *(("runs", 2, 200), ("failed", 2), ("goes on", 2)),
        ("runs", 3, 400),
    ]


def test_a_retry_hook_does_not_run_after_the_last_attempt(memory: Any, journal: list[str]) -> None:
    class F(Flow):
        @hooks.retry
        def note(self: Any) -> None:
            journal.append(f"{self.name} {self.attempt}")

    @F.register(retry=layers.Retry(attempts=2, delay=0))
    class A(Layer):
        def __call__(self) -> None:
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        memory(F)()
    assert journal == ["A 1"]


# A hook that raises is a failure of that layer


@pytest.mark.parametrize("kind", ["entry", "submission", "retry"])
def test_a_hook_that_raises_in_the_scheduler_fails_its_layer_with_its_traceback(memory: Any, kind: str) -> None:
    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=2, delay=0))
    class A(Layer):
        def wrong(self) -> None:
            raise LookupError("of a hook")

        wrong = getattr(hooks, kind)(wrong)

        def __call__(self) -> None:
            raise ValueError("of the body")

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            raise AssertionError("it must not run")

    flow = memory(F)
    with pytest.raises(LookupError, match="of a hook"):
        flow()
    failure = flow.execution.error
    assert failure.layer == "A"
    assert failure.exception == "LookupError: of a hook"
    assert 'raise LookupError("of a hook")' in failure.traceback
    assert flow.execution.status == "FAILED"


# Wrong hooks


@pytest.mark.parametrize("kind", ["entry", "submission", "execution", "retry"])
def test_a_hook_is_a_plain_function_written_without_brackets(kind: str) -> None:
    mark = getattr(hooks, kind)
    with pytest.raises(FlowError, match=rf"@hooks\.{kind} expects a function of a layer or flow, got 3"):
        mark(3)
    with pytest.raises(TypeError):
        mark()

    async def later(self: Any) -> None: ...

    async def laters(self: Any) -> Any:
        yield

    for wrong in (later, laters):
        with pytest.raises(
            FlowError, match=rf"@hooks\.{kind} .*{wrong.__name__}: hooks are plain functions.*without async"
        ):
            mark(wrong)


def test_a_hook_cannot_take_a_name_of_laminar_s_own() -> None:
    def hook(self: Any) -> None: ...

    with pytest.raises(FlowError, match=r"A\.state: the name 'state' is laminar's own and can be no artifact, hook"):
        type("A", (Layer,), {"state": hooks.execution(hook)})
    hook.__name__ = "execution"
    with pytest.raises(FlowError, match=r"F\.execution: the name 'execution' is laminar's own and can be no hook"):
        type("F", (Flow,), {"execution": hooks.execution(hook)})


def test_a_hook_that_asks_for_what_is_no_layer_is_refused_before_anything_runs(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.submission
        def wrong(self, number: int) -> None: ...

    with pytest.raises(FlowError, match=r"A\.wrong\(number\) of flow F: expects a layer, got 'int'"):
        memory(F)()


def test_a_static_hook_is_refused_rather_than_passed_over() -> None:
    with pytest.raises(FlowError, match=r"F\.watch: a hook is a plain method; take staticmethod away"):

        class F(Flow):
            @staticmethod
            @hooks.execution
            def watch(layer: Layer) -> None: ...
