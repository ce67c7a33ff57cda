"""What bare Python takes for the same work: ``baseline.py WORK AMOUNT``. Nothing is recorded or can be resumed."""

import asyncio
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from figures import measured

CORES = len(os.sched_getaffinity(0))
PIECE = 1 << 21


def keep(number: int) -> None:
    """Compute a square and pickle it into a file of its own."""
    with open(f"{number}.pickle", "wb") as file:
        pickle.dump(number**2, file)


def loop(count: int) -> None:
    """Do it in a loop."""
    with measured():
        for number in range(count):
            keep(number)


def threads(count: int) -> None:
    """Do it in a pool of threads."""
    with measured(), ThreadPoolExecutor(CORES) as pool:
        list(pool.map(keep, range(count)))


def coroutines(count: int) -> None:
    """Await as many coroutines side by side, which compute the same and keep nothing."""

    async def square(number: int) -> int:
        return number**2

    async def gather() -> None:
        await asyncio.gather(*[square(number) for number in range(count)])

    with measured():
        asyncio.run(gather())


def spin(count: int) -> None:
    """Use one core for as long as that many tasks use one each."""
    with measured():
        for number in range(count):
            for turn in range(10_000_000):
                number ^= turn


def forks(count: int) -> None:
    """Do each in a fork of this process, as many at a time as there are cores."""
    with measured():
        running = 0
        for number in range(count):
            if running == CORES:
                os.wait()
                running -= 1
            if os.fork() == 0:
                keep(number)
                os._exit(0)
            running += 1
        for _ in range(running):
            os.wait()


def write(size: int) -> None:
    """Write an array of random float64 to a file, piece by piece."""
    import numpy as np

    view = memoryview(np.random.default_rng().random(size // 8)).cast("B")
    with measured(), open("array", "wb", buffering=0) as file:
        for start in range(0, len(view), PIECE):
            file.write(view[start : start + PIECE])


def read(size: int) -> None:
    """Read it back."""
    import numpy as np

    with measured():
        array = np.fromfile("array")
    assert array.nbytes == size // 8 * 8
    Path("array").unlink()


WORKS = {
    "coroutines": coroutines,
    "forks": forks,
    "loop": loop,
    "read": read,
    "spin": spin,
    "threads": threads,
    "write": write,
}
WORKS[sys.argv[1]](int(sys.argv[2]))
