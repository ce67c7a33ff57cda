"""Tasks that do what a random program says, and note what they see in a file that laminar knows nothing of.

Every run of a task has a token of its own, which it returns or raises. Who called it notes the token beside the place
in the program: a place whose token changes, or a token at two places, is a wrong value.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import time
from collections.abc import Coroutine
from typing import Any

from random_programs import Body, Step, leaf_value

import laminar

env = laminar.TaskEnvironment("acting")
SOON = laminar.RetryStrategy(1, laminar.Backoff(base=0))
#: Seconds that a task takes at most, beside what it calls.
LONGEST = 0.003


class Notes:
    """Where this process notes what it sees; it may die at one of the notes."""

    def __init__(self) -> None:
        self._file = -1
        self._count = itertools.count()
        self._last: int | None = None

    def open(self, path: str, last: int | None) -> None:
        """Begin to note; die at the note of that number."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._last = last

    def add(self, *event: Any) -> None:
        number = next(self._count)
        if number == self._last and number % 2:
            os._exit(9)
        os.write(self._file, (json.dumps(event) + "\n").encode())
        if number == self._last:
            os._exit(9)


notes = Notes()


class TokenError(Exception):
    """What a task raises; it cannot be made again by calling it with its arguments."""

    def __init__(self, token: int, *, task: str) -> None:
        super().__init__(f"{task} has failed")
        self.token = token


class Scope:
    """A place in the program, told apart from all others by who runs it; no plain value, so that no path has it."""

    def __init__(self, action: str, place: str) -> None:
        self.action = action
        self.place = place

    def at(self, *steps: Any) -> Scope:
        return Scope(self.action, "/".join([self.place, *map(str, steps)]))

    def got(self, token: int, task: str = "") -> None:
        notes.add("got", self.action, self.place, token, task)

    def failed(self, token: int) -> None:
        notes.add("failed", self.action, self.place, token, "")


def begun(task: str) -> tuple[Scope, int]:
    """Note that a task runs; gives its place, and its token."""
    context = laminar.ctx()
    assert context is not None
    assert context.task == f"acting.{task}"
    token = random.SystemRandom().getrandbits(62)
    notes.add("begun", context.action, task, token)
    return Scope(context.action, ""), token


def attempt() -> int:
    context = laminar.ctx()
    assert context is not None
    return context.attempt


def result(task: str, given: Any, token: int, value: int) -> dict[str, Any]:
    return {"task": task, "given": given, "token": token, "value": value}


def taken(scope: Scope, task: str, given: Any, found: dict[str, Any]) -> int:
    """Check that a result is of the call that was made."""
    if (found["task"], found["given"]) != (task, given):
        notes.add("wrong", scope.action, scope.place, f"{task}({given!r}) gave the result of {found}")
    scope.got(found["token"], task)
    value: int = found["value"]
    return value


async def pause() -> None:
    if random.random() < 0.7:
        await asyncio.sleep(random.random() * LONGEST)


@env.task
async def leaf(x: int) -> dict[str, Any]:
    _, token = begun("leaf")
    await pause()
    return result("leaf", x, token, leaf_value(x))


@env.task
def quick(x: int) -> dict[str, Any]:
    return result("quick", x, begun("quick")[1], leaf_value(x))


@env.task
def thread(x: int) -> dict[str, Any]:
    _, token = begun("thread")
    time.sleep(random.random() * LONGEST)
    return result("thread", x, token, leaf_value(x))


@env.task(retries=SOON)
async def flaky(x: int) -> dict[str, Any]:
    _, token = begun("flaky")
    await pause()
    if attempt() == 1:
        raise ConnectionError
    return result("flaky", x, token, leaf_value(x))


@env.task
async def fails(x: int) -> None:
    _, token = begun("fails")
    await pause()
    raise TokenError(token, task=f"fails({x})")


@env.task
def fails_in_thread(x: int) -> None:
    raise TokenError(begun("fails_in_thread")[1], task=f"fails_in_thread({x})")


@env.task
async def node(body: Body) -> dict[str, Any]:
    scope, token = begun("node")
    return result("node", body, token, await run(scope, body))


@env.task(retries=SOON)
async def unstable(body: Body) -> dict[str, Any]:
    scope, token = begun("unstable")
    value = await run(scope, body)
    if attempt() == 1:
        notes.add("raised", scope.action)
        raise ConnectionError
    return result("unstable", body, token, value)


@env.task
async def broken(body: Body) -> None:
    scope, token = begun("broken")
    await run(scope, body)
    notes.add("raised", scope.action)
    raise TokenError(token, task="broken")


@env.task
def blocking(body: Body) -> dict[str, Any]:
    scope, token = begun("blocking")
    return result("blocking", body, token, run_blocking(scope, body))


@env.task
def own_loop(body: Body) -> dict[str, Any]:
    scope, token = begun("own_loop")
    return result("own_loop", body, token, asyncio.run(run(scope, body)))


@laminar.trace
async def traced(x: int) -> dict[str, Any]:
    await pause()
    return result("traced", x, random.SystemRandom().getrandbits(62), leaf_value(x))


@laminar.trace
def traced_in_thread(x: int) -> dict[str, Any]:
    return result("traced", x, random.SystemRandom().getrandbits(62), leaf_value(x))


@env.task
async def program(body: Body) -> int:
    scope, _ = begun("program")
    return await run(scope, body)


TASKS: dict[str, Any] = {
    "leaf": leaf,
    "quick": quick,
    "thread": thread,
    "flaky": flaky,
    "node": node,
    "unstable": unstable,
    "blocking": blocking,
    "own loop": own_loop,
}


async def run(scope: Scope, body: Body) -> int:
    """Do the steps of a body."""
    value = 0
    for number, step in enumerate(body):
        await pause()
        value += await act(scope.at(number), step)
    return value


async def act(scope: Scope, step: Step) -> int:
    match step:
        case ["call", task, x]:
            return taken(scope, task, x, await TASKS[task](x))
        case ["trace", x]:
            return taken(scope, "traced", x, await traced(x))
        case ["fails", x]:
            return await caught(scope, fails(x), -x)
        case ["broken", body]:
            return await caught(scope, broken(body), -1)
        case ["node" | "unstable" | "blocking" | "own loop" as task, body]:
            return taken(scope, task.replace(" ", "_"), body, await TASKS[task](body))
        case ["gather", calls]:
            found = await asyncio.gather(*[TASKS[task](x) for _, task, x in calls])
            return sum(taken(scope.at(i), *calls[i][1:], each) for i, each in enumerate(found))
        case ["map", task, xs]:
            found = await laminar.map(TASKS[task], xs)
            return sum(taken(scope.at(i), task, xs[i], each) for i, each in enumerate(found))
        case ["completed", calls, x]:
            return await as_completed(scope, calls, x)
        case ["side", way, bodies]:
            return await side_by_side(way, [helper(scope.at(i), body) for i, body in enumerate(bodies)])
        case ["loop", times, body]:
            return sum([await run(scope.at(turn), body) for turn in range(times)])
        case ["odd", ["call", task, x], then, otherwise]:
            found = await TASKS[task](x)
            value = taken(scope, task, x, found)
            await run(scope.at("branch"), then if found["token"] % 2 else otherwise)
            return value
    raise ValueError(step)


async def caught(scope: Scope, call: Any, value: int) -> int:
    try:
        await call
    except TokenError as error:
        scope.failed(error.token)
        return value
    raise AssertionError(scope.place)


async def as_completed(scope: Scope, calls: list[Step], x: int) -> int:
    """Take results as they come; which call one is of cannot be told, so the place counts for all of them."""
    value = 0
    for turn, future in enumerate(asyncio.as_completed([TASKS[task](given) for _, task, given in calls])):
        found = await future
        notes.add("one", scope.action, scope.place, found["token"], len(calls))
        value += found["value"] + taken(scope.at(turn), "leaf", x, await leaf(x))
    return value


async def helper(scope: Scope, body: Body) -> int:
    """Do steps beside other helpers; no task."""
    await pause()
    return await run(scope, body)


async def side_by_side(way: str, helpers: list[Coroutine[Any, Any, int]]) -> int:
    if way == "gather":
        return sum(await asyncio.gather(*helpers))
    if way == "group":
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in helpers]
        return sum(task.result() for task in tasks)
    if way == "limited":
        return await limited(helpers)
    started = [asyncio.create_task(each) for each in helpers]
    if way == "wait":
        done, _ = await asyncio.wait(started)
        return sum(task.result() for task in done)
    return sum([await task for task in reversed(started)])


async def limited(helpers: list[Coroutine[Any, Any, int]]) -> int:
    """Let one helper run at a time; how many have ended when the next is started is a matter of chance."""
    gate = asyncio.Semaphore(1)
    started = []
    for each in helpers:
        started.append(asyncio.create_task(gated(gate, each)))
        await pause()
    return sum(await asyncio.gather(*started))


async def gated(gate: asyncio.Semaphore, helper: Coroutine[Any, Any, int]) -> int:
    async with gate:
        return await helper


def run_blocking(scope: Scope, body: Body) -> int:
    """Do the steps of a body in a thread."""
    return sum(act_blocking(scope.at(number), step) for number, step in enumerate(body))


def act_blocking(scope: Scope, step: Step) -> int:
    match step:
        case ["call", task, x]:
            return taken(scope, task, x, TASKS[task](x))
        case ["trace", x]:
            return taken(scope, "traced", x, traced_in_thread(x))
        case ["fails", x]:
            try:
                fails_in_thread(x)
            except TokenError as error:
                scope.failed(error.token)
            return -x
        case ["map", task, xs]:
            found = list(laminar.map(TASKS[task], xs))
            return sum(taken(scope.at(i), task, xs[i], each) for i, each in enumerate(found))
        case ["loop", times, body]:
            return sum(run_blocking(scope.at(turn), body) for turn in range(times))
        case ["odd", ["call", task, x], then, otherwise]:
            found = TASKS[task](x)
            value = taken(scope, task, x, found)
            run_blocking(scope.at("branch"), then if found["token"] % 2 else otherwise)
            return value
        case ["blocking", body]:
            return taken(scope, "blocking", body, blocking(body))
    raise ValueError(step)
