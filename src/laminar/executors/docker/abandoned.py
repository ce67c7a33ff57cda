"""Ending what a run has left in containers when nobody drives it any more."""

from __future__ import annotations

import asyncio
import json
import os

import aiodocker

from laminar.containers.engine import connected
from laminar.errors import EngineError
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
    engines = set()
    for placed in orders.read_placed(folder):
        engines.add(placed.engine)
        warm = os.path.join(state, ".warm", placed.container)
        if placed.kept and os.path.isdir(warm):
            orders.leave_note(warm, "leave", label)
    for engine in sorted(engines):
        asyncio.run(remove(engine, label))


async def remove(address: str, label: str) -> None:
    """Remove the containers of a run that an engine has.

    Args:
        address: Of the engine.
        label: What the labels of the run begin with: run, flow, installation.

    Raises:
        EngineNotReachableError: The container engine does not answer.
        EngineError: It refuses to remove one.
    """
    run, flow, installation = label.rstrip("/").split("/")
    wanted = {creation.RUN: run, creation.FLOW: flow, creation.INSTALLATION: installation}
    filters = json.dumps({"label": [f"{name}={value}" for name, value in wanted.items()]})
    async with connected(address) as engine:
        containers: list[Any] = await engine.client.containers.list(all="true", filters=filters)
        for container in containers:
            try:
                await container.delete(force=True, v=True)
            except aiodocker.DockerError as error:
                if error.status not in (404, 409):
                    raise EngineError(
                        f"A container of run {run} could not be removed from {address}: {error.message}. Remove it "
                        f"with: docker rm --force {container.id[:12]}"
                    ) from error
