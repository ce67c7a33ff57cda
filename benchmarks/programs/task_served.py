"""Tasks that a server runs: the time at which one begins, and many small ones."""

from __future__ import annotations

import asyncio
import time

import laminar

env = laminar.TaskEnvironment("served")


@env.task
def begun() -> float:
    """Tell when the first line of user code runs."""
    return time.time()


@env.task
def small(x: int) -> int:
    """Do next to nothing."""
    return x + 1


@env.task
async def wide(n: int) -> int:
    """Call many."""
    return sum(await asyncio.gather(*[small(i) for i in range(n)]))
