"""The contract of executors."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.errors import FlowError
from laminar.host.machine import cores
from laminar.model.policies import positive
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import EntryRef, Event, Manifest, Request
    from laminar.model.code import Code
    from laminar.model.ids import AttemptKey


class Host(Value, frozen=True):
    """What the engine offers an executor for the time of a run.

    Attributes:
        deliver: Takes events, from any thread.
        call: Runs an attempt in this process and gives its manifest.
        code: Where the user's code is, for another process; empty for an executor that does not leave this one.
        entry: The entry that a worker loads once the code is there.
        label: Start of the label that every process started for this run bears.
        folder: Folder for private files, removed at the end.
    """

    deliver: Callable[[Event], None]
    call: Callable[[Request], Manifest]
    code: Code
    entry: EntryRef
    label: str
    folder: str


class Session(ABC):
    """An executor at work for one run. Used from one thread."""

    #: Attempts that may run at a time; 0 while it gets ready, of whose end it delivers :class:`SessionReady`.
    capacity: int

    @abstractmethod
    def start(self, request: Request) -> None:
        """Start an attempt. Its end is delivered to the host exactly once, whatever happens to it."""

    @abstractmethod
    def stop(self, key: AttemptKey, grace: float) -> None:
        """Stop an attempt and all that it started: ask, and after ``grace`` seconds kill. Its end is delivered."""

    @abstractmethod
    def close(self) -> None:
        """Kill what still runs and let go of everything."""


class Executor(ABC):
    """A kind of place to run attempts, as a user configures it.

    Attributes:
        concurrency: Attempts that run at a time; by default one for each core.
        timeout: Seconds that any attempt may run, unless its layer says otherwise; None for no limit.

    Raises:
        FlowError: A number makes no sense.
    """

    #: Whether attempts run outside the scheduler's process, so that blobs must lie outside it too.
    leaves_process: bool = True

    def __init__(self, *, concurrency: int | None = None, timeout: float | None = None) -> None:
        """Check and keep the configuration."""
        if concurrency is not None and (
            isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1
        ):
            raise FlowError(f"{type(self).__name__}(concurrency={concurrency!r}): expects a whole number from 1.")
        if timeout is not None:
            positive(timeout, f"{type(self).__name__}(timeout)")
        self.concurrency = concurrency if concurrency is not None else cores()
        self.timeout = timeout

    @abstractmethod
    def open(self, host: Host) -> Session:
        """Make ready to run attempts."""

    def __repr__(self) -> str:
        """Show the configuration."""
        return f"{type(self).__name__}(concurrency={self.concurrency}, timeout={self.timeout})"
