"""The Docker executor at work: an event loop in a thread of its own, to which the engine's calls are passed on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import pickle
import threading

import aiodocker

from laminar.containers.engine import UNREACHABLE, Engine, connected, running_in
from laminar.errors import EngineError, EngineNotReachableError, LaminarError, PlacementError, StorageError
from laminar.executors.contract import Session
from laminar.executors.docker import creation, misfits, orders
from laminar.executors.docker.cold import Box
from laminar.executors.docker.contract import Job
from laminar.executors.docker.creation import Mounts, Wanted
from laminar.executors.docker.leftovers import Leftovers
from laminar.executors.docker.pools import IdledOutError, Pools
from laminar.executors.outcomes import Watch
from laminar.host import files
from laminar.model.action import Attempt, Ended, SessionLost, SessionReady, Started
from laminar.model.ids import new_run_id
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from typing import Any

    from laminar.executors.contract import Host, Packed
    from laminar.executors.docker.settings import Settings
    from laminar.model.action import Request
    from laminar.model.ids import AttemptKey
    from laminar.model.placement import Placement
    from laminar.model.policies import ReusePolicy


class DockerSession(Session):
    """Containers of one run."""

    tells_start = True

    def __init__(self, host: Host, settings: Settings) -> None:
        """Start the thread; it delivers :class:`SessionReady` once images and code are ready."""
        self.capacity = 0
        self.host = host
        self.settings = settings
        self.engine: Engine
        self.mounts: Mounts
        self._hosts: Mapping[str, str] = {}
        self._packed: Packed
        self._own: Mapping[str, Any] | None = None
        self._images: dict[Any, asyncio.Task[str]] = {}
        self._ids: dict[str, str] = {}
        self._jobs: dict[AttemptKey, Job] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._leftovers: Leftovers | None = None
        self.pools = Pools(self)
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="laminar-containers")
        self._thread.start()

    # From the engine's thread

    def start(self, request: Request) -> None:
        """Start a container for an attempt, or hand the attempt to one that is warm."""
        self._loop.call_soon_threadsafe(self._begin, request)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Ask a container to stop, and kill it after the grace."""
        self._loop.call_soon_threadsafe(self._stop, key, grace)

    def idle(self, key: AttemptKey, *, idle: bool) -> None:
        """Let others into a warm container while an attempt there only waits for them."""
        self._loop.call_soon_threadsafe(self._idle, key, idle)

    def close(self) -> None:
        """Remove the containers of this run, and let warm ones go that have no work."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    # In the thread of the loop

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        try:
            async with connected(self.settings.engine) as self.engine:
                main = asyncio.ensure_future(self._serve())
                closing = asyncio.ensure_future(self._closing.wait())
                await asyncio.wait({main, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not main.done():
                    main.cancel()
                await asyncio.gather(main, return_exceptions=True)
                await self._end()
                if not main.cancelled():
                    main.result()
        except Exception as error:
            self.host.deliver(SessionLost(self.explain(error)))
            await self._closing.wait()

    async def _serve(self) -> None:
        await self._prepare()
        self.capacity = self.settings.concurrency
        self.host.deliver(SessionReady())
        await self._closing.wait()

    async def _prepare(self) -> None:
        """See that all that is known of can be had, before the first attempt."""
        assert self.host.packaging is not None
        self._own = await running_in(self.engine)
        self.mounts = Mounts(self.host.mounts, self.settings.mounts, self._own)
        style = self.settings.copy_style or ("loaded_modules" if self._own is None else "none")
        self._packed = self.host.packaging.code(self.host.code, style)
        self._hosts = await self._host_names()
        creation.refuse_out_of_reach(self.host.server, self.settings.network)
        await creation.refuse_no_network(self.settings.network, self.engine)
        for _, resources in self.host.places:
            creation.refuse_too_much(resources, self.engine, self.host.state)
        await self.pools.find()
        self._leftovers = await Leftovers.found(self, self.pools.stay)
        await asyncio.gather(*(self.image_of(placement) for placement, _ in self.host.places))
        await self.pools.fill()

    async def _host_names(self) -> dict[str, str]:
        """Give the host names that containers know; Podman cannot tell this machine's address by itself."""
        wanted = {"host.docker.internal": "host-gateway", **self.settings.extra_hosts}
        if self.settings.network == "host":
            wanted["host.docker.internal"] = "127.0.0.1"
        if self.engine.podman and "host-gateway" in wanted.values():
            network = await self.engine.client.networks.get("bridge")
            ranges = (await network.show())["IPAM"].get("Config") or [{}]
            here = ranges[0].get("Gateway")  # a rootless engine may have none
            wanted = {name: here if at == "host-gateway" else at for name, at in wanted.items()}
        return {name: at for name, at in wanted.items() if at}

    def _wanted_image(self, placement: Placement) -> Any:
        if placement.image is not None:
            return placement.image
        if self.settings.image is not None:
            return self.settings.image
        return None if self._own is None else self._own["Image"]

    async def image_of(self, placement: Placement) -> str:
        """Give the name of the image of a placement, which the engine then has; asked for once, built once.

        Raises:
            ImageError: It cannot be had.
        """
        assert self.host.packaging is not None
        wanted = self._wanted_image(placement)
        if self._packed.digest:
            creation.refuse_hidden(wanted, placement.workdir)
        known = self._images.get(wanted)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            making = self.host.packaging.image(self.engine.client, wanted, self.host.tell)
            self._images[wanted] = asyncio.ensure_future(making)
        return await asyncio.shield(self._images[wanted])

    async def image_id(self, name: str) -> str:
        """Give the id of an image, which is another once its name means another."""
        if name not in self._ids:
            self._ids[name] = (await self.engine.client.images.inspect(name))["Id"]
        return self._ids[name]

    def _begin(self, request: Request) -> None:
        job = self._jobs[request.key] = Job(request)
        _keep(self._attempts, self._loop.create_task(self._attempt(job)))

    def chore(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; the session ends after it, and people are told if it fails."""
        _keep(self._chores, self._loop.create_task(self._told(work)))

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.host.tell(f"Clearing away containers failed: {type(error).__name__}: {error}")

    def _stop(self, key: AttemptKey, grace: float) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.stop(grace)

    def _idle(self, key: AttemptKey, idle: bool) -> None:
        job = self._jobs.get(key)
        if job is not None and job.rest is not None:
            job.rest(idle)

    async def _attempt(self, job: Job) -> None:
        """Run an attempt, whatever happens; its end is delivered exactly once."""
        request = job.request
        try:
            ended = await self._run(job)
        except Exception as error:
            ended = self.refusal(job, error)
        except asyncio.CancelledError:
            job.watch.stopped = True
            ended = Ended(request.key, Outcome.CANCELLED, detail="its container was removed")
        del self._jobs[request.key]
        self._hint(ended)
        self.host.deliver(ended)

    def _hint(self, ended: Ended) -> None:
        """Say why a file may be missing that is there where the scheduler runs."""
        failure = ended.manifest.failure if ended.manifest is not None else None
        if failure is not None and failure.type_name == "builtins.FileNotFoundError" and self._packed.digest:
            self.host.tell(
                f"{ended.key.action} lacks a file. Of the user's files, containers have the Python files of the flow, "
                "unless Docker(copy_style='all') or Docker(mounts=…) say more."
            )

    async def _run(self, job: Job) -> Ended:
        request = job.request
        image = await job.unless_stopped(self.image_of(request.placement))
        creation.refuse_too_much(request.resources, self.engine, self.host.state)
        digest = self._digest(request, await self.image_id(image))
        assert self._leftovers is not None
        box = await self._leftovers.take(job, digest)
        policy = self.policy(request.placement)
        if box is not None:
            self.tell_start(job, f"is taken back: it runs in container {box.name} since before")
            with contextlib.suppress(IdledOutError):
                return await box.finish(job)
            job.watch = Watch(request, limited=True)  # of the attempt that was taken back nothing had begun
        if policy is not None:
            return await self.pools.run(job, image, policy, digest)
        box = await self._start(job, image, digest)
        self.tell_start(job)
        return await box.finish(job)

    def policy(self, placement: Placement) -> ReusePolicy | None:
        """Tell how warm a container is kept; one that the user has given a command is not."""
        return None if placement.command is not None else placement.reuse or self.settings.reuse

    def tell_start(self, job: Job, detail: str = "") -> None:
        """Tell that an attempt runs from now on."""
        self.host.deliver(Started(job.request.key, detail))

    async def _start(self, job: Job, image: str, digest: str) -> Box:
        """Start a container for one attempt."""
        request = job.request
        key = request.key
        folder = None
        if self._packed.digest:
            folder = f"{request.manifest}.code"
            os.mkdir(folder, 0o700)
            await self.place_code(folder)
        order = self.write_order(request)
        which = f"{key.action.run[-8:]}-{new_run_id()[-8:]}"  # an id may end as another run's does
        name = creation.name_of(key.action.space, key.action.name, key.action.index, key.number, which)
        wanted = Wanted(
            image=image,
            arguments=["once", order],
            workdir=request.placement.workdir,
            code=folder,
            env=request.placement.env or {},
            resources=request.resources,
            labels=self.labels({creation.ACTION: str(key.action), creation.ATTEMPT: str(key.number)}),
        )
        box = Box(self, name, request.manifest, folder)
        self.note_placed(request, digest, name, kept=False)
        await box.create_for(job, wanted)
        return box

    async def place_code(self, folder: str) -> None:
        """Put the user's code into an empty folder, in a thread; who is cancelled waits for its end all the same."""
        placing = asyncio.ensure_future(asyncio.to_thread(self._packed.place, folder))
        try:
            await asyncio.shield(placing)
        except asyncio.CancelledError:
            await asyncio.wait({placing})
            raise

    def write_order(self, request: Request) -> str:
        """Write the order of an attempt; gives its path."""
        code = self._packed.code(request.placement.workdir)
        return orders.write_order(Attempt(code, self.host.entry, request))

    def note_placed(self, request: Request, digest: str, container: str, *, kept: bool) -> None:
        """Write down where an attempt runs, for a scheduler that takes over."""
        engine = self.engine.address
        placed = orders.Placed(request.key, digest, container, kept, request.log, request.manifest, engine)
        orders.write_placed(placed)

    def labels(self, more: Mapping[str, str]) -> dict[str, str]:
        """Give the labels of a container of this run."""
        run, flow, installation, epoch = self.host.label.split("/")
        own = {creation.FLOW: flow, creation.RUN: run, creation.EPOCH: epoch}
        return {creation.INSTALLATION: installation, **own, **more}

    @property
    def code_digest(self) -> str:
        """Hash of the user's code."""
        return self._packed.digest

    @property
    def installation(self) -> str:
        """Where this scheduler's ledger lies, as a hash."""
        return self.host.label.split("/")[2]

    def body(self, wanted: Wanted) -> dict[str, Any]:
        """Give the body of the request that makes a container."""
        return creation.body(wanted, self.settings, self.engine, self.mounts, self._hosts)

    def _digest(self, request: Request, image: str) -> str:
        """Hash all that decides what an attempt does, but for which try it is."""
        placement = request.placement
        what = (request.payload, self._packed.digest, image, placement.command, placement.env, placement.workdir)
        return hashlib.sha256(pickle.dumps((*what, vars(request.resources)), 5)).hexdigest()

    def refusal(self, job: Job, error: BaseException) -> Ended:
        """Give the end of an attempt that could not be started."""
        if job.stopped.is_set():
            return Ended(job.request.key, Outcome.CANCELLED, detail="it was stopped before it had a container")
        return Ended(job.request.key, Outcome.REFUSED, detail=str(error), error=self.explain(error))

    def explain(self, error: BaseException) -> BaseException:
        """Give an error of laminar's for what the engine or the way to it has said."""
        if isinstance(error, LaminarError):
            return error
        if isinstance(error, aiodocker.DockerError):
            return _explained(error.message, self.engine.address)
        if isinstance(error, UNREACHABLE):
            reason = str(error) or type(error).__name__
            return EngineNotReachableError(
                f"The container engine at {self.engine.address} stopped answering: {reason}. "
                "Start it again, and resume."
            )
        if isinstance(error, OSError) and error.filename is not None:
            reason = error.strerror or type(error).__name__
            return StorageError(f"Could not write {error.filename}: {reason}.{files.room(error.filename)}")
        return error

    async def _end(self) -> None:
        """Remove what still runs, and wait until all is gone."""
        for task in (*self._attempts, *self._images.values()):
            task.cancel()
        await asyncio.gather(*self._attempts, *self._images.values(), return_exceptions=True)
        if self._leftovers is not None:
            await self._leftovers.close()
        await self.pools.close()
        while self._chores:
            await asyncio.gather(*self._chores)
        await self._end_the_rest()

    @staticmethod
    async def _end_the_rest() -> None:
        """End what goes on for nobody, such as a build or a pull: left alone, it would outlive the run."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


def _keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _explained(message: str, address: str) -> LaminarError:
    if misfits.found_none(message):
        return misfits.without_python(message)
    if "bind source path does not exist" in message:
        return PlacementError(
            f"The engine at {address} does not see a folder that its containers need; it may run on another machine, "
            f"or this scheduler in a container without that folder. The engine says: {message}"
        )
    return EngineError(f"The container engine at {address} refused: {message}")
