"""Time-outs, deadlines, places that are taken away, and slots, through laminar.run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import laminar
from laminar import Timeout
from laminar.exceptions import AttemptKilledError, AttemptLostError, AttemptTimeoutError, RecursionLimitError

env = laminar.TaskEnvironment("limits")
gate = threading.Event()


@env.task(timeout=Timeout(max_queued_time=0.2))
def hold(number: int) -> int:
    """Hold a slot until the test opens the gate."""
    gate.wait(30)
    return number


@env.task
async def crowd() -> list[str]:
    """Call two more than there are slots for, and open the gate once these have given up."""
    calls = [asyncio.ensure_future(hold.aio(number)) for number in range(4)]
    ended: list[str] = []
    for call in asyncio.as_completed(calls):
        try:
            ended.append(str(await call))
        except AttemptTimeoutError as error:
            ended.append(str(error))
            if len(ended) == 2:
                gate.set()
    return ended


@env.task(timeout=Timeout(deadline=0.5), retries=100)
async def hopeless() -> None:
    """Fail until the deadline."""
    raise ValueError("again")


@env.task(timeout=0.2)
async def endless() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


@env.task(timeout=0.2)
async def blocking() -> None:
    """Block the event loop, by itself or in a part of it."""
    while True:
        time.sleep(0.01)


@env.task(timeout=0.2)
async def blocking_part() -> None:
    """Block the event loop in a coroutine beside."""
    await asyncio.gather(blocking.forward(), asyncio.sleep(0))


@env.task
async def beside_blocking() -> str:
    """Wait for a child that blocks the loop which this task is on too."""
    await asyncio.gather(blocking())
    return "never"


@env.task(timeout=0.2, retries=1)
async def slow_once() -> int:
    """Take too long the first time."""
    here = laminar.ctx()
    assert here is not None
    if here.attempt == 1:
        await asyncio.Event().wait()
    return here.attempt


@env.task(interruptible=True)
def evicted(path: str, times: int) -> int:
    """Die of a signal as often as is asked for, as on a machine that is taken away."""
    with open(path, "a") as file:
        file.write("x")
    died = os.stat(path).st_size
    if died <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return died


@env.task(retries=1)
def killed(path: str) -> int:
    """Die of a signal each time, and not be interruptible."""
    return evicted.forward(path, 10)


@env.task
def spin(depth: int) -> int:
    """Call itself, one level deeper each time, with a process for each."""
    return depth if depth == 0 else spin(depth - 1) + 1


@env.task
async def forever(depth: int) -> int:
    """Call itself without end."""
    return await forever(depth + 1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def result(task: laminar.Task[..., object], executor: str | None = None, concurrency: int | None = None) -> object:
    """Run a task without arguments."""
    context = laminar.with_runcontext(executor=executor, concurrency=concurrency, quiet=True)
    return context.run(task).result()


def test_what_waits_too_long_for_a_place_gives_up_and_says_so() -> None:
    gate.clear()
    ended = result(crowd, concurrency=2)
    assert isinstance(ended, list)
    assert sorted(ended[2:]) == ["0", "1"]
    assert all("waited for a place longer than its max_queued_time of 0.2 s" in text for text in ended[:2])


def test_a_deadline_ends_an_action_with_all_its_retries() -> None:
    began = time.monotonic()
    with pytest.raises(AttemptTimeoutError, match=r"its deadline of 0\.5 s"):
        result(hopeless)
    assert time.monotonic() - began >= 0.5


def test_a_time_out_stops_an_attempt_and_another_may_follow() -> None:
    with pytest.raises(AttemptTimeoutError, match=r"its time-out of 0\.2 s"):
        result(endless)
    assert result(slow_once) == 2


def test_a_task_that_blocks_the_event_loop_is_given_up_at_its_time_out() -> None:
    with pytest.raises(AttemptTimeoutError, match=r"its time-out of 0\.2 s"):
        result(blocking_part)


def test_a_task_whose_loop_is_blocked_by_its_child_is_told_so() -> None:
    with pytest.raises(AttemptLostError, match="the event loop was blocked for good by"):
        result(beside_blocking)


def test_an_interruptible_task_whose_place_is_taken_goes_on_elsewhere_without_retries(folder: Path) -> None:
    run = laminar.with_runcontext(executor="process", quiet=True).run(evicted, path=str(folder / "died"), times=3)
    assert run.result() == 4
    assert run.actions()[0].attempts == 4


def test_a_task_that_is_not_interruptible_has_its_retries_only(folder: Path) -> None:
    run = laminar.with_runcontext(executor="process", quiet=True).run(killed, path=str(folder / "died"))
    with pytest.raises(AttemptKilledError):
        run.result()
    assert (folder / "died").read_text() == "xx"


@pytest.mark.parametrize("executor", [None, "process"])
def test_parents_that_wait_leave_their_slots_to_their_children(executor: str | None) -> None:
    run = laminar.with_runcontext(executor=executor, concurrency=1, quiet=True).run(spin, depth=8)
    assert run.result() == 8


def test_a_recursion_without_end_is_told_so() -> None:
    run = laminar.with_runcontext(quiet=True).run(forever, depth=0)
    with pytest.raises(RecursionLimitError, match=r"Task limits\.forever was called 100 calls deep"):
        run.result()


SCRIPT = """
import asyncio, os, signal, threading, laminar

env = laminar.TaskEnvironment("two")
first_is_over = threading.Event()


@env.task
async def quick() -> int:
    return 1


@env.task
async def asks_to_stop() -> int:
    await asyncio.to_thread(first_is_over.wait)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()
    return 2


if __name__ == "__main__":
    first = laminar.with_runcontext(quiet=True).run(quick)
    second = laminar.with_runcontext(quiet=True).run(asks_to_stop)
    first.wait()
    first_is_over.set()
    try:
        second.wait()
    except KeyboardInterrupt:
        print(second.status, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_an_interrupt_stops_every_run_that_goes_on(folder: Path) -> None:
    (folder / "main.py").write_text(SCRIPT)
    said = subprocess.run([sys.executable, "main.py"], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "CANCELLED True\n"
