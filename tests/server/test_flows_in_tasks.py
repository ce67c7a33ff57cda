"""Flows that tasks and layers of a server call: their layers are actions of the same run."""

from __future__ import annotations

from collections.abc import Iterator

import fleets
import pytest
from fleets import Fleet

import engines

PROGRAM = """
import asyncio

import laminar
from laminar import Flow, Layer, Parameters
from laminar.configurations.layers import ForEach, Parameter

env = laminar.TaskEnvironment("mixed")


class Squares(Flow): ...


@Squares.register
class Numbers(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.shard(number=list(range(parameters.count)))


@Squares.register(foreach=ForEach(parameters=[Parameter(layer=Numbers, attribute="number")]))
class Square(Layer):
    def __call__(self, numbers: Numbers) -> None:
        self.square = numbers.number**2


@Squares.register
class Total(Layer):
    def __call__(self, square: Square) -> None:
        self.total = sum(square.square)


squares = Squares()


@env.task
async def totals(count: int) -> list[int]:
    return await asyncio.gather(*(asyncio.to_thread(squares_of, number) for number in (count, count + 1)))


def squares_of(count):
    return Squares()(count=count).layer(Total).total


@env.task(retries=1)
def breaks_once(count: int) -> int:
    total = squares(count=count).layer(Total).total
    if laminar.ctx().attempt == 1:
        raise ValueError("once")
    return total


@env.task
def fails() -> int:
    return Broken()().layer(Break).x


@env.task
def named() -> None:
    squares(execution="mine", count=1)


class Broken(Flow): ...


@Broken.register
class Break(Layer):
    def __call__(self) -> None:
        raise KeyError("told to")


class Outer(Flow): ...


@Outer.register
class Calls(Layer):
    def __call__(self) -> None:
        self.total = squares(count=4).layer(Total).total


@Outer.register
class Tells(Layer):
    def __call__(self, calls: Calls) -> None:
        print("outer has", calls.total)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server for all tests."""
    folder = tmp_path_factory.mktemp("fleet")
    with fleets.fleet(folder, engines.Engine("none", "unix:///nowhere", "", {}), "process") as made:
        (folder / "mixed.py").write_text(PROGRAM)
        made.deploy("env", "Outer", file=folder / "mixed.py")
        yield made


def test_layers_of_a_flow_that_a_task_calls_are_actions_of_its_run(fleet: Fleet) -> None:
    run = fleet.begin("mixed.breaks_once", count=3)
    assert fleet.value(run) == 5
    tasks = sorted(action.task for action in fleet.actions(run) if action.task.startswith("Squares."))
    assert tasks == ["Squares.Numbers", *["Squares.Square"] * 3, "Squares.Total"]
    assert len(fleet.attempts(run)) == 2


def test_flows_are_called_side_by_side(fleet: Fleet) -> None:
    assert fleet.value(fleet.begin("mixed.totals", count=2)) == [1, 5]


def test_what_a_layer_of_a_called_flow_raises_reaches_the_task(fleet: Fleet) -> None:
    assert fleet.failure(fleet.begin("mixed.fails")) == ("KeyError", "'told to'")


def test_layers_call_flows_too(fleet: Fleet) -> None:
    run = fleet.begin("Outer")
    assert fleet.ended(run).state.value == "SUCCEEDED", fleet.output(run)
    assert "outer has 14" in fleet.output(run)


def test_an_execution_of_a_called_flow_cannot_be_named(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("mixed.named"))
    assert kind == "FlowError"
    assert "laminar.remote.Flow.get('Squares').run(" in message
