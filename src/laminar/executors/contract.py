"""The contract of executors."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.errors import FlowError
from laminar.host.machine import cores
from laminar.model.amounts import positive
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, Protocol

    from laminar.model.action import EntryRef, Event, Manifest, Request
    from laminar.model.code import Code
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.model.placement import Placement
    from laminar.model.policies import Resources

    class Packed(Protocol):
        """The user's code, ready to travel."""

        @property
        def digest(self) -> str:
            """Hash of its content; empty if nothing travels, because the code is in the image."""

        def place(self, folder: str, /) -> Code:
            """Put the code into an empty or missing folder."""

        def code(self, folder: str, /) -> Code:
            """Say where the code is when it lies in a folder, by the path that the process sees that will load it."""


class Packaging(ABC):
    """Makes images and bundles for executors that run containers."""

    @abstractmethod
    async def image(self, engine: Any, wanted: Any, tell: Callable[[str], None]) -> str:
        """Give the name of an image that a container engine has, building or pulling it first if need be.

        Args:
            engine: A connection to the engine.
            wanted: Name of an image, an image to build, or None for one that suits the running Python.
            tell: Hears of progress, line by line.

        Raises:
            ImageError: It does not exist, cannot be pulled, or cannot be built.
        """

    @abstractmethod
    def code(self, code: Code, style: str) -> Packed:
        """Collect the files of the user's code.

        Args:
            code: Where it is.
            style: Which files: ``"loaded_modules"``, ``"all"`` or ``"none"``.

        Raises:
            BundleError: A file cannot be found.
        """


class Host(Value, frozen=True):
    """What the engine offers an executor for the time of a run.

    Attributes:
        deliver: Takes events, from any thread.
        call: Runs an attempt in this process and gives its manifest.
        code: Where the user's code is, for another process; empty for an executor that does not leave this one.
        entry: The entry that a worker loads once the code is there.
        label: Start of the label that every process started for this run bears: run, flow, installation, epoch.
        folder: Folder for private files, removed at the end. Of an executor whose attempts outlive the scheduler, it
            is the same for each scheduler of the run.
        places: The containers and resources that the actions of this run ask for, as far as they are known.
        mounts: Folders that attempts must see at their own paths.
        server: Address that attempts must reach to use the datastore; None if that lies in the folders.
        state: Folder of what belongs to this installation, for what lasts from one run to the next.
        packaging: Makes images and bundles.
        held: Tells whether a scheduler that is alive holds a run: by its flow and its id.
        tell: Takes a line for people, from any thread.
        call_async: Runs an attempt on the running event loop and gives its manifest.
        task_factory: Makes the tasks of an event loop that attempts run on.
    """

    deliver: Callable[[Event], None]
    call: Callable[[Request], Manifest]
    code: Code
    entry: EntryRef
    label: str
    folder: str
    places: Sequence[tuple[Placement, Resources]] = ()
    mounts: Sequence[str] = ()
    server: str | None = None
    state: str = ""
    packaging: Packaging | None = None
    held: Callable[[str, str], bool] = lambda space, run: False  # noqa: ARG005
    tell: Callable[[str], None] = lambda line: None  # noqa: ARG005
    call_async: Callable[[Request], Awaitable[Manifest]] | None = None
    task_factory: Any = None


class Session(ABC):
    """An executor at work for one run. Used from one thread."""

    #: Attempts that may run at a time; 0 while it gets ready, of whose end it delivers :class:`SessionReady`.
    capacity: int
    #: Whether it delivers :class:`Started` when an attempt runs, which is later than when it was asked to start it.
    tells_start: bool = False
    #: Whether attempts run inside the scheduler's process, so that they end with it and nothing of them is to be found.
    inside: bool = False

    @abstractmethod
    def start(self, request: Request) -> None:
        """Start an attempt. Its end is delivered to the host exactly once, whatever happens to it."""

    @abstractmethod
    def stop(self, key: AttemptKey, grace: float) -> None:
        """Stop an attempt and all that it started: ask, and after ``grace`` seconds kill. Its end is delivered."""

    def reserve(self, busy: int, action: ActionKey) -> bool:  # noqa: ARG002 - most treat all alike
        """Take a slot for an attempt that is about to start, if one is free.

        A place that several runs share tells those that it had to refuse of a free slot by :class:`SessionReady`.

        Args:
            busy: Attempts of this run that hold one.
            action: What is about to start.
        """
        return busy < self.capacity

    def release(self, action: ActionKey) -> None:  # noqa: B027 - most have counted nothing
        """Give a slot back for which nothing has started."""

    def idle(self, key: AttemptKey, *, idle: bool) -> None:  # noqa: B027 - most have no places to leave
        """Hear that an attempt only waits for actions that it has called, or goes on; its place is for others then."""

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
    #: Whether attempts run on when the scheduler dies, so that its successor can take them back.
    outlives_scheduler: bool = False
    #: Whether attempts have the environment variables of the scheduler.
    inherits_environment: bool = True

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
