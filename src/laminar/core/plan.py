"""The plan of a flow: events in, commands out.

States of a layer::

    PENDING --all needs settled--> DECIDING --entry says no, or a need was skipped--> SKIPPED
                                       |--splits known--> RUNNING --all splits done--> FINISHED
                                       '--a hook raised--> FAILED <--a split failed--'

A need is settled once it is FINISHED or SKIPPED. After a failure nothing new is launched; the plan is over when
nothing is in flight. Whoever drives the plan carries out each command and reports back by calling a method, in any
order; a report about a split that is not in flight changes nothing.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Phase(Enum):
    """State of a layer within a plan."""

    PENDING = "pending"
    DECIDING = "deciding"
    RUNNING = "running"
    FINISHED = "finished"
    SKIPPED = "skipped"
    FAILED = "failed"


SETTLED = frozenset({Phase.FINISHED, Phase.SKIPPED})


class Node(Value, frozen=True):
    """A layer, as far as the plan must know it.

    Attributes:
        needs: Names of the layers it depends on.
        conditional: Whether it has an entry hook of its own, so that a skipped need does not skip it.
    """

    needs: frozenset[str]
    conditional: bool = False


class Decide(Value, frozen=True):
    """Evaluate the entry hooks of a layer and count its splits."""

    layer: str


class Skip(Value, frozen=True):
    """Note that a layer is skipped, and why."""

    layer: str
    reason: str


class Launch(Value, frozen=True):
    """Run these splits of a layer."""

    layer: str
    indexes: tuple[int, ...]
    splits: int


class Finish(Value, frozen=True):
    """All splits of a layer are done: join them and record it."""

    layer: str
    splits: int


class CancelAll(Value, frozen=True):
    """Stop everything in flight."""

    reason: str


Command = Decide | Skip | Launch | Finish | CancelAll


class Plan:
    """Decides what a flow does next. Deterministic: the same reports in the same order give the same commands."""

    def __init__(self, nodes: Mapping[str, Node], *, cancel_on_failure: bool = False) -> None:
        """Start from a graph.

        Args:
            nodes: The layers by name. Needs that are not among them count as settled.
            cancel_on_failure: Whether a failure stops what is in flight, or lets it end.
        """
        self.phases = dict.fromkeys(nodes, Phase.PENDING)
        self.failed: list[str] = []
        self.stopping: str | None = None
        self._nodes = nodes
        self._cancel_on_failure = cancel_on_failure
        self._missing = {name: len(node.needs & nodes.keys()) for name, node in nodes.items()}
        self._dependents: dict[str, list[str]] = {name: [] for name in nodes}
        for name, node in nodes.items():
            for need in sorted(node.needs & nodes.keys()):
                self._dependents[need].append(name)
        self._open: dict[str, set[int]] = {}
        self._splits: dict[str, int] = {}
        self._deciding = 0
        self._in_flight = 0

    @property
    def over(self) -> bool:
        """Tell whether nothing is in flight and nothing more will be."""
        if self._deciding or self._in_flight:
            return False
        return self.stopping is not None or all(phase in SETTLED for phase in self.phases.values())

    @property
    def succeeded(self) -> bool:
        """Tell whether every layer is finished or skipped."""
        return all(phase in SETTLED for phase in self.phases.values())

    def start(self) -> list[Command]:
        """Give the first commands."""
        return self._ready(name for name, missing in self._missing.items() if missing == 0)

    def skipped(self, layer: str, reason: str) -> list[Command]:
        """Report that the entry hooks of a layer said no."""
        self._decided(layer)
        return self._settle(layer, Phase.SKIPPED, [Skip(layer, reason)])

    def expanded(self, layer: str, splits: int, done: Collection[int] = ()) -> list[Command]:
        """Report that a layer runs, in so many splits, of which some are done already.

        Args:
            layer: The layer.
            splits: How many splits it has; 0 finishes it at once.
            done: Indexes of splits whose results are kept from an earlier run.

        Returns:
            What follows.
        """
        self._decided(layer)
        if self.stopping is not None:
            self.phases[layer] = Phase.PENDING
            return []
        kept = set(done)
        todo = tuple(index for index in range(splits) if index not in kept)
        self._splits[layer] = splits
        if not todo:
            return self._settle(layer, Phase.FINISHED, [Finish(layer, splits)])
        self.phases[layer] = Phase.RUNNING
        self._open[layer] = set(todo)
        self._in_flight += len(todo)
        return [Launch(layer, todo, splits)]

    def split_succeeded(self, layer: str, index: int) -> list[Command]:
        """Report that a split has succeeded."""
        if not self._close(layer, index):
            return []
        if self._open[layer] or self.phases[layer] is not Phase.RUNNING:
            return []
        return self._settle(layer, Phase.FINISHED, [Finish(layer, self._splits[layer])])

    def split_failed(self, layer: str, index: int, reason: str) -> list[Command]:
        """Report that a split has failed for good."""
        if not self._close(layer, index):
            return []
        return self._fail(layer, reason)

    def split_dropped(self, layer: str, index: int) -> None:
        """Report that a split was stopped, or not started, because the run is stopping: its layer will not finish."""
        if self._close(layer, index) and self.phases[layer] is Phase.RUNNING:
            self.phases[layer] = Phase.PENDING

    def layer_failed(self, layer: str, reason: str) -> list[Command]:
        """Report that a hook or the count of splits of a layer raised."""
        self._decided(layer)
        return self._fail(layer, reason)

    def stop(self, reason: str) -> list[Command]:
        """Stop the run from outside."""
        self.stopping = self.stopping or reason
        return [CancelAll(reason)]

    def _ready(self, names: Iterable[str]) -> list[Command]:
        commands: list[Command] = []
        queue = deque(names)
        while queue and self.stopping is None:
            name = queue.popleft()
            node = self._nodes[name]
            skipped = sorted(need for need in node.needs if self.phases.get(need) is Phase.SKIPPED)
            if skipped and not node.conditional:
                self.phases[name] = Phase.SKIPPED
                commands.append(Skip(name, f"{', '.join(skipped)} was skipped"))
                queue.extend(self._released_by(name))
            else:
                self.phases[name] = Phase.DECIDING
                self._deciding += 1
                commands.append(Decide(name))
        return commands

    def _decided(self, layer: str) -> None:
        if self.phases[layer] is not Phase.DECIDING:
            raise ValueError(f"The plan did not ask about layer {layer!r}; it is {self.phases[layer].value}.")
        self._deciding -= 1

    def _settle(self, layer: str, phase: Phase, commands: list[Command]) -> list[Command]:
        self.phases[layer] = phase
        return commands + self._ready(self._released_by(layer))

    def _released_by(self, layer: str) -> list[str]:
        released = []
        for dependent in self._dependents[layer]:
            self._missing[dependent] -= 1
            if self._missing[dependent] == 0:
                released.append(dependent)
        return released

    def _close(self, layer: str, index: int) -> bool:
        opened = self._open.get(layer)
        if opened is None or index not in opened:
            return False
        opened.discard(index)
        self._in_flight -= 1
        return True

    def _fail(self, layer: str, reason: str) -> list[Command]:
        self.phases[layer] = Phase.FAILED
        self.failed.append(layer)
        first = self.stopping is None
        self.stopping = self.stopping or reason
        return [CancelAll(reason)] if first and self._cancel_on_failure else []
