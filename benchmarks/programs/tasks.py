"""Children of a task: ``tasks.py WORK AMOUNT``. ``LAMINAR_EXECUTOR`` names the executor, by default this process."""

import asyncio
import os
import sys
import time

from figures import measured

import laminar

env = laminar.TaskEnvironment("bench")
TURNS = 10_000_000


@env.task
async def square(number: int) -> int:
    """Compute a square."""
    return number**2


@env.task(cache="auto")
async def kept(number: int) -> int:
    """Compute a square that is kept for later runs."""
    return number**2


@env.task
def spin(number: int) -> int:
    """Use a core for a while."""
    for turn in range(TURNS):
        number ^= turn
    return number


@env.task
async def gather(count: int) -> int:
    """Call many side by side."""
    return sum(await asyncio.gather(*[square(number) for number in range(count)]))


@env.task
async def gather_kept(count: int) -> int:
    """Call many whose results may be kept."""
    return sum(await asyncio.gather(*[kept(number) for number in range(count)]))


@env.task
async def one_by_one(count: int) -> float:
    """Call one after the other; gives the seconds, without the start of the first process."""
    await square(0)
    began = time.perf_counter()
    for number in range(1, count + 1):
        await square(number)
    return time.perf_counter() - began


@env.task
def spread(count: int) -> float:
    """Call many that use a core each; gives the seconds, without the start of the first process."""
    square(0)
    began = time.perf_counter()
    list(laminar.map(spin, range(count)))
    return time.perf_counter() - began


WORKS = {task.function.__name__: task for task in (gather, gather_kept, one_by_one, spread)}

if __name__ == "__main__":
    task, count = WORKS[sys.argv[1]], int(sys.argv[2])
    executor = os.environ.get("LAMINAR_EXECUTOR")
    if executor is None:  # the first run of a process also loads what drives it
        laminar.with_runcontext(quiet=True).run(gather, count=10).wait()
    with measured() as figures:
        run = laminar.with_runcontext(executor=executor, quiet=True).run(task, count=count)
        result = run.result()
        if isinstance(result, float):
            figures["seconds"] = result
    if isinstance(result, int):
        assert result == sum(number**2 for number in range(count))
    if task is gather_kept:
        assert len(run.actions()) == count + 1
