"""A container for one attempt, from its making to its removal."""

from __future__ import annotations

import asyncio
import time

from laminar.containers import ends
from laminar.errors import PlacementError
from laminar.executors.docker import misfits, orders
from laminar.executors.docker.orders import End
from laminar.executors.outcomes import UNDELIVERED
from laminar.host import leftovers
from laminar.model.action import Ended
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.executors.docker.contract import Job, SessionContract
    from laminar.executors.docker.creation import Wanted

#: Seconds after which a container that is still there is killed again.
AGAIN = 1.0


class Box:
    """One container."""

    #: Whether a memory kill that the engine tells of is one of this attempt.
    tells_memory_kills = True

    def __init__(self, session: SessionContract, name: str, manifest: str, folder: str | None) -> None:
        """Name a container, that may exist already.

        Args:
            session: Whose it is.
            name: Its name.
            manifest: Path of the manifest of the attempt that runs in it.
            folder: Its private folder of code, if it has one.
        """
        self.name = name
        self._session = session
        self.manifest = manifest
        self._folder = folder
        self.container = session.engine.client.containers.container(name)

    async def create(self, wanted: Wanted) -> None:
        """Make and start it.

        Raises:
            DockerError: The engine refuses; nothing is left of it.
        """
        containers = self._session.engine.client.containers
        making = asyncio.ensure_future(containers.create(self._session.body(wanted), name=self.name))
        try:
            await asyncio.shield(making)
            await self.container.start()
        except BaseException:
            await asyncio.gather(making, return_exceptions=True)  # what is still being made could not be removed
            await asyncio.shield(self.remove())
            raise

    async def create_for(self, job: Job, wanted: Wanted) -> None:
        """Make and start it for an attempt, whose order is withdrawn as soon as that is to stop.

        Raises:
            DockerError: The engine refuses; nothing is left of it.
        """
        withdrawing = asyncio.ensure_future(self._withdraw(job))
        try:
            await self.create(wanted)
        finally:
            withdrawing.cancel()

    async def finish(self, job: Job) -> Ended:
        """Wait for the end of its attempt, stop it when that is asked, and remove it."""
        try:
            ended = await self.ended(job, await self._end(job))
        except BaseException:
            await asyncio.shield(self.remove())
            raise
        self._session.chore(self.remove())
        return ended

    async def _end(self, job: Job) -> End | None:
        """Wait until the attempt has ended, and have it stopped when that is asked."""
        ending, stopping = asyncio.ensure_future(self.seen()), asyncio.ensure_future(self.stop(job))
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                stopping.result()  # it could not be asked to stop
            return await ending
        finally:
            for task in (ending, stopping):
                task.cancel()

    async def seen(self) -> End | None:
        """Wait until the attempt has written down its end, or the container is no more."""
        gone = asyncio.ensure_future(self.gone())
        began = time.monotonic()
        try:
            while True:
                end = orders.read_end(self.manifest)
                if end is not None:
                    return end
                if gone.done():
                    gone.result()
                    return orders.read_end(self.manifest)
                await asyncio.wait({gone}, timeout=orders.patience(time.monotonic() - began))
        finally:
            gone.cancel()

    async def gone(self) -> None:
        """Wait until the container has stopped, also over a restart of the engine."""
        await ends.stopped(self.container)

    async def stop(self, job: Job) -> None:
        """Once it is asked for: ask the container to stop, and kill it after the grace.

        Its order is withdrawn first: an init that has only just begun takes no signal yet.
        """
        await self._withdraw(job)
        if job.grace > 0:
            await self.kill("SIGTERM")
            await job.grace_is_over()
        await self.kill_until_gone()

    async def _withdraw(self, job: Job) -> None:
        """Once the attempt is to stop: withdraw its order, unless that has been read."""
        await job.stopped.wait()
        orders.withdraw(self.manifest)

    async def kill_until_gone(self) -> None:
        """Kill the container, again and again: the engine may be away, such as for a restart, and not hear of it."""
        while True:
            await self.kill("SIGKILL")
            await asyncio.sleep(AGAIN)

    async def kill(self, signal: str) -> None:
        """Send the container a signal."""
        await ends.kill(self.container, signal)

    async def ended(self, job: Job, end: End | None) -> Ended:
        """Tell how the attempt ended."""
        if end is not None:
            return job.watch.ended(end.status, end.cpu or None, end.memory or None, killed=end.killed)
        state = await self.state()
        code = int(state.get("ExitCode", -1))
        misfit = None if job.watch.stopped else await self._misfit(code)
        if misfit is not None:
            return self._session.refusal(job, misfit)
        killed = self.tells_memory_kills and bool(state.get("OOMKilled"))
        if not state:
            detail = "its container was removed"
            outcome = Outcome.CANCELLED if job.watch.stopped else Outcome.LOST
            return Ended(job.request.key, outcome, detail=detail)
        status = 128 - code if code > 128 and code != UNDELIVERED else code
        ended = job.watch.ended(status, None, None, killed=killed)
        if ended.outcome is Outcome.EXITED:
            return ended.replace(output=await self._output())
        return ended

    async def state(self) -> dict[str, Any]:
        """Ask the engine how the container is; empty if it is no more."""
        return await ends.state_of(self.container)

    async def _misfit(self, code: int) -> PlacementError | None:
        """Say why laminar in the container could not begin, if that was so."""
        if code not in (misfits.MISMATCH, orders.UNSEEN, *misfits.UNSTARTED):
            return None
        image = (await self.container.show())["Config"]["Image"]
        said = (await self._output()).strip()
        if code in misfits.UNSTARTED:
            return None if await ends.has_program(self.container, "python") else misfits.without_python(said)
        if code == orders.UNSEEN:
            told = f": {said}" if said else ""
            return PlacementError(
                f"The engine at {self._session.engine.address} sees another folder than this scheduler, as one on "
                f"another machine does{told}. Use an engine of this machine, or mount that folder at the same path."
            )
        return misfits.without_laminar(image, said)

    async def _output(self) -> str:
        """Read the last that the container itself has printed."""
        return await ends.output(self.container)

    async def remove(self) -> None:
        """Kill what is left of it, and remove it with its files."""
        refused = await ends.remove(self.container)
        if refused:
            self._session.host.tell(f"container {self.name} could not be removed: {refused}")
        orders.forget(self.manifest)
        if self._folder is not None:
            leftovers.remove(self._folder)
