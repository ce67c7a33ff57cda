"""The end of a container: waited for, brought about, cleared away. Over HTTP, by an engine that may be away."""

from __future__ import annotations

import asyncio
import time

import aiodocker

from laminar.containers.engine import UNREACHABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Seconds that the engine may be away, such as for a restart, before what runs in it counts as lost.
ABSENCE = 10.0
#: Seconds between questions whether it is back.
GLANCE = 0.2
#: Seconds for which an engine is asked to remove a container that it refuses to remove.
INSISTENCE = 5.0
#: Where engines look for programs of an image that does not say.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Bytes of output that an error shows.
SHOWN = 2000


async def stopped(container: Any) -> None:
    """Wait until a container has stopped, or is no more, also over a restart of the engine.

    Raises:
        DockerError: The engine refuses to say.
        ClientError: It is away for too long.
    """
    deadline = 0.0
    while True:
        asked = time.monotonic()
        try:
            await container.wait()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return
            raise
        except UNREACHABLE:
            now = time.monotonic()
            if now - asked > ABSENCE or not deadline:
                deadline = now + ABSENCE  # it was there up to now
            if now > deadline:
                raise
            await asyncio.sleep(GLANCE)
        else:
            return


async def kill(container: Any, signal: str = "SIGKILL") -> None:
    """Send a container a signal; one that has ended takes none."""
    try:
        await container.kill(signal=signal)
    except (aiodocker.DockerError, *UNREACHABLE):
        return  # that it has ended is seen elsewhere


async def state_of(container: Any) -> dict[str, Any]:
    """Ask how a container is; empty if it is no more.

    Raises:
        DockerError: The engine refuses to say.
    """
    try:
        return dict((await container.show())["State"])
    except aiodocker.DockerError as error:
        if error.status != 404:
            raise
        return {}


async def output(container: Any) -> str:
    """Read the last that a container has printed; nothing if that cannot be read."""
    try:
        pieces = await container.log(stdout=True, stderr=True, tail=50)
    except (aiodocker.DockerError, *UNREACHABLE):
        return ""
    return "".join(pieces)[-SHOWN:]


async def has_program(container: Any, name: str) -> bool:
    """Tell whether a program lies on a container's PATH.

    Raises:
        DockerError: The engine refuses to say.
        ClientError: It is away.
    """
    variables = (await container.show())["Config"].get("Env") or []
    path = next((value for key, _, value in (one.partition("=") for one in variables) if key == "PATH"), PATH)
    for folder in path.split(":"):
        try:
            await container.get_archive(f"{folder}/{name}")
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise
        else:
            return True
    return False


async def remove(container: Any) -> str:
    """Kill what is left of a container, and remove it; gives why that cannot be done, and nothing if it is.

    Podman refuses to remove a container that ends by itself at that moment, so it is asked again for a while.
    """
    deadline = time.monotonic() + INSISTENCE
    while (refused := await _refused(container)) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return refused


async def _refused(container: Any) -> str:
    try:
        await container.delete(force=True, v=True)
    except aiodocker.DockerError as error:
        return "" if error.status in (404, 409) else error.message
    except UNREACHABLE as error:
        return str(error) or type(error).__name__
    return ""
