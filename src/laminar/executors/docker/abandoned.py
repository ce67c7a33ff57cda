"""Ending what a run has left in containers when nobody drives it any more."""

from __future__ import annotations

import asyncio
import json
import os

from laminar.containers.engine import connected
from laminar.executors.docker import creation, orders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def sweep(state: str, folder: str, label: str) -> None:
    """Remove the containers of a run, and end its attempts in warm ones.

    Args:
        state: Folder of the installation.
        folder: What attempts and schedulers of the run hand each other.
        label: What the labels of the run begin with: run, flow, installation.

    Raises:
        EngineNotReachableError: The container engine does not answer; the containers may run on.
    """
    for placed in orders.read_placed(folder):
        warm = os.path.join(state, ".warm", placed.container)
        if placed.kept and os.path.isdir(warm):
            orders.leave_note(warm, "leave", label)
    asyncio.run(_remove(label))


async def _remove(label: str) -> None:
    run, flow, installation = label.rstrip("/").split("/")
    wanted = {creation.RUN: run, creation.FLOW: flow, creation.INSTALLATION: installation}
    filters = json.dumps({"label": [f"{name}={value}" for name, value in wanted.items()]})
    async with connected() as engine:
        containers: list[Any] = await engine.client.containers.list(all="true", filters=filters)
        await asyncio.gather(*(container.delete(force=True, v=True) for container in containers))
