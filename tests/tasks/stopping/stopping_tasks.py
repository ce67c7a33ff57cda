"""Tasks that are stopped, or tried again, while others run below them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laminar

env = laminar.TaskEnvironment("stopping")
SOON = laminar.RetryStrategy(1, laminar.Backoff(base=0))
#: Seconds after which a condition counts as never met.
PATIENCE = 30.0


def note(folder: str, text: str) -> None:
    with open(Path(folder) / "notes", "a") as file:
        file.write(f"{text}\n")


def noted(folder: str) -> list[str]:
    try:
        return (Path(folder) / "notes").read_text().splitlines()
    except FileNotFoundError:
        return []


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def first_try() -> bool:
    context = laminar.ctx()
    assert context is not None
    return context.attempt == 1


@env.task
async def lingers(folder: str, name: str) -> None:
    """Run until it is stopped."""
    note(folder, f"{name} {os.getpid()}")
    try:
        await asyncio.Event().wait()
    finally:
        note(folder, f"{name} ended")


@env.task
def lingers_in_thread(folder: str, name: str) -> None:
    note(folder, f"{name} {os.getpid()}")
    while True:
        time.sleep(0.01)


@env.task
async def waits_for_two(folder: str) -> None:
    await asyncio.gather(lingers(folder, "a"), lingers(folder, "b"))


def both_begun(folder: str) -> bool:
    return {line.split()[0] for line in noted(folder)} >= {"a", "b"}


class OwnError(Exception):
    pass


@env.task
async def cancels(folder: str, way: str) -> str:
    """Stop waiting for a task that waits for two others, and say what that raised."""
    child: Any = waits_for_two(folder)
    if way == "cancel":
        waiting = asyncio.create_task(child)
        await until(lambda: both_begun(folder))
        waiting.cancel()
        (error,) = await asyncio.gather(waiting, return_exceptions=True)
        return type(error).__name__
    if way == "group":
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child)
                await until(lambda: both_begun(folder))
                raise OwnError
        except ExceptionGroup as errors:
            return type(errors.exceptions[0]).__name__
    try:
        async with asyncio.timeout(None) as limit:
            begun = asyncio.create_task(until(lambda: both_begun(folder)))
            begun.add_done_callback(lambda _: limit.reschedule(0))
            await child
    except TimeoutError:
        return "TimeoutError"
    return "nothing"


@env.task
async def cancels_and_goes_on(folder: str, way: str) -> tuple[str, bool]:
    """Go on until what was called is over."""
    found = await cancels(folder, way)
    await until(lambda: {"a ended", "b ended"} <= set(noted(folder)))
    return found, True


@env.task
async def released(folder: str) -> str:
    note(folder, "begun")
    await until(lambda: "released" in noted(folder))
    return "its result"


@env.task
async def shields(folder: str) -> str:
    child: asyncio.Future[str] = asyncio.ensure_future(released(folder))
    waiting = asyncio.ensure_future(asyncio.shield(child))
    await until(lambda: "begun" in noted(folder))
    waiting.cancel()
    await asyncio.wait([waiting])
    note(folder, "released")
    return await child


@env.task
async def calls_and_cancels_at_once(folder: str) -> int:
    """Cancel calls as soon as they are made."""
    for number in range(20):
        waiting = asyncio.create_task(lingers(folder, str(number)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    return 20


@env.task
async def cancels_at_many_moments(folder: str) -> int:
    """Cancel calls before, while and after they begin; the loop is held up then, so that both come to it at once."""

    async def hold() -> None:
        time.sleep(0.01)

    for moment in range(60):
        waiting = asyncio.create_task(lingers(folder, str(moment)))
        await asyncio.sleep(0)
        time.sleep(moment / 100_000)
        waiting.cancel()
        await asyncio.wait([waiting, asyncio.create_task(hold())])
    return 60


# Tried again


@env.task
async def token(folder: str, name: str) -> str:
    note(folder, name)
    return f"{name} {os.urandom(8).hex()}"


@env.task
async def fails_once(folder: str) -> str:
    """Fail in its first run, which its own policy does not try again."""
    note(folder, "fails")
    if noted(folder).count("fails") == 1:
        raise ValueError("the first time")
    return "at last"


@env.task(retries=SOON)
async def tried_again(folder: str) -> list[str]:
    kept = [await token(folder, "a"), await token(folder, "b")]
    note(folder, f"kept {kept}")
    return [*kept, await fails_once(folder)]


@env.task
async def nested(folder: str) -> str:
    found = await token(folder, "a")
    note(folder, f"kept {found}")
    return found + await fails_once(folder)


@env.task(retries=SOON)
async def tries_nested(folder: str) -> str:
    return await nested(folder)


@env.task(retries=SOON)
async def killed_once(folder: str) -> list[str]:
    kept = list(await asyncio.gather(token(folder, "a"), token(folder, "b")))
    note(folder, f"kept {kept}")
    if first_try():
        os.kill(os.getpid(), signal.SIGKILL)
    return [*kept, await token(folder, "c")]


@env.task
async def outlives(folder: str) -> str:
    note(folder, "outlives")
    await until(lambda: "second try" in noted(folder))
    return "its result"


@env.task(retries=SOON)
async def leaves_child_behind(folder: str) -> str:
    if first_try():
        left = asyncio.create_task(outlives(folder))
        await until(lambda: "outlives" in noted(folder))
        assert not left.done()
        raise ValueError("the first time")
    waiting = asyncio.create_task(outlives(folder))
    await asyncio.sleep(0)
    note(folder, "second try")
    return await waiting


@env.task
async def ends_slowly(folder: str) -> str:
    """Take its time to end once it is cancelled, until it is called again."""
    note(folder, "slow")
    if noted(folder).count("slow") > 1:
        return "its result"
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note(folder, "cancelled")
        await until(lambda: "called again" in noted(folder))
        raise
    raise AssertionError


@env.task(retries=SOON)
async def calls_what_ends(folder: str) -> str:
    if first_try():
        waiting = asyncio.create_task(ends_slowly(folder))
        await until(lambda: "slow" in noted(folder))
        waiting.cancel()
        await asyncio.wait([waiting])
        await until(lambda: "cancelled" in noted(folder))
        raise ValueError("the first time")
    waiting = asyncio.create_task(ends_slowly(folder))
    await asyncio.create_task(release(folder))
    return await waiting


@laminar.trace
async def release(folder: str) -> None:
    """Let it end; recorded after the call that was made before, so that the engine knows of that."""
    note(folder, "called again")
