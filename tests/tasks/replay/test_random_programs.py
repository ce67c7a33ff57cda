"""Random asynchronous programs, killed at random moments and resumed: no value is wrong, nothing finished runs again.

To look at one: ``python tests/tasks/replay/replay_trials.py FOLDER SEED 1``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import replay_trials

pytestmark = pytest.mark.chaos

TRIALS = Path(replay_trials.__file__)
FULL = os.environ.get("LAMINAR_CHAOS") == "full"
#: Programs that one test runs; the first seeds of each.
MANY = 20
STARTS = range(0, 1000 if FULL else 100, MANY)


def trials(folder: Path, first: int, count: int, *options: str) -> list[dict[str, Any]]:
    """Run seeds in a process of their own, which forks for each run."""
    done = subprocess.run(
        [sys.executable, TRIALS, folder, str(first), str(count), *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=110,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("first", STARTS)
def test_programs_that_were_killed_go_on_with_the_values_they_had(tmp_path: Path, first: int) -> None:
    found = trials(tmp_path, first, MANY)
    assert [trial["seed"] for trial in found] == list(range(first, first + MANY))
    assert {trial["seed"]: trial["faults"] for trial in found if trial["faults"]} == {}
    assert sum(trial["kills"] for trial in found) >= MANY


@pytest.mark.parametrize("bug", replay_trials.BUGS)
def test_the_trials_notice_a_wrong_engine(tmp_path: Path, bug: str) -> None:
    found = trials(tmp_path, 0, 8, "--bug", bug)
    assert any(trial["faults"] for trial in found)
