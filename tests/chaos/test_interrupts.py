"""Ctrl-C: once stops cleanly and tells how to resume, twice stops at once. Neither leaves a process.

The signal goes to the scheduler's process group, as a terminal sends it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from trials import FULL, PATIENCE, RUN, Trial, holds

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.chaos

MOMENTS = 20 if FULL else 2
#: Longer than any test may take: who waits for it to pass has not stopped at once.
ENDLESS = 3600
#: Start has started and ended, and of each of four splits a stray was noted and the start.
ALL_STARTED = 2 + 2 * 4


def interrupt(scheduler: subprocess.Popen[bytes]) -> None:
    os.killpg(scheduler.pid, signal.SIGINT)


def complaints(trial: Trial, scheduler: subprocess.Popen[bytes], patience: float) -> list[str]:
    """Wait for the end of a run that was interrupted, resume it, and list what went wrong."""
    if not holds(lambda: scheduler.poll() is not None, patience):
        return ["it did not end"]
    said = trial.said(scheduler)
    found = [] if scheduler.returncode == -signal.SIGINT else [f"it ended with {scheduler.returncode}: {said}"]
    if f"laminar resume {trial.program} {RUN}" not in said:
        found.append(f"it did not tell how to resume: {said}")
    left = trial.left_behind()
    if left:
        return found + left
    states = trial.ledger("SELECT state FROM runs")
    found += [] if states == [("CANCELLED",)] else [f"the run is {states}"]
    committed = trial.committed()
    trial.gate.touch()
    before = len(trial.noted("start"))
    code, said = trial.run(ENDLESS, "resume", buggy=False)
    found += [] if code == 0 and trial.noted("end").count(("End", 0)) == 1 else [f"resume ended with {code}: {said}"]
    again = committed & set(trial.noted("start")[before:])
    return found + [f"{split} was committed and ran again" for split in again] + trial.left_behind()


def interrupted_once(trial: Trial, lines: int, patience: float = PATIENCE) -> list[str]:
    """Interrupt a run once user code has noted so many lines, and list what went wrong."""
    scheduler = trial.start(5)
    assert holds(lambda: len(trial.lines()) >= lines), trial.said(scheduler)
    interrupt(scheduler)
    return complaints(trial, scheduler, patience)


def interrupted_twice(trial: Trial, patience: float = PATIENCE) -> list[str]:
    """Interrupt a run whose splits ignore being asked to end, twice, and list what went wrong."""
    scheduler = trial.start(ENDLESS, "stubborn")
    assert holds(lambda: len(trial.lines()) >= ALL_STARTED), trial.said(scheduler)
    interrupt(scheduler)
    assert holds(lambda: "stopping: SIGINT was received" in trial.said(scheduler)), trial.said(scheduler)
    interrupt(scheduler)
    return complaints(trial, scheduler, patience)


def interrupted_somewhen(trial: Trial, seconds: float) -> list[str]:
    """Interrupt a run after so many seconds, wherever it is by then, go on with it, and list what went wrong."""
    trial.gate.touch()
    scheduler = trial.start(5)
    with suppress(subprocess.TimeoutExpired):
        scheduler.wait(seconds)
    if scheduler.poll() is None:
        interrupt(scheduler)
    if not holds(lambda: scheduler.poll() is not None):
        return ["it did not end"]
    said = trial.said(scheduler)
    found = trial.left_behind()
    committed, before = trial.committed(), len(trial.noted("start"))
    state = trial.archives().state(trial.space, RUN)
    begun = state is not None
    if begun and scheduler.returncode not in (0, -signal.SIGINT):
        found.append(f"it ended with {scheduler.returncode}: {said}")
    if state is not None and state["state"] != "SUCCEEDED" and "laminar resume" not in said:
        found.append(f"it did not tell how to resume: {said}")
    code, said = trial.run(5, *(["resume"] if begun else []))
    # A split that was stopped between its last line and its commit has run to its end twice.
    found += [] if code == 0 and ("End", 0) in trial.noted("end") else [f"going on ended with {code}: {said}"]
    again = committed & set(trial.noted("start")[before:])
    return found + [f"{split} was committed and ran again" for split in again] + trial.left_behind()


@pytest.mark.parametrize("seed", range(MOMENTS * 2))
def test_an_interrupt_at_any_moment_leaves_a_run_that_can_go_on(seed: int, trial: Callable[..., Trial]) -> None:
    seconds = random.Random(seed).uniform(0, 0.8)
    assert interrupted_somewhen(trial("held"), seconds) == []


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_one_interrupt_stops_cleanly_and_tells_how_to_resume(seed: int, trial: Callable[..., Trial]) -> None:
    lines = random.Random(seed).randint(1, ALL_STARTED) if seed else ALL_STARTED
    assert interrupted_once(trial("held"), lines) == []


@pytest.mark.parametrize("seed", range(MOMENTS // 2))
def test_two_interrupts_stop_at_once_what_does_not_end_by_itself(seed: int, trial: Callable[..., Trial]) -> None:
    assert interrupted_twice(trial("held")) == []


def test_the_experiment_notices_processes_that_are_left(trial: Callable[..., Trial]) -> None:
    found = interrupted_once(trial("held", bug="strays_are_left"), ALL_STARTED)
    assert any("was left" in complaint for complaint in found), found


def test_the_experiment_notices_a_second_interrupt_that_does_nothing(trial: Callable[..., Trial]) -> None:
    found = interrupted_twice(trial("held", bug="a_second_interrupt_is_as_the_first"), patience=5)
    assert found == ["it did not end"]
