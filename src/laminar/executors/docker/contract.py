"""What the parts of the Docker executor must know of its session, and of an attempt on its way."""

from __future__ import annotations

import asyncio
import contextlib

from laminar.errors import LaminarError
from laminar.executors.outcomes import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol, TypeVar

    from laminar.containers.engine import Engine
    from laminar.executors.contract import Host
    from laminar.executors.docker.creation import Wanted
    from laminar.model.action import Ended, Request
    from laminar.model.placement import Placement
    from laminar.model.policies import ReusePolicy

    T = TypeVar("T")

    class SessionContract(Protocol):
        """The containers of one run."""

        engine: Engine
        host: Host

        @property
        def installation(self) -> str:
            """Where this scheduler's ledger lies, as a hash."""

        @property
        def code_digest(self) -> str:
            """Hash of the user's code; empty if none travels."""

        def chore(self, work: Coroutine[Any, Any, None]) -> None:
            """Do something beside all else; the session ends after it."""

        def body(self, wanted: Wanted) -> dict[str, Any]:
            """Give the body of the request that makes a container."""

        def policy(self, placement: Placement) -> ReusePolicy | None:
            """Tell how warm a container is kept, if it is."""

        async def image_of(self, placement: Placement) -> str:
            """Give the name of the image of a placement, which the engine then has."""

        async def image_id(self, name: str) -> str:
            """Give the id of an image, which is another once its name means another."""

        async def place_code(self, folder: str) -> None:
            """Put the user's code into an empty folder, in a thread."""

        def write_order(self, request: Request) -> str:
            """Write the order of an attempt; gives its path."""

        def note_placed(self, request: Request, digest: str, container: str, *, kept: bool) -> None:
            """Write down where an attempt runs, for a scheduler that takes over."""

        def tell_start(self, job: Job, detail: str = "") -> None:
            """Tell that an attempt runs from now on."""

        def refusal(self, job: Job, error: BaseException) -> Ended:
            """Give the end of an attempt that could not be started."""


class StoppedError(LaminarError):
    """An attempt is to stop, and has not begun."""


class Job:
    """An attempt on its way.

    Attributes:
        request: What was asked for.
        watch: What tells how it ended.
        grace: Seconds that it has to end by itself, once it is to stop.
        stopped: Whether it is to stop.
        rest: Is told that it only waits for others, or goes on; None where nobody else could have its place.
    """

    def __init__(self, request: Request) -> None:
        """Begin with an attempt that nobody has stopped."""
        self.request = request
        self.watch = Watch(request, limited=True)
        self.grace = 0.0
        self.stopped = asyncio.Event()
        self.rest: Callable[[bool], None] | None = None
        self._killed = asyncio.Event()

    def stop(self, grace: float) -> None:
        """Ask it to end, and have it killed after the grace; asked again without grace, it is killed at once."""
        self.watch.stopped = True
        self.grace = grace
        self.stopped.set()
        if grace <= 0:
            self._killed.set()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something, but not once the attempt is to stop.

        Raises:
            StoppedError: It is.
        """
        doing, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self.stopped.wait())
        try:
            await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self.stopped.is_set():
                raise StoppedError("it was stopped before it had a container")
            return await doing
        finally:
            for task in (doing, stopped):
                task.cancel()

    async def grace_is_over(self) -> None:
        """Wait until the attempt is to be killed."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._killed.wait(), self.grace)
