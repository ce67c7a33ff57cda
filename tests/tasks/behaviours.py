"""What tasks can rely on wherever they run: each behaviour gives what can be written as JSON, the same everywhere.

``behaviours.py WHERE`` runs them in one kind of place, in one run; the last line that it prints is what they gave.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import importlib.util
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import laminar
from laminar.configurations.executors import Docker, Process, Thread

WHERE: dict[str, Callable[[], Any]] = {
    "here": lambda: None,
    "threads": Thread,
    "fork": lambda: Process(concurrency=4),
    "spawn": lambda: Process(method="spawn", concurrency=4),
    "cold": lambda: Docker(concurrency=4, network="host"),
    "warm": lambda: Docker(concurrency=4, network="host", reuse=laminar.ReusePolicy(replicas=(1, 2), idle_ttl=10)),
}
BEHAVIOURS: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {}
#: Longer than any test waits.
LONG = 600.0

image = laminar.Image.from_debian_base(name=os.environ.get("IMAGE_NAME"))
env = laminar.TaskEnvironment("place", image=image, env_vars={"LEVEL": "environment", "SHARED": "environment"})
another = image if "ONE_IMAGE" in os.environ else image.with_env_vars({"IMAGE": "another"})
other = laminar.TaskEnvironment("elsewhere", image=another)


def behaviour(function: Callable[[], Coroutine[Any, Any, Any]]) -> Callable[[], Coroutine[Any, Any, Any]]:
    BEHAVIOURS[function.__name__] = function
    return function


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]


class RefusedError(Exception):
    """An error that cannot be made again by calling it with its arguments."""

    def __init__(self, host: str, *, code: int) -> None:
        super().__init__(f"{host} refused")
        self.code = code


class Odd:
    """Something that only pickle knows."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, others: object) -> bool:
        return isinstance(others, Odd) and others.name == self.name

    __hash__ = None  # type: ignore[assignment]


VALUES: list[Any] = [
    None,
    -0.0,
    10**30,
    "ü\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    b"\x00\xff",
    (1, [2, {"three": {4}}]),
    Colour.RED,
    Point(1, ["a"]),
    datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
    Path("a/b"),
    Odd("one"),
    "large " * 100_000,
]


@env.task
def gives_back(value: Any) -> Any:
    return value


@env.task
def gives_all() -> Any:
    return VALUES


@env.task
async def adds(x: int, y: int = 1) -> int:
    return x + y


@env.task
def calls_down(depth: int) -> int:
    return 1 + calls_down(depth - 1) if depth else 0


@env.task(env_vars={"LEVEL": "task"})
def variables() -> list[str | None]:
    return [os.environ.get(name) for name in ("LEVEL", "SHARED", "OF_RUN", "NOWHERE")]


@env.task(env_vars={"LEVEL": "task"})
def starts_a_program() -> str:
    return subprocess.run(["sh", "-c", "echo $LEVEL"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@env.task
def tells() -> list[Any]:
    context = laminar.ctx()
    assert context is not None
    return [context.run, context.space, context.task, context.attempt]


@env.task(retries=laminar.RetryStrategy(2, laminar.Backoff(base=0)))
def fails_once() -> int:
    context = laminar.ctx()
    assert context is not None
    if context.attempt == 1:
        raise ConnectionError(f"attempt {context.attempt}")
    return context.attempt


@env.task
def fails(kind: str) -> None:
    print(f"about to fail with {kind}")
    if kind == "group":
        raise ExceptionGroup("two", [KeyError("one"), RefusedError("host", code=2)])
    if kind == "exit":
        sys.exit(3)
    raise RefusedError("host", code=7) from ValueError("because")


@env.task
async def waits() -> None:
    await asyncio.sleep(LONG)


@env.task
def waits_in_a_thread() -> None:
    time.sleep(LONG)


@laminar.trace
def traced(number: int) -> int:
    return number * 2


@env.task
def traces() -> list[int]:
    return [traced(1), traced(1), traced(2)]


@env.task
def writes() -> laminar.File:
    Path("written.txt").write_text("content of a file")
    try:
        return laminar.File.from_local_sync("written.txt")
    finally:
        Path("written.txt").unlink()


@env.task
def reads(file: laminar.File) -> str:
    with file.open_sync("r") as stream:
        return str(stream.read())


@env.task
def says() -> None:
    print("printed", "in words")
    print("an error", file=sys.stderr)
    logging.basicConfig(force=True, format="%(message)s")
    logging.getLogger(__name__).warning("a record")
    sys.stdout.write("no end of line")


@other.task
def is_elsewhere() -> str | None:
    return os.environ.get("IMAGE")


@env.task(cache=laminar.Cache("auto"))
def kept(number: int) -> str:
    return os.urandom(4).hex()


async def caught(call: Any) -> BaseException:
    try:
        await call
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


@behaviour
async def values_come_back_equal_and_of_their_types() -> Any:
    single, whole = await asyncio.gather(gives_back.aio(VALUES), gives_all.aio())
    kinds = [type(item).__name__ for item in single if type(item) in map(type, VALUES)]
    return [kinds, single == VALUES, repr(single[1]), whole == VALUES]


@behaviour
async def calls_may_be_many_and_nested() -> Any:
    with laminar.group("sums"):
        sums = await asyncio.gather(adds(1), adds(2, 3), adds(x=4))
    return [sums, await laminar.map(adds, range(3)), await calls_down.aio(2)]


@behaviour
async def variables_come_from_environment_task_and_call() -> Any:
    plain = variables.aio()
    return list(await asyncio.gather(plain, variables.override(env_vars={"LEVEL": "call", "NOWHERE": "x"}).aio()))


@behaviour
async def programs_have_the_variables_of_the_task_that_starts_them() -> Any:
    return await starts_a_program.aio()


@behaviour
async def a_task_knows_where_it_is() -> Any:
    return await tells.aio()


@behaviour
async def retries() -> Any:
    error = await caught(fails_once.override(retries=0).aio())
    return [await fails_once.aio(), repr(error)]


@behaviour
async def errors_come_as_themselves() -> Any:
    refused, group, exits = await asyncio.gather(*(caught(fails.aio(kind)) for kind in ("cause", "group", "exit")))
    notes = "\n".join(refused.__notes__)
    return [
        [type(refused).__name__, str(refused), refused.code, 'raise RefusedError("host", code=7)' in notes],  # type: ignore[attr-defined]
        "ValueError: because" in notes,
        [type(group).__name__, [repr(error) for error in group.exceptions], group.exceptions[1].code],  # type: ignore[attr-defined]
        [type(exits).__name__, exits.code],  # type: ignore[attr-defined]
    ]


@behaviour
async def time_runs_out() -> Any:
    calls = [task.override(timeout=0.5).aio() for task in (waits, waits_in_a_thread)]
    errors = await asyncio.gather(*map(caught, calls))
    return [[type(error).__name__, isinstance(error, TimeoutError)] for error in errors]


@behaviour
async def a_call_that_is_cancelled_ends() -> Any:
    calls = [asyncio.ensure_future(task.aio()) for task in (waits, waits_in_a_thread)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    return [type(error).__name__ for error in await asyncio.gather(*calls, return_exceptions=True)]


@behaviour
async def helpers_are_traced() -> Any:
    return await traces.aio()


@behaviour
async def files_go_from_one_to_the_next() -> Any:
    return await reads.aio(await writes.aio())


@behaviour
async def output_goes_to_the_log() -> Any:
    return await says.aio()


@behaviour
async def results_are_cached_within_a_run() -> Any:
    first, second = await kept.aio(1), await kept.aio(1)
    return [first == second, await kept.aio(2) == first]


@behaviour
async def images_may_differ_within_a_run() -> Any:
    return await is_elsewhere.aio()


@behaviour
async def a_wrong_argument_is_told_at_the_call() -> Any:
    try:
        adds("one")  # type: ignore[arg-type, unused-coroutine]
    except TypeError as error:
        return type(error).__name__
    return "it was not"


async def frames_and_arrays_come_back_equal() -> Any:
    import numpy
    import pandas

    frame = pandas.DataFrame({"day": pandas.to_datetime(["2024-02-29", None]), "kind": ["a", None], "n": [1, 2]})
    array = numpy.arange(6, dtype="float32").reshape(2, 3)
    frames, arrays = await asyncio.gather(gives_back.aio(frame), gives_back.aio(array))
    pandas.testing.assert_frame_equal(frames, frame)
    return [bool((frames.dtypes == frame.dtypes).all()), arrays.tolist(), str(arrays.dtype)]


if importlib.util.find_spec("pandas") is not None:  # the containers of the tests lack it
    behaviour(frames_and_arrays_come_back_equal)


@env.task
async def all_of_them() -> dict[str, Any]:
    found = await asyncio.gather(*(function() for function in BEHAVIOURS.values()))
    return dict(zip(BEHAVIOURS, found, strict=True))


if __name__ == "__main__":
    run = laminar.with_runcontext(
        name="one", executor=WHERE[sys.argv[1]](), env_vars={"OF_RUN": "run", "SHARED": "run"}
    ).run(all_of_them)
    found = run.result()
    actions = run.actions()
    found["tree"] = sorted({(action.task, action.status, action.group) for action in actions})
    found["log"] = sorted(run.logs("place.says"))
    print(json.dumps(found))
