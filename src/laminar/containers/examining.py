"""How the container engine is."""

from __future__ import annotations

import asyncio
import os

from laminar.containers.engine import connected
from laminar.errors import EngineError, EngineNotReachableError
from laminar.host import mounts
from laminar.host.checks import Check, ok, warning

NAME = "containers"
#: Bytes that an engine should have for images.
ROOM = 5 * 10**9


def engine() -> list[Check]:
    """See whether there is an engine, which it is, how it limits containers, and what room it has."""
    try:
        return asyncio.run(_engine())
    except (EngineNotReachableError, EngineError) as error:
        return [warning(NAME, str(error), "Only containers need one.")]


async def _engine() -> list[Check]:
    async with connected() as found:
        version = await found.client.version()
        about = await found.client.system.info()
    kind = "Podman" if found.podman else "Docker"
    cgroups = str(about.get("CgroupVersion") or "unknown")
    text = f"{kind} {version.get('Version')} at {found.address}, API {version.get('ApiVersion')}, cgroups {cgroups}"
    checks = [ok(NAME, text)]
    if cgroups == "1":
        checks = [
            warning(
                NAME, text, "With cgroups 1, what ran out of memory is not always known; use a system with version 2."
            )
        ]
    return [*checks, *_room(str(about.get("DockerRootDir") or ""))]


def _room(folder: str) -> list[Check]:
    """See what room there is for images, where their folder is on this machine and can be seen."""
    if not folder or not os.path.isdir(folder):
        return []
    free = mounts.free(folder)
    text = f"{free / 1e9:.1f} GB are free in {folder}"
    if free < ROOM:
        return [warning("images", text, "docker system prune removes images that nothing uses.")]
    return [ok("images", text)]
