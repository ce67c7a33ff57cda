"""Finding the container engine, and talking to it over its HTTP API.

Docker's API, which Podman answers too (https://docs.docker.com/reference/api/engine/), spoken by aiodocker.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager

import aiodocker
import aiohttp

from laminar.errors import EngineError, EngineNotReachableError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

#: Seconds in which an engine must answer a first question.
PATIENCE = 8.0
#: Seconds in which an engine must begin to answer anything else, but for what may take long.
ANSWER = 30.0
#: How the paths of requests end whose answer may begin as late as it likes.
LATE = ("/wait", "/logs", "/push", "build", "images/create", "images/load")
#: What the client raises where nobody answers, or the answer breaks off.
UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError)


class _Client(aiodocker.Docker):
    """The client, but that it gives up an engine that says nothing, and tells one that is away from one that refuses.

    aiodocker waits for ever, and raises DockerError for both.
    """

    async def _do_query(self, path: Any, *arguments: Any, **options: Any) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(None if str(path).endswith(LATE) else ANSWER):
                return await super()._do_query(path, *arguments, **options)
        except aiodocker.DockerError as error:
            if isinstance(error.__context__, aiohttp.ClientConnectionError):
                raise error.__context__ from None
            raise


class Engine(Value, frozen=True):
    """A container engine that has answered.

    Attributes:
        client: The connection to it.
        address: Where it answers.
        podman: Whether it is Podman.
        cpus: Processors that it has.
        memory: Megabytes of memory that it has.
        rootless: Whether it runs as the user, so that root in a container is the user outside.
        selinux: Whether it confines containers by SELinux, which keeps them from folders of the user.
        gpus: Whether it can give NVIDIA GPUs to containers.
    """

    client: aiodocker.Docker
    address: str
    podman: bool
    cpus: int
    memory: float
    rootless: bool
    selinux: bool
    gpus: bool


@asynccontextmanager
async def connected(address: str | None = None) -> AsyncIterator[Engine]:
    """Connect to an engine.

    Args:
        address: Where it answers, such as ``unix:///var/run/docker.sock``; by default what ``DOCKER_HOST``, the
            current Docker context or ``CONTAINER_HOST`` names, else the first socket of Docker or Podman that is there.

    Raises:
        EngineNotReachableError: There is none, or it does not answer.
    """
    where = address or find()
    try:
        client = _Client(url=where)
    except (*UNREACHABLE, OSError, ValueError, aiodocker.DockerError) as error:
        raise _unreachable(where, error) from None
    async with client:
        yield await _ask(client, where or client._connection_info)


async def _ask(client: aiodocker.Docker, address: str) -> Engine:
    try:
        async with asyncio.timeout(PATIENCE):
            about = await client.system.info()
    except aiodocker.DockerError as error:
        raise EngineError(f"The container engine at {address} refused to say what it is: {error.message}") from error
    except UNREACHABLE as error:
        raise _unreachable(address, error) from None
    security = " ".join(map(str, about.get("SecurityOptions") or ()))
    runtimes = about.get("Runtimes") or {}
    return Engine(
        client=client,
        address=address,
        podman="BuildahVersion" in about,  # what Podman builds with
        cpus=int(about.get("NCPU") or 0),
        memory=float(about.get("MemTotal") or 0) / 1e6,
        rootless="rootless" in security,
        selinux="selinux" in security,
        gpus="nvidia" in runtimes or bool(about.get("CDISpecDirs")),
    )


def find() -> str | None:
    """Find the address of the engine; None leaves it to the current Docker context.

    Raises:
        EngineNotReachableError: There is no sign of one.
    """
    for name in ("DOCKER_HOST", "CONTAINER_HOST"):
        if os.environ.get(name):
            return os.environ[name]
    if _context():
        return None
    for path in sockets():
        if os.access(path, os.R_OK | os.W_OK):
            return f"unix://{path}"
    raise _unreachable(None, None)


def _context() -> str | None:
    """Name the Docker context in use, unless it is the default one."""
    name = os.environ.get("DOCKER_CONTEXT")
    if name is None:
        folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        try:
            with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
                name = json.load(file).get("currentContext")
        except (OSError, ValueError):
            return None
    return name if name != "default" else None


def sockets() -> list[str]:
    """List where engines listen: Docker, rootless Docker, Docker Desktop, rootless Podman, Podman."""
    own = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [
        "/var/run/docker.sock",
        f"{own}/docker.sock",
        os.path.expanduser("~/.docker/run/docker.sock"),
        f"{own}/podman/podman.sock",
        "/run/podman/podman.sock",
    ]


def _unreachable(address: str | None, error: BaseException | None) -> EngineNotReachableError:
    remedy = (
        "Start Docker (systemctl start docker, or Docker Desktop) or Podman (systemctl --user start podman.socket), "
        "or name its socket by DOCKER_HOST=unix:///path/to.sock."
    )
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    closed = [path for path in sockets() if os.path.exists(path)] if error is None else [address or "its context"]
    if closed and isinstance(cause, (PermissionError, type(None))):
        return EngineNotReachableError(
            f"This user may not use the container engine at {closed[0]}. Add the user to the group of that socket "
            f"(usermod -aG docker {os.environ.get('USER', 'USER')}, then log in again), or use a rootless engine."
        )
    if cause is not None:
        reason = (isinstance(cause, OSError) and cause.strerror) or str(cause) or "it does not answer"
        where = address or "its context"
        return EngineNotReachableError(f"No container engine answers at {where}: {reason.rstrip('.')}. {remedy}")
    return EngineNotReachableError(f"There is no container engine: no DOCKER_HOST, and no socket of one. {remedy}")


async def running_in(engine: Engine) -> dict[str, Any] | None:
    """Describe the container that this process runs in; None if it is in none that the engine knows.

    A container's host name is its id, unless it was given another; the mounts of its own files then tell the id.
    """
    for candidate in _own_ids():
        try:
            found: dict[str, Any] = await (engine.client.containers.container(candidate)).show()
        except aiodocker.DockerError:
            continue
        if str(found["Id"]).startswith(candidate):
            return found
    return None


def _own_ids() -> list[str]:
    if not any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv"))):
        return []
    found = [os.uname().nodename]
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            for line in file:
                for part in line.split()[3].split("/"):
                    if len(part) == 64 and part not in found:
                        found.append(part)
    except OSError:
        pass
    return found
