"""What calls of tasks must withstand: late calls, lost values, crowds, failures by the thousand, hostile messages."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import laminar
from laminar.data.journal import Journal
from laminar.engine.desk import Desk
from laminar.exceptions import AttemptTimeoutError
from laminar.host import sockets
from laminar.model.action import Failure
from laminar.model.entries import Entry
from laminar.model.ids import ActionKey, AttemptKey
from laminar.tasks import store
from laminar.tasks.run import Run
from laminar.wire import frames
from laminar.wire.messages import Recall

env = laminar.TaskEnvironment("review")


@env.task
def plus(number: int) -> int:
    """Add one."""
    return number + 1


@env.task
def large(number: int) -> bytes:
    """Give what is kept beside the records of the run."""
    return os.urandom(100_000 + number)


@env.task(retries=1)
async def loses_value(root: str) -> int:
    """Lose what a child has returned, and ask for it again."""
    here = laminar.ctx()
    assert here is not None
    data = await large(1)
    if here.attempt == 1:
        await asyncio.get_running_loop().run_in_executor(None, wait_until_recorded, root, here.run)
        for path in Path(root, ".tasks", "artifacts").rglob("*"):
            if path.is_file():
                path.unlink()
        raise ValueError("again")
    return len(data)


def wait_until_recorded(root: str, run: str) -> None:
    """Wait until a child's end is in the ledger."""
    while not any(action.parent and action.status.terminal for action in Run.get(run, root).actions()):
        continue


@laminar.trace
def fails_once(path: str) -> int:
    """Fail the first time."""
    if not os.path.exists(path):
        Path(path).touch()
        raise KeyError("first")
    return 7


@env.task(retries=1)
def traces_twice(path: str, root: str) -> int:
    """Fail with a helper, and call it again."""
    here = laminar.ctx()
    assert here is not None
    try:
        return fails_once(path)
    except KeyError:
        wait_until_recorded(root, here.run)
        raise


@env.task
async def doubles(number: int) -> int:
    """Refuse odd numbers."""
    if number % 2:
        raise ValueError(number)
    return number * 2


def test_a_child_whose_value_was_lost_runs_again(tmp_path: Path) -> None:
    """Its parent is tried again and asks for it, under one holder."""
    runner = laminar.with_runcontext(root=str(tmp_path), quiet=True)
    run = runner.run(loses_value, str(tmp_path)).wait()
    assert run.result() == 100_001
    assert [action.index for action in run.actions() if action.parent] == [0, 1]
    assert run.status == "SUCCEEDED"


def test_a_traced_helper_that_failed_may_succeed_in_the_next_try(tmp_path: Path) -> None:
    """Its second end is recorded beside its first."""
    runner = laminar.with_runcontext(root=str(tmp_path), quiet=True)
    run = runner.run(traces_twice, str(tmp_path / "mark"), str(tmp_path)).wait()
    assert run.result() == 7
    assert [action.status for action in run.actions() if action.parent] == ["FAILED", "SUCCEEDED"]
    assert run.status == "SUCCEEDED"


def test_a_map_outside_of_a_run_gives_exceptions_of_asynchronous_tasks() -> None:
    """As within one."""
    first, second, third = laminar.map(doubles, [2, 3, 4], return_exceptions=True)
    assert (first, third) == (4, 8)
    assert isinstance(second, ValueError)


LATE = """
import contextvars, threading
from concurrent.futures import ThreadPoolExecutor
import laminar
from laminar.exceptions import RunAbortedError

env = laminar.TaskEnvironment("late")
said: list[str] = []
over, pool = threading.Event(), ThreadPoolExecutor(1)

@env.task
def plus(number: int) -> int:
    return number + 1

def later():
    over.wait()
    try:
        plus(1)
    except RunAbortedError as error:
        said.append(str(error))

@env.task
async def leaves_a_thread() -> int:
    pool.submit(contextvars.copy_context().run, later)
    return 1

@env.task
async def waits_for_it() -> int:
    await leaves_a_thread()
    over.set()
    pool.shutdown()
    return 2

if __name__ == "__main__":
    task = {"within": waits_for_it, "after": leaves_a_thread}[__import__("sys").argv[1]]
    print(laminar.with_runcontext(quiet=True).run(task).wait().result())
    over.set()
    pool.shutdown()
    print(*said)
"""


@pytest.mark.parametrize(("when", "result"), [("within", "2"), ("after", "1")])
def test_a_thread_that_calls_after_its_attempt_has_ended_is_refused(tmp_path: Path, when: str, result: str) -> None:
    """Else it would wait for ever, and the program with it when it ends."""
    (tmp_path / "late.py").write_text(LATE)
    command = [sys.executable, "late.py", when]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert result in done.stdout.split()
    assert "was called by an attempt that has ended" in done.stdout


@env.task
def crowded(number: int) -> int:
    """Fail first, and else hold the only slot until it is stopped."""
    if number == 0:
        raise ValueError(number)
    return number


@env.task(timeout=30)
async def calls_a_crowd() -> int:
    """Give up a thousand calls, and make one more."""
    with pytest.raises(ValueError, match="0"):
        await laminar.map(crowded, range(1000))
    return await plus(1)


def test_calls_that_were_given_up_do_not_delay_those_that_follow(tmp_path: Path) -> None:
    """None of them takes a turn of its own: a thousand turns would take more than the test's time."""
    runner = laminar.with_runcontext(root=str(tmp_path), quiet=True, concurrency=1)
    assert runner.run(calls_a_crowd).result() == 2


@env.task
def stops_the_first(number: int, parent: int) -> bytes:
    """Stop the process of the caller, so that it takes no answer any more."""
    if number == 0:
        os.kill(parent, signal.SIGSTOP)
    return b"x" * 4000


@env.task(timeout=2)
async def asks_for_much() -> int:
    """Ask for more than a socket holds."""
    return len(await asyncio.gather(*(stops_the_first(number, os.getpid()) for number in range(200))))


def test_an_attempt_that_takes_no_answers_does_not_hold_up_its_run(tmp_path: Path) -> None:
    """It is stopped when its time is over."""
    runner = laminar.with_runcontext(root=str(tmp_path), quiet=True, executor="process", concurrency=2)
    with pytest.raises(AttemptTimeoutError):
        runner.run(asks_for_much).result()


HOSTILE: list[Any] = [
    {"$": "Call", "id": ["a"] * 16, "task": "t", "module": "m", "inputs": {"b64": ""}},
    {"$": "Call", "id": "a0", "task": "t", "module": "m", "inputs": {"b64": ""}},
    {"$": "Call", "id": "a" * 16, "task": {}, "module": "m", "inputs": {"b64": ""}},
    {"$": "Call", "id": "a" * 16, "task": "t", "module": "m", "inputs": "text"},
    {"$": "Call", "id": "a" * 16, "task": "t", "module": "m", "inputs": {"b64": ""}, "cache": "key"},
    {"$": "Checkpoint", "id": "a0", "task": "t", "label": "", "started": 1.0},
    {"$": "Checkpoint", "id": 'a", "parent": "b', "task": "t", "label": "", "started": 1.0},
    {"$": "Checkpoint", "id": "a" * 16, "task": "t", "label": "", "started": "now"},
    {"$": "Checkpoint", "id": "a" * 16, "task": "t", "label": "", "started": 1, "output": {"$": "Output", "refs": [1]}},
    {"$": "Answer", "id": "a" * 16},
    {"$": "Recall"},
    {"$": ["Recall"]},
    "text",
    7,
]


@pytest.mark.parametrize("plain", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_a_message_that_makes_no_sense_is_not_delivered(tmp_path: Path, plain: Any) -> None:
    """Who sends it is hung up on, and others are heard."""
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with Desk(str(tmp_path / "door"), heard.put, wanted=True) as desk:
        key = AttemptKey(ActionKey("review.task", "run", "a0"), 1, 1)
        door = desk.admit(key)
        assert door is not None
        with closing(sockets.connect(door.path)) as connection:
            frames.send(connection, frames.Hello(door.token))
            data = json.dumps(plain).encode()
            connection.sendall(frames.LENGTH.pack(len(data)) + data)
            assert frames.receive(connection) is None
        with closing(sockets.connect(door.path)) as connection:
            frames.send(connection, frames.Hello(door.token))
            frames.send(connection, Recall("a" * 16))
            assert heard.get(timeout=30).message == Recall("a" * 16)


def test_a_run_with_many_failures_is_read_at_once(tmp_path: Path) -> None:
    """A failure is told from others by its parent, without a look at all of them."""
    journal = Journal(store.blobs(str(tmp_path)), "run")
    failure = Failure("builtins.ValueError", "no")
    for number in range(30_000):
        journal.add(Entry(f"c{number}", "review.task", "a0", None, failure, 1, 0.0, 0.0))
    journal.flush()
    assert len(journal.read()[1]) == 30_000
    journal.add(Entry("a0", "review.task", "", None, failure, 1, 0.0, 0.0))
    journal.flush()
    assert list(journal.read()[1]) == ["a0"]


class Item:
    """An argument that is no plain value."""

    def __init__(self, number: int) -> None:
        self.number = number


@env.task
async def draw() -> str:
    """Give another text each time."""
    return os.urandom(8).hex()


async def part(item: Item) -> tuple[int, str]:
    """Be one of several that make equal calls."""
    return item.number, await draw()


@env.task(retries=1)
async def starts_parts_in_any_order() -> tuple[dict[int, str], ...]:
    """Start parts in another order when tried again."""
    here = laminar.ctx()
    assert here is not None
    order = (0, 1) if here.attempt == 1 else (1, 0)
    drawn.append(dict(await asyncio.gather(*[asyncio.ensure_future(part(Item(number))) for number in order])))
    if here.attempt == 1:
        raise ValueError("again")
    return tuple(drawn)


drawn: list[dict[int, str]] = []


def test_parts_with_objects_are_told_apart_by_them(tmp_path: Path) -> None:
    """Else one would be given what the other had drawn."""
    first, second = laminar.with_runcontext(root=str(tmp_path), quiet=True).run(starts_parts_in_any_order).result()
    assert first == second


stopped: list[str] = []


@env.task
async def outlives_its_caller() -> None:
    """Wait until it is cancelled."""
    try:
        await asyncio.Event().wait()
    finally:
        stopped.append("grandchild")


@env.task(retries=laminar.RetryStrategy(1, laminar.Backoff(base=60)))
async def fails_with_a_child() -> None:
    """Fail while a child runs, and wait long for the next try."""
    calls = asyncio.ensure_future(outlives_its_caller())
    await asyncio.sleep(0)
    kept.append(calls)
    raise ValueError("again")


kept: list[Any] = []


@env.task
async def gives_up_what_waits(root: str) -> bool:
    """Cancel a child between its tries."""
    here = laminar.ctx()
    assert here is not None
    call = asyncio.ensure_future(fails_with_a_child())
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, wait_until_it_waits, root, here.run)
    call.cancel()
    await loop.run_in_executor(None, wait_until_recorded, root, here.run)
    return True


def wait_until_it_waits(root: str, run: str) -> None:
    """Wait until a child is to be tried again."""
    while not any("to try again" in (action.reason or "") for action in Run.get(run, root).actions()):
        continue


def test_a_child_that_is_given_up_between_its_tries_takes_its_children_along(tmp_path: Path) -> None:
    """They do not go on until the end of the run."""
    run = laminar.with_runcontext(root=str(tmp_path), quiet=True).run(gives_up_what_waits, str(tmp_path)).wait()
    assert run.result() is True
    assert stopped == ["grandchild"]
    assert {action.status for action in run.actions() if action.parent} == {"CANCELLED"}
