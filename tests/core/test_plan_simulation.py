"""The plan under random graphs and random histories: reports late, doubled, out of order, failures, stops.

Hypothesis draws a graph and a seed; the world below answers the plan's commands in an order that the seed gives. A
failing example prints both, and replays exactly.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laminar.core.plan import CancelAll, Command, Decide, Finish, Launch, Node, Phase, Plan, Skip

#: A few examples find what is wrong; at full count four times as many are looked at.
TIMES = 4 if os.environ.get("LAMINAR_CHAOS") == "full" else 1


@dataclass(frozen=True)
class Layer:
    """A layer of a random flow, and what its hooks and splits will do."""

    needs: frozenset[str]
    conditional: bool
    enters: bool
    splits: int
    kept: frozenset[int]
    raises: bool
    failing: frozenset[int]


@dataclass
class World:
    """Carries out the plan's commands in an order of its own, and keeps the books that the test looks at."""

    layers: dict[str, Layer]
    dice: random.Random
    plan: Plan
    asked: list[str] = field(default_factory=list)
    open: list[tuple[str, int]] = field(default_factory=list)
    launched: list[tuple[str, int]] = field(default_factory=list)
    done: set[tuple[str, int]] = field(default_factory=set)
    finished: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    cancelled: bool = False
    stopped: bool = False

    def settled(self, layer: str) -> bool:
        return layer in self.finished or layer in self.skipped

    def take(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Decide(layer=layer):
                    assert not self.stopped, f"{layer} was asked about after the run stopped"
                    assert all(map(self.settled, self.layers[layer].needs)), f"{layer} was asked about before its needs"
                    self.asked.append(layer)
                case Launch(layer=layer, indexes=indexes, splits=splits):
                    assert not self.stopped, f"{layer} was launched after the run stopped"
                    assert splits == self.layers[layer].splits
                    for index in indexes:
                        assert (layer, index) not in self.launched, f"{layer}[{index}] was launched twice"
                        assert index not in self.layers[layer].kept, f"{layer}[{index}] had been kept"
                    self.launched += [(layer, index) for index in indexes]
                    self.open += [(layer, index) for index in indexes]
                case Finish(layer=layer, splits=splits):
                    expected = {(layer, index) for index in range(splits) if index not in self.layers[layer].kept}
                    assert expected <= self.done, f"{layer} was finished before its splits"
                    assert layer not in self.finished
                    self.finished.append(layer)
                case Skip(layer=layer):
                    assert layer not in self.skipped
                    self.skipped.append(layer)
                case CancelAll():
                    self.cancelled = True

    def step(self) -> None:
        """Report one thing, chosen by the dice."""
        choices = [*(("asked", item) for item in self.asked), *(("open", item) for item in self.open)]
        kind, item = self.dice.choice(choices)
        if kind == "asked":
            self._answer(str(item))
        else:
            self._end(item)  # type: ignore[arg-type]
        if self.done and self.dice.random() < 0.2:
            layer, index = self.dice.choice(sorted(self.done))
            assert self.plan.split_succeeded(layer, index) == [], "a doubled report had an effect"
            assert self.plan.split_failed(layer, index, "late") == [], "a late report had an effect"

    def _answer(self, name: str) -> None:
        self.asked.remove(name)
        layer = self.layers[name]
        if layer.raises:
            self.take(self.plan.layer_failed(name, "a hook raised"))
            self.stopped = True
        elif layer.conditional and not layer.enters:
            self.take(self.plan.skipped(name, "no"))
        else:
            self.take(self.plan.expanded(name, layer.splits, layer.kept))

    def _end(self, split: tuple[str, int]) -> None:
        self.open.remove(split)
        name, index = split
        if self.stopped and self.dice.random() < 0.5:
            self.plan.split_dropped(name, index)
        elif index in self.layers[name].failing:
            self.take(self.plan.split_failed(name, index, "it failed"))
            self.stopped = True
        else:
            self.done.add(split)
            self.take(self.plan.split_succeeded(name, index))


@st.composite
def graphs(draw: st.DrawFn, *, failures: bool) -> dict[str, Layer]:
    """Draw a flow without circles: each layer needs some of those before it."""
    layers: dict[str, Layer] = {}
    for number in range(draw(st.integers(1, 9))):
        splits = draw(st.sampled_from([1, 1, 1, 0, 2, 5]))
        some = st.frozensets(st.integers(0, max(splits - 1, 0)), max_size=splits)
        kept = draw(some) if splits and draw(st.booleans()) else frozenset()
        conditional = draw(st.booleans())
        layers[f"L{number}"] = Layer(
            needs=frozenset(draw(st.sets(st.sampled_from(sorted(layers)), max_size=3))) if layers else frozenset(),
            conditional=conditional,
            enters=draw(st.booleans()) if conditional else True,
            splits=splits,
            kept=kept,
            raises=failures and draw(st.integers(0, 9)) == 0,
            failing=draw(some) - kept if failures and splits and draw(st.integers(0, 3)) == 0 else frozenset(),
        )
    return layers


def run(layers: dict[str, Layer], seed: int, *, cancel: bool = False, stop_after: int | None = None) -> World:
    nodes = {name: Node(layer.needs, layer.conditional) for name, layer in layers.items()}
    plan = Plan(nodes, cancel_on_failure=cancel)
    world = World(layers, random.Random(seed), plan)
    world.take(plan.start())
    steps = 0
    while world.asked or world.open:
        assert not plan.over, "the plan was over with something in flight"
        if steps == stop_after:
            world.take(plan.stop("from outside"))
            world.stopped = True
        world.step()
        steps += 1
    assert plan.over, "nothing is in flight, and the plan is not over"
    return world


def expected(layers: dict[str, Layer]) -> tuple[set[str], set[str]]:
    """Tell, from the words of the specification, which layers finish and which are skipped when nothing fails."""
    finished: set[str] = set()
    skipped: set[str] = set()
    for name, layer in layers.items():  # in an order in which needs come first
        if (layer.needs & skipped and not layer.conditional) or (layer.conditional and not layer.enters):
            skipped.add(name)
        else:
            finished.add(name)
    return finished, skipped


@pytest.mark.chaos
@settings(max_examples=100 * TIMES, deadline=None)
@given(graphs(failures=False), st.integers(0, 2**32))
def test_without_failures_exactly_the_layers_of_the_oracle_finish(layers: dict[str, Layer], seed: int) -> None:
    world = run(layers, seed)
    assert (set(world.finished), set(world.skipped)) == expected(layers)
    assert world.plan.succeeded
    for name in world.finished:
        wanted = {(name, index) for index in range(layers[name].splits) if index not in layers[name].kept}
        assert wanted == {split for split in world.launched if split[0] == name}
    assert not {name for name, _ in world.launched} & set(world.skipped)


@pytest.mark.chaos
@settings(max_examples=100 * TIMES, deadline=None)
@given(graphs(failures=True), st.integers(0, 2**32), st.booleans())
def test_a_failure_ends_the_plan_once_nothing_is_in_flight(layers: dict[str, Layer], seed: int, cancel: bool) -> None:
    world = run(layers, seed, cancel=cancel)
    assert world.plan.succeeded is not bool(world.plan.failed)
    assert world.cancelled is (cancel and bool(world.plan.failed))
    for name in world.plan.failed:
        assert world.plan.phases[name] is Phase.FAILED
        assert name not in world.finished


@pytest.mark.chaos
@settings(max_examples=50 * TIMES, deadline=None)
@given(graphs(failures=True), st.integers(0, 2**32), st.integers(0, 12))
def test_a_stop_from_outside_launches_nothing_more(layers: dict[str, Layer], seed: int, after: int) -> None:
    run(layers, seed, stop_after=after)


@pytest.mark.chaos
@settings(max_examples=25 * TIMES, deadline=None)
@given(graphs(failures=True), st.integers(0, 2**32))
def test_the_same_history_gives_the_same_decisions(layers: dict[str, Layer], seed: int) -> None:
    first, second = run(layers, seed), run(layers, seed)
    assert (first.launched, first.finished, first.skipped) == (second.launched, second.finished, second.skipped)


def test_a_long_chain_of_skipped_layers_is_decided_at_once() -> None:
    nodes = {f"L{number}": Node(frozenset({f"L{number - 1}"} if number else ())) for number in range(5000)}
    plan = Plan(nodes)
    plan.start()
    assert len(plan.skipped("L0", "no")) == 5000
    assert plan.succeeded


def test_a_report_about_a_layer_that_was_not_asked_about_is_refused() -> None:
    plan = Plan({"A": Node(frozenset())})
    with pytest.raises(ValueError, match="did not ask about layer 'A'"):
        plan.expanded("A", 1)
