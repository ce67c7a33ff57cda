"""Chains: one flow after another under one id."""

from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.exceptions import FlowError, RunExistsError


class Make(Flow): ...


class Use(Flow): ...


class Report(Flow): ...


@Make.register
class Maker(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.foo = parameters.start + 1


@Use.register
class User(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.foo = parameters.foo * 10


@Report.register
class Reporter(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.said = f"got {parameters.foo}"


def test_next_runs_a_flow_with_the_linker_s_parameters_under_the_same_id(memory: Any) -> None:
    first = memory(Make)(start=1)
    second = first.next(flow=memory(Use), linker=lambda execution: Parameters(foo=execution.layer(Maker).foo))
    assert second.id == first.id
    assert second.flow.name == "Use"
    assert second.layer(User).foo == 20
    assert second.finished


def test_chains_can_be_chained(memory: Any) -> None:
    last = (
        memory(Make)(start=2)
        .next(flow=memory(Use), linker=lambda execution: Parameters(foo=execution.layer(Maker).foo))
        .next(flow=memory(Report), linker=lambda execution: Parameters(foo=execution.layer(User).foo))
    )
    assert last.layer(Reporter).said == "got 30"


def test_one_execution_can_be_followed_by_several_flows(memory: Any) -> None:
    first = memory(Make)(start=0)
    link = lambda execution: Parameters(foo=execution.layer(Maker).foo)  # noqa: E731
    assert first.next(flow=memory(Use), linker=link).layer(User).foo == 10
    assert first.next(flow=memory(Report), linker=link).layer(Reporter).said == "got 1"


def test_a_flow_follows_once_under_an_id(memory: Any) -> None:
    first, following = memory(Make)(start=0), memory(Use)

    def link(execution: Any) -> Parameters:
        return Parameters(foo=execution.layer(Maker).foo)

    first.next(flow=following, linker=link)
    with pytest.raises(RunExistsError, match=f"Run {first.id} of Use exists already"):
        first.next(flow=following, linker=link)


def test_a_linker_may_give_accessors_and_no_parameters_at_all(memory: Any) -> None:
    class Sharded(Flow): ...

    class After(Flow): ...

    @Sharded.register
    class S(Layer):
        def __call__(self) -> None:
            self.shard(foo=[1, 2])

    @After.register
    class T(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.seen = parameters.artifacts or list(parameters.foo)

    assert memory(Sharded)().next(
        flow=memory(After),
        linker=lambda execution: Parameters(foo=execution.layer(S).foo),  # type: ignore[attr-defined]
    ).layer(T).seen == [1, 2]
    with pytest.raises(AttributeError):
        memory(Sharded)().next(flow=memory(After), linker=lambda _: Parameters())


def test_what_the_first_flow_raises_ends_the_chain(memory: Any) -> None:
    linked = []
    with pytest.raises(AttributeError, match="start"):
        memory(Make)().next(flow=memory(Use), linker=linked.append)
    assert linked == []


@pytest.mark.parametrize("wrong", [None, {"foo": 1}, Maker(), 3])
def test_a_linker_that_gives_no_parameters_is_refused(memory: Any, wrong: Any) -> None:
    first = memory(Make)(start=1)
    following = memory(Use)
    with pytest.raises(FlowError, match=r"The linker of Use gave .*; it must give Parameters"):
        first.next(flow=following, linker=lambda _: wrong)
    assert following.configuration.datastore.list_executions(flow=following) == []


def test_what_a_linker_raises_reaches_the_caller(memory: Any) -> None:
    with pytest.raises(AttributeError, match="no artifact 'bar'"):
        memory(Make)(start=1).next(
            flow=memory(Use),
            linker=lambda execution: Parameters(foo=execution.layer(Maker).bar),  # type: ignore[attr-defined]
        )


def test_a_chain_is_resumed_flow_by_flow(local: Any) -> None:
    ran: list[str] = []
    broken = [True]

    class One(Flow): ...

    class Two(Flow): ...

    @One.register
    class A(Layer):
        def __call__(self) -> None:
            ran.append("A")
            self.foo = 1

    @Two.register
    class B(Layer):
        def __call__(self, parameters: Parameters) -> None:
            ran.append("B")
            self.foo = parameters.foo + 1

    @Two.register
    class C(Layer):
        def __call__(self, b: B) -> None:
            ran.append("C")
            if broken:
                raise ValueError("broken")
            self.foo = b.foo + 1

    def link(execution: Any) -> Parameters:
        return Parameters(foo=execution.layer(A).foo)

    with pytest.raises(ValueError, match="broken"):
        local(One)(execution="mine").next(flow=local(Two), linker=link)
    broken.clear()
    last = local(One).execution("mine").resume().next(flow=local(Two), linker=link)
    assert last.layer(C).foo == 3
    assert last.retry
    assert ran == ["A", "B", "C", "C"]


def test_a_chain_whose_first_flow_failed_runs_the_second_for_the_first_time_on_resume(local: Any) -> None:
    broken = [True]

    class One(Flow): ...

    @One.register
    class A(Layer):
        def __call__(self) -> None:
            if broken:
                raise ValueError("broken")
            self.foo = 5

    def link(execution: Any) -> Parameters:
        return Parameters(foo=execution.layer(A).foo)

    with pytest.raises(ValueError, match="broken"):
        local(One)(execution="mine").next(flow=local(Use), linker=link)
    broken.clear()
    assert local(One).execution("mine").resume().next(flow=local(Use), linker=link).layer(User).foo == 50
