"""Warm containers: kept up for the attempts to come, of this run and of the next.

A scheduler holds a container by a lock on a file in the container's folder, so that no two use it at once, and the
lock of one that dies is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections import deque

from laminar.errors import LaminarError, PlacementError
from laminar.executors.docker import creation, orders
from laminar.executors.docker.cold import Box
from laminar.executors.docker.contract import StoppedError
from laminar.executors.docker.creation import Wanted
from laminar.executors.docker.leftovers import listed
from laminar.executors.docker.locks import LOCK, alone, lock_on
from laminar.host import leftovers as private
from laminar.model.action import Ended
from laminar.model.ids import new_run_id
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from laminar.executors.docker.contract import Job, SessionContract
    from laminar.executors.docker.orders import End
    from laminar.model.placement import Placement
    from laminar.model.policies import Resources, ReusePolicy

#: Seconds beyond the grace that the first process of a container has to kill an attempt, before all of it is killed.
SLACK = 5.0


class IdledOutError(LaminarError):
    """A warm container ended for want of work before it had seen an order."""


class Warm:
    """A container that is kept."""

    def __init__(self, session: SessionContract, folder: str, lock: int) -> None:
        """Take a container whose folder is locked.

        Args:
            session: Who holds it.
            folder: Its folder, named like it.
            lock: Handle of the lock.
        """
        self.name = os.path.basename(folder)
        self.folder = folder
        self.live = 0
        self.doomed = False
        self.ours = False
        self._session = session
        self._lock = lock
        self._ready = False
        self._placing = asyncio.Lock()
        self._gone: asyncio.Future[None] | None = None

    @property
    def code_folder(self) -> str:
        """Where this machine keeps the code that the container sees in its workdir."""
        return os.path.join(self.folder, "code")

    async def gone(self, box: Box) -> None:
        """Wait until the container has stopped; asked of the engine once for all who wait."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(Box.gone(box))
        await asyncio.shield(self._gone)

    @property
    def usable(self) -> bool:
        """Whether it runs, as far as is known."""
        return not self.doomed and not (self._gone is not None and self._gone.done())

    def note(self, *what: object) -> None:
        """Tell its first process something."""
        orders.leave_note(self.folder, *what)

    def take_over(self, run: str) -> None:
        """Hold the container for a run, and end the attempts that another run has left in it: nobody waits for them.

        Args:
            run: What the labels of the run begin with.
        """
        before = orders.read_holder(self.folder)
        self._ready = before == f"{run}{self._session.code_digest}"
        self.ours = before is not None and before.startswith(run)
        if before is not None and not self.ours:
            self.note("leave", before.rpartition("/")[0] + "/")

    async def put_code(self, run: str) -> None:
        """Put the user's code where the container sees it, in place of that of the run before.

        Args:
            run: What the labels of the run begin with.
        """
        async with self._placing:
            if not self._ready:
                await self._replace_code(run)

    async def _replace_code(self, run: str) -> None:
        digest = self._session.code_digest
        orders.write_holder(self.folder, run)
        if digest:
            if os.path.islink(self.code_folder):
                raise PlacementError(
                    f"A layer has put a link in the place of {self.code_folder}, where the next code would go. Remove "
                    f"the container: docker rm --force {self.name}"
                )
            for name in os.listdir(self.code_folder):
                private.remove(os.path.join(self.code_folder, name))
            await self._session.place_code(self.code_folder)
        orders.write_holder(self.folder, f"{run}{digest}")
        self._ready = True

    def let_go(self) -> None:
        """Leave the container to whoever wants it next; without work, it ends by itself."""
        if self._gone is not None:
            self._gone.cancel()
        os.close(self._lock)

    async def remove(self) -> None:
        """Kill and remove it, with its folder."""
        self.doomed = True
        await Box(self._session, self.name, os.path.join(self.folder, "none"), None).remove()
        private.remove(self.folder)


class Stay(Box):
    """An attempt in a warm container, as a container of its own would be."""

    #: The engine does not forget those of attempts before.
    tells_memory_kills = False

    def __init__(self, session: SessionContract, warm: Warm, manifest: str, left: Callable[[], None]) -> None:
        """Name an attempt in a container; it takes room there from :meth:`enter` on.

        Args:
            session: Whose it is.
            warm: The container.
            manifest: Path of the attempt's manifest.
            left: Is told when the room is free again.
        """
        super().__init__(session, warm.name, manifest, None)
        self._warm = warm
        self._left = left
        self._inside = False
        self._watching: asyncio.Future[None] | None = None

    def enter(self) -> None:
        """Take room in the container, once."""
        self._warm.live += not self._inside
        self._inside = True

    def leave(self) -> None:
        """Give back the room, once."""
        self._warm.live -= self._inside
        self._inside = False
        self._left()

    def _rest(self, idle: bool) -> None:
        """Let others have the room while the attempt only waits for them; it goes on at once all the same."""
        (self.leave if idle else self.enter)()

    async def finish(self, job: Job) -> Ended:
        """Wait for the end of the attempt, stop it when that is asked, and give back its room.

        Raises:
            IdledOutError: It had not begun.
        """
        self.enter()
        job.rest = self._rest
        try:
            return await super().finish(job)
        finally:
            self.leave()

    def watch(self) -> None:
        """Give back the room once the attempt has ended: others may wait for it before this one is asked for."""
        self._watching = asyncio.ensure_future(self._leave_at_its_end())

    async def _leave_at_its_end(self) -> None:
        with contextlib.suppress(Exception):  # who asks for the attempt is told
            await self.seen()
        self.leave()

    async def gone(self) -> None:
        """Wait until the container has stopped."""
        await self._warm.gone(self)

    async def stop(self, job: Job) -> None:
        """Once it is asked for: have the attempt stopped; kill the container if that is not done in time."""
        await job.stopped.wait()
        self._ask_to_stop(job.grace)
        if job.grace > 0:
            await job.grace_is_over()
            self._ask_to_stop(0.0)
        await asyncio.sleep(SLACK)
        self._warm.doomed = True
        await self.kill_until_gone()

    def _ask_to_stop(self, grace: float) -> None:
        self._warm.note("stop", orders.order_path(self.manifest), grace)

    async def ended(self, job: Job, end: End | None) -> Ended:
        """Tell how the attempt ended.

        Raises:
            IdledOutError: It had not begun.
        """
        if end is None:
            self._warm.doomed = True
            state = await self.state()
            if not job.watch.stopped and state.get("ExitCode") == 0:
                self._session.chore(self._warm.remove())
                raise IdledOutError(f"container {self.name} had no work for too long")
        return await super().ended(job, end)

    async def remove(self) -> None:
        """Forget the attempt; one that lives is killed, and if that cannot be done in time, the container with it."""
        ended = False
        with contextlib.suppress(OSError):  # it cannot be told anything, as on a full disk
            ended = await self._ended_by_force()
        if not ended:
            await self._warm.remove()
        orders.forget(self.manifest)
        self.leave()

    async def _ended_by_force(self) -> bool:
        """Have the attempt killed unless it has ended; tell whether it has."""
        if self._warm.usable and orders.read_end(self.manifest) is None:
            self._ask_to_stop(0.0)
            began = time.monotonic()
            while self._warm.usable and orders.read_end(self.manifest) is None and time.monotonic() < began + SLACK:
                await asyncio.sleep(orders.patience(time.monotonic() - began))
        return orders.read_end(self.manifest) is not None


class Pool:
    """Containers of one kind."""

    def __init__(self, pools: Pools, wanted: Wanted, key: str, policy: ReusePolicy) -> None:
        """Begin with the containers of that kind that are up already."""
        self._pools = pools
        self._wanted = wanted
        self._key = key
        self._policy = policy
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._starting = 0
        self.boxes: list[Warm] = []

    async def fill(self) -> None:
        """Start the fewest that there must be."""
        fewest, most = self._policy.bounds()
        self._look_around(most)
        missing = fewest - len(self.boxes) - self._starting
        await asyncio.gather(*(self._start() for _ in range(missing)))

    def _look_around(self, most: int) -> None:
        """Forget containers that are gone, and take such as are up from before."""
        self.boxes = [box for box in self.boxes if box.usable]
        self.boxes += self._pools.idle(self._key, most - len(self.boxes) - self._starting)

    async def acquire(self, job: Job) -> Warm | None:
        """Get a container with room for an attempt; None if that was stopped while it waited."""
        _, most = self._policy.bounds()
        while not job.stopped.is_set():
            self._look_around(most)
            free = [box for box in self.boxes if box.live < self._policy.concurrency]
            box = min(free, key=lambda box: box.live, default=None)
            if box is None and len(self.boxes) + self._starting < most:
                box = await self._start()
            if box is not None:
                return box
            await self._room(job)
        return None

    async def _room(self, job: Job) -> None:
        """Wait until a container may have room, or the attempt is stopped."""
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(room)
        stopped = asyncio.ensure_future(job.stopped.wait())
        both: set[asyncio.Future[Any]] = {room, stopped}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if room in self._waiting:
                self._waiting.remove(room)
            elif job.stopped.is_set():
                self.wake()

    def wake(self) -> None:
        """Let one that waits look for room again."""
        if self._waiting:
            self._waiting.popleft().set_result(None)

    async def _start(self) -> Warm:
        self._starting += 1
        try:
            box = await self._pools.start(self._wanted, self._key, self._policy)
            self.boxes.append(box)
            return box
        finally:
            self._starting -= 1
            for _ in range(self._policy.concurrency):
                self.wake()


class Pools:
    """The warm containers of a session."""

    def __init__(self, session: SessionContract) -> None:
        """Begin with none."""
        self._session = session
        self._pools: dict[str, Pool] = {}
        self._idle: dict[str, list[Warm]] = {}
        self._held: dict[str, Warm] = {}

    @property
    def _run(self) -> str:
        """What the labels of this run begin with, whoever holds it."""
        return self._session.host.label.rpartition("/")[0] + "/"

    @property
    def _folder(self) -> str:
        return os.path.join(self._session.host.state, ".warm")

    async def find(self) -> None:
        """Take the warm containers that are up and that nobody holds; clear what is left of dead ones."""
        if not os.path.isdir(self._folder):
            return
        rows = await listed(self._session, creation.POOL)
        for name, box in await self._take_all(rows):
            if name in rows and rows[name][1]:
                box.take_over(self._run)
                self._idle.setdefault(rows[name][0][creation.POOL], []).append(box)
            else:
                del self._held[name]
                box.let_go()
                self._session.chore(box.remove())

    async def _take_all(self, listed: Iterable[str]) -> list[tuple[str, Warm]]:
        """Take what nobody holds: folders of containers, and containers that have lost theirs.

        Args:
            listed: Names of the containers that there were before.
        """
        async with alone(self._folder):
            names = {name for name in os.listdir(self._folder) if name != LOCK}
            taken = [(name, self._take(name)) for name in sorted(names)]
        for name in set(listed) - names:
            self._session.chore(Box(self._session, name, os.path.join(self._folder, "none"), None).remove())
        return [(name, box) for name, box in taken if box is not None]

    def _take(self, name: str) -> Warm | None:
        folder = os.path.join(self._folder, name)
        lock = lock_on(folder)
        if lock is None:
            return None
        box = self._held[name] = Warm(self._session, folder, lock)
        return box

    async def _make(self, name: str) -> Warm:
        """Make the folder of a container, which nobody else takes for a dead one's meanwhile."""
        os.makedirs(self._folder, 0o700, exist_ok=True)
        async with alone(self._folder):
            os.makedirs(os.path.join(self._folder, name, "code"), 0o700)
            box = self._take(name)
        assert box is not None
        return box

    def idle(self, key: str, most: int) -> list[Warm]:
        """Give containers of a kind that were up before, each once, up to a number."""
        found = self._idle.get(key, [])
        taken = [found.pop() for _ in range(min(most, len(found)))]
        return [box for box in taken if box.usable]

    def _left(self) -> None:
        """Hear that room is free again."""
        for pool in self._pools.values():
            pool.wake()

    def stay(self, placed: orders.Placed) -> Stay | None:
        """Give the attempt of an earlier scheduler in a container that is up.

        Whether that scheduler came to tell the container of it is not known, so the container is told again.
        """
        box = self._held.get(placed.container)
        if box is None or not box.ours:
            return None  # another run has, or has had, the container, and has ended what was in it
        stay = Stay(self._session, box, placed.manifest, self._left)
        stay.enter()
        box.note("start", f"{self._run}{placed.key.epoch}", orders.order_path(placed.manifest))
        stay.watch()
        return stay

    async def fill(self) -> None:
        """Start the fewest containers that the layers' policies ask for."""
        for placement, resources in self._session.host.places:
            policy = self._session.policy(placement)
            if policy is not None and policy.bounds()[0]:
                await (await self._pool(placement, resources, policy)).fill()

    async def run(self, job: Job, image: str, policy: ReusePolicy, digest: str) -> Ended:
        """Run an attempt in a container with room for it."""
        request = job.request
        while True:
            pool = await self._pool(request.placement, request.resources, policy, image)
            box = await pool.acquire(job)
            if box is None or job.stopped.is_set():
                return Ended(request.key, Outcome.CANCELLED, detail="it was stopped before it had a container")
            try:
                return await self._run_in(box, job, digest)
            except IdledOutError:
                continue

    async def _run_in(self, box: Warm, job: Job, digest: str) -> Ended:
        session, request = self._session, job.request
        stay = Stay(session, box, request.manifest, self._left)
        stay.enter()  # before anything is waited for, so that no other takes the room
        try:
            await box.put_code(self._run)
            if job.stopped.is_set():
                raise StoppedError("it was stopped before it had begun")
            order = session.write_order(request)
            session.note_placed(request, digest, box.name, kept=True)
            box.note("start", session.host.label, order)
            session.tell_start(job)
            return await stay.finish(job)
        finally:
            stay.leave()

    async def _pool(
        self, placement: Placement, resources: Resources, policy: ReusePolicy, image: str | None = None
    ) -> Pool:
        """Give the pool of containers that are alike in all that the engine is asked for, and kept by one policy."""
        session = self._session
        name = image or await session.image_of(placement)
        wanted = Wanted(
            image=name,
            arguments=["serve", str(policy.idle_ttl)],
            workdir=placement.workdir,
            code="code" if session.code_digest else None,
            env=placement.env or {},
            resources=resources,
            labels={},
        )
        exact = await session.image_id(name)
        described = session.body(wanted.replace(code=None)), wanted.code, exact, policy.bounds(), policy.concurrency
        key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
        if key not in self._pools:
            self._pools[key] = Pool(self, wanted, key, policy)
        return self._pools[key]

    async def start(self, wanted: Wanted, key: str, policy: ReusePolicy) -> Warm:
        """Start a container of a kind.

        Raises:
            DockerError: The engine refuses; nothing is left of it.
        """
        name = creation.name_of("warm", new_run_id()[-12:])
        box = await self._make(name)
        folder = box.folder
        box.take_over(self._run)
        session = self._session
        wanted = wanted.replace(
            arguments=["serve", folder, str(policy.idle_ttl), session.host.entry.loader.partition(":")[0]],
            code=None if wanted.code is None else box.code_folder,
            labels={creation.INSTALLATION: session.installation, creation.POOL: key},
        )
        try:
            await Box(session, name, os.path.join(folder, "none"), None).create(wanted)
        except BaseException:
            del self._held[name]
            box.let_go()
            private.remove(folder)
            raise
        return box

    async def close(self) -> None:
        """Let go of those without work, which end by themselves; remove those that still have some."""
        for box in self._held.values():
            if box.live:
                await box.remove()
            elif box.usable and os.path.isdir(box.folder):
                box.note("leave", self._run)
            box.let_go()
