"""Two schedulers on one execution id: one runs, the other says who holds it; no split has two attempts at a time."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from trials import FULL, PATIENCE, Trial, holds

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.chaos

ROUNDS = 100 if FULL else 10
#: Seconds between the starts of the two.
OFFSETS = [0, 0.005, 0.02, 0.05, 0.1, 0.3]
GRACE = 5
SPLITS = [("Start", 0), *(("Fan", index) for index in range(4)), ("End", 0)]


def overlapping(trial: Trial) -> list[str]:
    """List the splits that started while another attempt of theirs ran, and those that did not run exactly once."""
    running: set[tuple[object, object]] = set()
    found = []
    for word, *what in trial.lines():
        split = (what[0], what[1])
        if word == "start":
            found += [f"{split} had two attempts at a time"] if split in running else []
            running.add(split)
        elif word == "end":
            running.discard(split)
    ends = trial.noted("end")
    return found + [f"{split} ended {ends.count(split)} times" for split in SPLITS if ends.count(split) != 1]


def complaints_of_two(trial: Trial, offset: float) -> list[str]:
    """Start two schedulers, the second so many seconds after the first, and list what went wrong."""
    trial.gate.touch()
    first = trial.start(GRACE)
    threading.Event().wait(offset)  # the offset is what is tried out: nothing is waited for
    second = trial.start(GRACE)
    codes = {one.pid: one.wait(PATIENCE) for one in (first, second)}
    found = []
    if sorted(codes.values()) != [0, 1]:
        found.append(f"they ended with {codes}: {trial.said(first)} {trial.said(second)}")
    else:
        winner, loser = (first, second) if first.returncode == 0 else (second, first)
        held = f"RunHeldError: Run chaos of Held is held by process {winner.pid} on {os.uname().nodename}"
        if held not in trial.said(loser) and "RunExistsError: Run chaos of Held exists already" not in trial.said(
            loser
        ):
            found.append(f"the other did not say who holds the run: {trial.said(loser)}")
    return found + overlapping(trial) + trial.left_behind()


def complaints_of_resume(trial: Trial) -> list[str]:
    """Resume a run that still goes on, and list what went wrong."""
    first = trial.start(GRACE)
    assert holds(lambda: len(trial.noted("start")) == 5), trial.said(first)
    code, said = trial.run(GRACE, "resume")
    held = f"RunHeldError: Run chaos of Held is held by process {first.pid} on {os.uname().nodename}"
    found = [] if code == 1 and held in said else [f"resume ended with {code}: {said}"]
    trial.gate.touch()
    code = first.wait(PATIENCE)
    found += [] if code == 0 else [f"the first ended with {code}: {trial.said(first)}"]
    return found + overlapping(trial) + trial.left_behind()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_of_two_schedulers_one_runs_and_the_other_says_who(number: int, trial: Callable[..., Trial]) -> None:
    assert complaints_of_two(trial("held"), OFFSETS[number % len(OFFSETS)]) == []


def test_resume_of_a_run_that_goes_on_says_who_holds_it(trial: Callable[..., Trial]) -> None:
    assert complaints_of_resume(trial("held")) == []


def test_the_experiment_notices_runs_that_are_taken_unseen(trial: Callable[..., Trial]) -> None:
    found = complaints_of_two(trial("held", bug="runs_are_taken_unseen"), 0)
    assert any("ended with" in each or "two attempts" in each or "did not say who" in each for each in found), found
    assert any("ended 2 times" in complaint or "ended 0 times" in complaint for complaint in found), found


def test_the_experiment_notices_a_resume_that_takes_what_is_held(trial: Callable[..., Trial]) -> None:
    one = trial("held", bug="runs_are_taken_unseen")
    opener = threading.Thread(target=lambda: holds(lambda: len(one.noted("start")) > 5) and one.gate.touch())
    opener.start()
    found = complaints_of_resume(one)
    opener.join()
    assert any("resume ended with 0" in complaint for complaint in found), found
