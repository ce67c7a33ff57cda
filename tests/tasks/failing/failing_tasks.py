"""Tasks that fail in many ways."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import laminar
from laminar.exceptions import NonRecoverableError

env = laminar.TaskEnvironment("failing")
SOON = laminar.RetryStrategy(2, laminar.Backoff(base=0))


class OddError(Exception):
    """Cannot be made again by calling it with its arguments."""

    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.where = where


class HoldsLockError(Exception):
    """Holds something that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.lock = threading.Lock()


class HiddenError(Exception):
    """Cannot be made again in any way."""

    def __new__(cls, text: str, lock: object) -> HiddenError:
        made = super().__new__(cls, text)
        made.lock = lock  # type: ignore[attr-defined]
        return made

    def __init__(self, text: str, lock: object) -> None:
        super().__init__(text)


def local_class() -> BaseException:
    class LocalError(Exception):
        pass

    return LocalError("of a class that only its function knows")


FAILURES: dict[str, Any] = {
    "key": lambda: KeyError("a key"),
    "odd": lambda: OddError(7, where="there"),
    "lock": lambda: HoldsLockError("held"),
    "local": local_class,
    "unicode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "os": lambda: FileNotFoundError(2, "No such file", "a.csv"),
    "group": lambda: ExceptionGroup("two", [KeyError("k"), ExceptionGroup("inner", [OddError(1, where="in")])]),
    "hidden": lambda: HiddenError("a secret place", threading.Lock()),
    "stop": lambda: StopIteration("done"),
    "final": lambda: NonRecoverableError("never"),
}


def note(folder: str, text: str) -> None:
    with open(Path(folder) / "notes", "a") as file:
        file.write(f"{text}\n")


@env.task
async def fail(kind: str) -> None:
    raise FAILURES[kind]()


@env.task
def fail_in_thread(kind: str) -> None:
    raise FAILURES[kind]()


@env.task
async def outer(kind: str) -> None:
    """Let a child's failure through."""
    await fail(kind)


@env.task
async def caught(kind: str) -> list[Any]:
    """Catch a child's failure by its type, and say what came."""
    found = []
    for task in (fail, fail_in_thread):
        try:
            await task(kind)
        except Exception as error:
            found.append((type(error), str(error), vars(error), getattr(error, "__notes__", [])))
    return found


@env.task
async def key_error() -> str:
    try:
        await fail("key")
    except KeyError as error:
        return str(error.args[0])
    return "nothing"


@env.task
async def chained() -> None:
    try:
        await fail("key")
    except KeyError as error:
        raise ValueError("made of it") from error


@env.task
async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail("key"))
        group.create_task(fail("odd"))


@env.task
async def group_within() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(grouped())


@env.task(retries=SOON)
async def counted(folder: str, kind: str) -> None:
    note(folder, "tried")
    raise FAILURES[kind]()


@env.task(resources=laminar.Resources(memory="128Mi"))
def leaves(way: str) -> None:
    if way == "exit":
        sys.exit(3)
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "memory":
        held = []
        while True:
            held.append(b"1" * (1 << 24))


@env.task
async def what_leaving_raises(way: str) -> tuple[str, str]:
    try:
        await leaves(way)
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


@env.task(timeout=0.2)
async def slow() -> None:
    await asyncio.sleep(60)


@env.task(timeout=0.2)
def slow_in_thread() -> None:
    time.sleep(60)


@env.task
async def what_slowness_raises() -> list[str]:
    found = await asyncio.gather(slow(), slow_in_thread(), return_exceptions=True)
    return [f"{type(error).__name__}: {error}" for error in found]


@env.task
async def cannot_be_pickled() -> Any:
    return threading.Lock()


@env.task
async def takes(value: Any, other: int = 0) -> None: ...


@env.task
async def gives_lock() -> None:
    await takes(other=1, value=[threading.Lock()])


@env.task
async def without_end(n: int) -> int:
    return await without_end(n + 1)


@env.task
def plus(x: int) -> int:
    return x + 1


@env.task
async def uses_without_await() -> int:
    return plus(1) + 1


@env.task
async def waits_on_the_loop(way: str, root: str) -> Any:
    if way == "map":
        return list(laminar.map(plus, [1]))
    run = await laminar.with_runcontext(root=root, quiet=True).run.aio(plus, 1)
    try:
        return getattr(run, way)()
    finally:
        await run.wait.aio()


@env.task
async def plus_in_all_ways() -> list[int]:
    """Give a call of a synchronous task to all that takes coroutines."""
    first = await plus(1)
    (second,) = await asyncio.gather(plus(2))
    third = await asyncio.create_task(plus(3))
    fourth = await asyncio.wait_for(plus(4), 60)
    async with asyncio.TaskGroup() as group:
        fifth = group.create_task(plus(5))
    (sixth,) = [await each for each in asyncio.as_completed([plus(6)])]
    return [first, second, third, fourth, fifth.result(), sixth]


@env.task
async def passed_on(times: int) -> None:
    """Let a failure through many tasks."""
    await (passed_on(times - 1) if times else fail("key"))


@env.task
async def unique(x: int) -> str:
    return os.urandom(8).hex()


@env.task
def own_loops() -> list[str]:
    async def part() -> str:
        return await unique(1)

    return [asyncio.run(part()) for _ in range(2)]


@env.task
def own_loop() -> None:
    async def part(n: int) -> int:
        return await plus.aio(5)

    async def parts() -> None:
        await asyncio.gather(part(1), part(2))

    asyncio.run(parts())
