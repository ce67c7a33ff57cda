"""kill -9 of a split's process before, amid and after every open, write and rename by which its results are stored.

All moments are tried at once: each split of a foreach is killed at another one, and those past the last moment live.
After the kills no blob is partial and the run has failed for the signal; resume in a new process runs what was not
handed over, only that, and ends with the right values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trials import FULL, Trial

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.chaos

SPLITS = 40
#: Sizes of the larger artifact: within one piece, and in several that are compressed while they come.
SIZES = [1_000, 300_000, 2_500_000, 5_000_000, 6_500_000] if FULL else [1_000, 2_500_000]


def complaints(trial: Trial, size: int) -> list[str]:
    """Kill the splits, resume, and list what went wrong."""
    code, said = trial.run(size)
    found = [] if code == 1 and "AttemptKilledError" in said else [f"the run ended with {code}: {said}"]
    found += trial.damaged()
    killed = {index for index, _ in trial.noted("kill")}
    if killed != set(range(len(killed))) or not 10 < len(killed) < SPLITS:
        found.append(f"not every moment was tried: {killed}")
    committed = trial.committed()
    before = set(trial.noted("start"))
    code, said = trial.run(size, "resume")
    found += [] if code == 0 and trial.noted("right") else [f"the resumed run ended with {code}: {said}"]
    again = trial.noted("start")[len(before) :]
    expected = before - committed
    if sorted(again, key=str) != sorted(expected, key=str):
        found.append(f"{again} ran again, not {expected}")
    return found + trial.damaged() + trial.left_behind()


@pytest.mark.parametrize("size", SIZES)
def test_a_split_killed_at_any_write_leaves_no_partial_blob_and_runs_again(
    size: int, trial: Callable[..., Trial]
) -> None:
    assert complaints(trial("torn"), size) == []


def test_the_experiment_notices_blobs_that_grow_under_their_final_names(trial: Callable[..., Trial]) -> None:
    found = complaints(trial("torn", bug="blobs_grow_under_their_names"), 1_000)
    assert any("is damaged" in complaint for complaint in found), found
