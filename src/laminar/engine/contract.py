"""What the engine asks of a front door (a program), and whom it tells what happens (an observer)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.model.policies import Resources, Retry
from laminar.model.states import Outcome, State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from laminar.core.plan import Node
    from laminar.model.action import Door, EntryRef, Failure, Ref
    from laminar.model.entries import Entry
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.model.placement import Placement

    class Journal(Protocol):
        """Where it is kept what actions have returned or raised."""

        def add(self, entry: Entry, /) -> None:
            """Take up an entry; it counts from the next :meth:`flush` on."""

        def forget(self, id: str, /) -> None:  # noqa: A002
            """Take back that an action has ended."""

        def flush(self) -> bool:
            """Write what was taken up, in one piece; tells whether there was anything."""

    class Kept(Protocol):
        """What the engine must know of values: whether they are there."""

        def missing(self, refs: Sequence[Ref], /) -> bool:
            """Tell whether a value, or something that it refers to, is not there any more."""


class Failures(Value, frozen=True):
    """How errors become data and back: where user code runs too by pickle, on a server by their words alone.

    Attributes:
        describe: Makes data of an exception.
        revive: Makes an exception of data, given the name of what raised it, for people.
    """

    describe: Callable[[BaseException], Failure]
    revive: Callable[[Failure, str], BaseException]


class Logs(ABC):
    """Where the output of attempts goes."""

    @abstractmethod
    def follow(self, key: AttemptKey, label: str, splits: int) -> str:
        """Name the log of an attempt that is about to start, and follow it.

        Args:
            key: The attempt.
            label: What it is an attempt of, as people call it.
            splits: How many actions of that label there are.
        """

    @abstractmethod
    def poll(self) -> None:
        """Tell what live attempts have printed since the last time."""

    @abstractmethod
    def leave(self, key: AttemptKey) -> None:
        """Tell the rest of what an attempt has printed."""


class Doors(ABC):
    """Where attempts outside the scheduler's process ask."""

    @abstractmethod
    def admit(self, key: AttemptKey) -> Door | None:
        """Let an attempt ask from now on; None if nobody listens."""

    @abstractmethod
    def dismiss(self, key: AttemptKey) -> None:
        """Answer an attempt no more."""


class Submission(Value, frozen=True, hot=True):
    """An attempt, ready to start.

    Attributes:
        payload: What the entry needs to know.
        env: Environment variables to set.
        resources: What it needs of a machine.
        placement: The container that it asks for.
        retry: What to do if it fails.
        timeout: Seconds it may run.
        close: To be called once it has been handed to the executor.
        entry: What runs it, if that is another entry than the run's.
    """

    payload: Any
    env: Mapping[str, str]
    resources: Resources
    placement: Placement
    retry: Retry
    timeout: float | None
    close: Callable[[], None]
    entry: EntryRef | None = None


class Book(ABC):
    """What is kept of a run as a whole, beside its results."""

    @abstractmethod
    def begun(self) -> bool:
        """Tell whether the run can be gone on with."""

    @abstractmethod
    def state(self) -> dict[str, Any] | None:
        """Read the state of the run; None if it has none."""

    @abstractmethod
    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write the state of the run."""


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
    def work(self, layer: str, index: int, splits: int) -> Work:
        """Give a split as an action to carry out."""


class Work(ABC):
    """An action to carry out: a split of a layer, or a call of a task. Its methods may run user code, which may raise.

    Attributes:
        key: Its name.
        label: What it is an action of, as people call it: the layer, or the task.
        splits: How many actions of that name and label there are.
        lane: Name of the session that its attempts run in.
        depth: How deep below the first actions of the run it was called; what is deeper starts first.
        max_queued: Seconds that an attempt may wait for its place; None for no limit.
        deadline: Seconds that it may take in all; None for no limit.
        excused: Ends of attempts that use up no retry, since they are no fault of the action's.
        begun: How many attempts of it have started.
        over: Whether nothing of it starts any more: it has ended, or nobody needs it.
        unready: Why an attempt of it could not be made ready, where :meth:`submit` raises.
    """

    __slots__ = (
        "begun",
        "deadline",
        "depth",
        "excused",
        "key",
        "label",
        "lane",
        "max_queued",
        "over",
        "splits",
    )
    unready = "a submission hook raised"

    def __init__(self, key: ActionKey, label: str, splits: int = 1, lane: str = "", depth: int = 0) -> None:
        """Name it; it has no limits."""
        self.key = key
        self.label = label
        self.splits = splits
        self.lane = lane
        self.depth = depth
        self.max_queued: float | None = None
        self.deadline: float | None = None
        self.excused: frozenset[Outcome] = frozenset()
        self.begun = 0
        self.over = False

    def called_by(self, caller: Work) -> None:  # noqa: B027 - most may be called by all
        """Hear what has called it.

        Raises:
            TaskError: That cannot be, or both would wait for ever.
        """

    @abstractmethod
    def title(self) -> str:
        """Name it for people, in a sentence."""

    @abstractmethod
    def submit(self, number: int, memory: float | None) -> Submission:
        """Make an attempt ready: runs submission hooks.

        Args:
            number: Which try.
            memory: Megabytes that it must have, if a memory kill has shown that.
        """

    @abstractmethod
    def retrying(self) -> Callable[[], None]:
        """Run the set-up of the retry hooks; gives their tear-down."""

    @abstractmethod
    def settled(self) -> None:
        """Hear that there will be no more attempts."""


#: Ends of attempts whose place was taken from them.
INTERRUPTED = frozenset({Outcome.LOST, Outcome.KILLED})


class Failed(Value, frozen=True):
    """A layer or an action that failed for good.

    Attributes:
        layer: The layer; of a task, the name of the action.
        index: Which split; None if a hook of the whole layer raised.
        where: Its name for people.
        attempts: How many attempts there were.
        error: The exception for the caller.
        reason: Why it was not tried again.
        traceback: The remote traceback, as text.
    """

    layer: str
    index: int | None
    where: str
    attempts: int
    error: BaseException
    reason: str
    traceback: str


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

    def called(self, task: str) -> None:
        """A running action has called a task; the attempts of it go by that name."""

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
