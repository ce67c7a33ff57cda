"""Agents in containers: each is the first process below the init of one, and its attempts are forks beside it.

A container is given nothing but the address of the server, the agent's token, and an empty folder for the code: no
folder of this machine, no socket, no credentials. It outlives the server, and the next one finds it by its labels.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import threading

import aiodocker
import msgspec

from laminar.containers import ends
from laminar.containers.engine import UNREACHABLE, Engine, connected
from laminar.errors import EngineError, EngineNotReachableError, LaminarError
from laminar.executors.docker import creation, misfits
from laminar.executors.docker.creation import Mounts, Wanted
from laminar.model.placement import WORKDIR
from laminar.model.value import Value
from laminar.server import logs
from laminar.server.launchers import workdirs
from laminar.server.launchers.contract import Launcher
from laminar.server.launchers.images import Images
from laminar.server.pools import Gone, Handle, Pool
from laminar.wire.specs import LAYER, ResourcesSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from typing import Any

    from laminar.server.pools import Told
    from laminar.wire.specs import EntitySpec

#: Labels of agents' containers: whose they are, who is in them, and what that runs.
SERVER, AGENT, SPACE = "laminar.server", "laminar.agent", "laminar.space"
PROGRAM = creation.beginning("laminar.worker.agent")
#: Seconds that an agent has to end by itself, once it is to leave.
LEAVING = 5.0
#: Seconds after which a container that is still there is killed again.
AGAIN = 1.0
#: Seconds to wait before an agent that an engine could not take, since it was away, is started again.
AWAY = 3.0
#: State of a container whose processes live.
RUNNING = "running"


class Confinement(Value):
    """What all containers are held to; see :class:`laminar.executors.docker.settings.Confinement`."""

    network: str | None = None
    pids_limit: int = 4096


CONFINEMENT = Confinement()


class Containers(Launcher):
    """Starts agents in containers. Used from any thread; it speaks to the engine in one of its own."""

    keeps_ready = True

    def __init__(self, url: str, server: str, folder: str, address: str | None = None) -> None:
        """Connect to the engine, and see what a server before has left.

        Args:
            url: Where containers reach the server.
            server: Name of the server.
            folder: For the output of builds.
            address: Address of the engine; by default that of the first that answers.

        Raises:
            EngineNotReachableError: None answers.
        """
        self._url = url
        self._server = server
        self._folder = folder
        self._address = address
        self._engine: Engine
        self._images: Images
        self._before: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._work, daemon=True, name="laminar-containers")
        os.makedirs(folder, exist_ok=True)
        self._thread.start()
        self._opened.result()

    # From other threads

    def pool(self, space: str, bundle: str, entity: EntitySpec, memory: float | None, single: str) -> Pool:
        """Share by code, image and resources, where the entity may be in a container that stays up."""
        resources = entity.resources.value()
        if memory is not None:
            resources = resources.replace(memory=memory)
        creation.refuse_too_much(resources, self._engine, self._folder)
        workdir = entity.workdir or WORKDIR
        workdirs.refuse_long(workdir)
        place = msgspec.json.encode(ResourcesSpec.of(resources)).decode()
        pool = Pool(
            space,
            bundle,
            image=entity.image or "",
            place=place,
            imports=() if bundle else (entity.module,),
            workdir=workdir,
            in_image=entity.in_image or not bundle,
            command=entity.command or "",
            env=_early(entity),
        )
        if entity.reusable is None or entity.command:
            return pool.replace(each=1, idle=0.0, single=single)
        policy = entity.reusable.value()
        fewest, most = policy.bounds()
        return pool.replace(fewest=fewest, agents=most, each=policy.concurrency, idle=policy.idle_ttl)

    def launch(self, id: str, token: str, pool: Pool, gone: Told) -> Handle:  # noqa: A002
        """Start a container, once its image is there."""
        box = _Box(self, id, gone)
        self.do(self._launched(box, token, pool))
        return box

    def left(self) -> set[str]:
        """Name the agents whose containers run since before."""
        return set(self._before)

    def find(self, id: str, gone: Told) -> Handle | None:  # noqa: A002
        """Find a container that runs since before."""
        container = self._before.pop(id, None)
        if container is None:
            return None
        box = _Box(self, id, gone)
        box.ready = True
        self.do(self._watched(box, container, ""))
        return box

    def close(self) -> None:
        """Leave all containers alone."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done in the thread of the loop."""
        self._loop.call_soon_threadsafe(self._begin, work)

    # In the thread of the loop

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except Exception as error:
            if self._opened.done():
                logs.mistake("the way to the container engine is lost", error)
            else:
                self._opened.set_exception(error)
        finally:
            self._loop.close()

    async def _main(self) -> None:
        async with connected(self._address) as self._engine:
            self._images = Images(self._engine, self._folder)
            self._before = await self._found()
            self._opened.set_result(None)
            await self._closing.wait()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    async def _found(self) -> dict[str, Any]:
        """Find the containers of a server before that run, by their agents; those that do not run are removed."""
        wanted = json.dumps({"label": [f"{SERVER}={self._server}"]})
        found: dict[str, Any] = {}
        rows: list[Any] = await self._engine.client.containers.list(all="true", filters=wanted)
        for row in rows:
            if row["State"] == RUNNING:
                found[row["Labels"][AGENT]] = row
            else:
                self._begin(self._remove(row))
        return found

    async def _launched(self, box: _Box, token: str, pool: Pool) -> None:
        """Start a container, and see it to its end."""
        made: asyncio.Future[Any] | None = None
        try:
            image = await box.unless_stopped(self._images.ready(pool.image))
            made = asyncio.ensure_future(self._create(box.id, token, pool, image))
            container = await asyncio.shield(made)
        except asyncio.CancelledError:
            if made is not None:
                await asyncio.gather(made, return_exceptions=True)  # the next server finds it
            if not self._closing.is_set():
                box.gone(Gone("it was stopped before it had a container"))
            return
        except Exception as error:
            if isinstance(error, UNREACHABLE):
                await asyncio.sleep(AWAY)
            box.gone(self._refused(error))
            return
        box.ready = True
        await self._watched(box, container, image)

    async def _create(self, id: str, token: str, pool: Pool, image: str) -> Any:  # noqa: A002
        """Make and start a container; nothing is left of one that does not start."""
        containers = self._engine.client.containers
        name = creation.name_of("agent", *pool.single.split("/"), id)
        body = self._body(id, token, pool, image)
        container: Any = await containers.create(body, name=name)
        try:
            if not pool.in_image:
                await container.put_archive("/", workdirs.owned(pool.workdir, body["User"]))
            await container.start()
        except BaseException:
            await asyncio.shield(self._remove(container))
            raise
        return container

    def _body(self, id: str, token: str, pool: Pool, image: str) -> dict[str, Any]:  # noqa: A002
        wanted = Wanted(
            image=image,
            arguments=[],
            workdir="/tmp",  # noqa: S108 - the one folder that every image has and every user may write
            code=None,
            env={
                **(json.loads(pool.env) if pool.env else {}),
                "LAMINAR_AGENT_SERVER": self._url,
                "LAMINAR_AGENT_TOKEN": token,
            },
            resources=msgspec.json.decode(pool.place, type=ResourcesSpec).value(),
            labels=_labels(self._server, id, pool),
            program=PROGRAM,
        )
        hosts = {} if self._engine.podman else {"host.docker.internal": "host-gateway"}
        body = creation.body(wanted, CONFINEMENT, self._engine, Mounts([], {}, None), hosts)
        if not pool.in_image:
            body["HostConfig"]["Mounts"] = [workdirs.volume(pool.workdir)]
        return body

    async def _watched(self, box: _Box, container: Any, image: str) -> None:
        """Wait for the end of a container, tell of it, and remove it."""
        ending, stopping = asyncio.ensure_future(ends.stopped(container)), asyncio.ensure_future(box.stopped.wait())
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                box.gone(Gone("it was stopped"))
            while not ending.done():  # the engine may be away, such as for a restart, and not hear of it
                await ends.kill(container)
                await asyncio.wait({ending}, timeout=AGAIN)
            await ending
            box.gone(await self._end(container, image))
        except asyncio.CancelledError:
            return  # the server ends, and the container goes on
        except Exception as error:
            box.gone(self._refused(error))
        finally:
            for waiting in (ending, stopping):
                waiting.cancel()
        await self._remove(container)

    async def _end(self, container: Any, image: str) -> Gone:
        """Say how a container has ended."""
        state = await ends.state_of(container)
        if not state:
            return Gone("its container was removed")
        code = int(state.get("ExitCode", -1))
        said = (await ends.output(container)).strip()
        if code == misfits.MISMATCH:
            return Gone(said, misfits.without_laminar(image, said))
        if code in misfits.UNSTARTED and not await ends.has_program(container, "python"):
            return Gone(said, misfits.without_python(said))
        if code == 128 + 9 and state.get("OOMKilled"):
            return Gone("the kernel killed its worker for memory", memory=True)
        why = f"its container ended with code {code}"
        return Gone(f"{why}; the last that it printed: {said}" if said else why)

    def _refused(self, error: Exception) -> Gone:
        """Say why there is no container."""
        if isinstance(error, LaminarError):
            return Gone(str(error), error)
        where = f"The container engine at {self._engine.address}"
        if isinstance(error, aiodocker.DockerError):
            if misfits.found_none(error.message):
                return Gone(error.message, misfits.without_python(error.message))
            return Gone(error.message, EngineError(f"{where} refused: {error.message}"))
        if isinstance(error, UNREACHABLE):
            reason = str(error) or type(error).__name__
            return Gone(str(EngineNotReachableError(f"{where} does not answer: {reason}. Start it again.")))
        logs.mistake("a container could not be started", error)
        return Gone(f"{type(error).__name__}: {error}")

    async def _remove(self, container: Any) -> None:
        refused = await ends.remove(container)
        if refused:
            logs.event("a container could not be removed", container=container.id[:12], reason=refused)

    def later(self, box: _Box) -> None:
        """Stop a container that has not ended by itself after a while."""
        self._loop.call_soon_threadsafe(self._loop.call_later, LEAVING, box.stopped.set)

    def now(self, box: _Box) -> None:
        """Stop a container."""
        self._loop.call_soon_threadsafe(box.stopped.set)


def _early(entity: EntitySpec) -> str:
    """Give the variables that a container has from its start, as JSON: those of layers, as on the user's machine."""
    return json.dumps(entity.env_vars, sort_keys=True) if entity.kind == LAYER and entity.env_vars else ""


def _labels(server: str, agent: str, pool: Pool) -> Mapping[str, str]:
    labels = {SERVER: server, AGENT: agent, SPACE: pool.space}
    if pool.single:
        run, name, index, number = pool.single.split("/")
        labels |= {creation.RUN: run, creation.ACTION: f"{name}[{index}]", creation.ATTEMPT: number}
    return labels


class _Box(Handle):
    """An agent's container, which may not be there yet."""

    def __init__(self, launcher: Containers, id: str, gone: Told) -> None:  # noqa: A002
        self.id = id
        self.ready = False
        self.stopped = asyncio.Event()
        self._launcher = launcher
        self._gone = gone
        self._told = False

    def stop(self) -> None:
        self._launcher.now(self)

    def leaves(self) -> None:
        self._launcher.later(self)

    def gone(self, how: Gone) -> None:
        """Tell of its end, once."""
        if not self._told:
            self._told = True
            self._gone(how)

    async def unless_stopped(self, work: Coroutine[Any, Any, str]) -> str:
        """Wait for something, but not once it is to stop.

        Raises:
            CancelledError: It is.
        """
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self.stopped.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise asyncio.CancelledError
            return await doing
        finally:
            for waiting in (doing, stopping):
                waiting.cancel()
