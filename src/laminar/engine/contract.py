"""What the engine asks of a front door (a program), and whom it tells what happens (an observer)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.model.policies import Resources, Retry
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.core.plan import Node
    from laminar.model.placement import Placement
    from laminar.model.states import State


class Submission(Value, frozen=True):
    """An attempt, ready to start.

    Attributes:
        payload: What the entry needs to know.
        env: Environment variables to set.
        resources: What it needs of a machine.
        placement: The container that it asks for.
        retry: What to do if it fails.
        timeout: Seconds it may run.
        close: To be called once it has been handed to the executor.
    """

    payload: Any
    env: Mapping[str, str]
    resources: Resources
    placement: Placement
    retry: Retry
    timeout: float | None
    close: Callable[[], None]


class Program(ABC):
    """A flow, as the engine drives it. Its methods run user code (hooks), which may raise."""

    #: What the run is a run of.
    space: str
    #: Id of the run.
    run: str

    @abstractmethod
    def nodes(self) -> Mapping[str, Node]:
        """Give the graph."""

    @abstractmethod
    def enters(self, layer: str) -> bool:
        """Ask the entry hooks of a layer whether it runs."""

    @abstractmethod
    def splits(self, layer: str) -> int:
        """Count the splits of a layer, whose needs are settled."""

    @abstractmethod
    def fans_out(self, layer: str) -> bool:
        """Tell whether a layer has a foreach, so that its artifacts are joined over its splits."""

    @abstractmethod
    def inputs(self, layer: str, index: int) -> str:
        """Give a fingerprint of what a split is given by its foreach."""

    @abstractmethod
    def submit(self, layer: str, index: int, splits: int, number: int, memory: float | None) -> Submission:
        """Make an attempt ready: runs its submission hooks.

        Args:
            layer: The layer.
            index: Which split.
            splits: Of how many.
            number: Which try.
            memory: Megabytes that it must have, if a memory kill has shown that.
        """

    @abstractmethod
    def retrying(self, layer: str, index: int) -> Callable[[], None]:
        """Run the set-up of the retry hooks; gives their tear-down."""

    @abstractmethod
    def settled(self, layer: str, index: int) -> None:
        """Hear that a split will have no more attempts."""


class Failed(Value, frozen=True):
    """A layer or split that failed for good.

    Attributes:
        layer: The layer.
        index: Which split; None if a hook of the whole layer raised.
        splits: Of how many.
        attempts: How many attempts there were.
        error: The exception for the caller.
        reason: Why it was not tried again.
        traceback: The remote traceback, as text.
    """

    layer: str
    index: int | None
    splits: int | None
    attempts: int
    error: BaseException
    reason: str
    traceback: str

    def where(self) -> str:
        """Name the place for people."""
        if self.index is None or self.splits is None:
            return f"layer {self.layer}"
        split = f", split {self.index} of {self.splits}" if self.splits > 1 else ""
        return f"layer {self.layer}{split}"


class Reuse(Value, frozen=True):
    """What a resumed run makes of a layer.

    Attributes:
        layer: The layer.
        kept: Splits whose results are kept.
        splits: How many it has, if that is known.
        reason: Why the rest runs; empty if nothing of it does.
    """

    layer: str
    kept: int
    splits: int | None
    reason: str


class Summary(Value, frozen=True):
    """How a run ended.

    Attributes:
        space: What it was a run of.
        run: Its id.
        state: Its state.
        seconds: How long it took.
        failures: What failed, first things first.
        stopped: Why it was stopped from outside, if it was.
        layers: State and duration of each layer, in the order of the graph.
        where: Where the results lie.
        resume: How it is resumed; None if nothing is left to do.
    """

    space: str
    run: str
    state: State
    seconds: float
    failures: tuple[Failed, ...]
    stopped: str | None
    layers: tuple[tuple[str, str, float], ...]
    where: str
    resume: str | None = None


class Observer:
    """Hears what happens in a run, from the engine's thread. All methods do nothing by default."""

    def run_started(self, space: str, run: str, layers: list[str], *, resumed: bool) -> None:
        """A run was taken."""

    def reuse_planned(self, plan: list[Reuse]) -> None:
        """A resumed run says what it keeps and what it runs."""

    def layer_started(self, layer: str, splits: int, kept: int) -> None:
        """A layer's splits are known."""

    def layer_settled(self, layer: str, state: State, reason: str | None, seconds: float) -> None:
        """A layer is finished, skipped or failed."""

    def attempt_started(self, layer: str, index: int, number: int) -> None:
        """An attempt has started."""

    def attempt_ended(self, layer: str, index: int, state: State, *, final: bool) -> None:
        """An attempt has ended; unless that was final, its split will be tried again."""

    def retrying(self, layer: str, index: int, delay: float, reason: str) -> None:
        """A split will be tried again."""

    def line(self, layer: str, index: int, splits: int, text: str) -> None:
        """A split has printed a line."""

    def notice(self, text: str) -> None:
        """Something that people should know."""

    def tick(self) -> None:
        """Time has passed."""

    def run_ended(self, summary: Summary) -> None:
        """The run has ended. Not called where the run could not be driven to an end."""

    def close(self) -> None:
        """Nothing more will happen. Always called, and last."""
