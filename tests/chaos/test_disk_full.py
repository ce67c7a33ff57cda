"""The disk full, on a small file system in memory.

The run fails with an error that names the path and the bytes; no blob and no ledger is damaged; after space is freed,
resume completes and nothing that was committed runs again.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from trials import FULL, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.chaos

MEGABYTE = 1 << 20
DISK = 16 * MEGABYTE
LARGE = 8 * MEGABYTE
#: The room left when the disk fills amid a run. The ledger is the first to find none; from about 35 pages on, all fits.
ROOMS = [4096 * pages for pages in range(30)] if FULL else [0, 4096, 20 * 4096]
#: The same where the ledger lies on another disk: logs, manifests, blobs and archives take turns; 21 pages are enough.
ROOMS_WITHOUT_LEDGER = [4096 * pages for pages in range(18)] if FULL else [4096, 12 * 4096]


@pytest.fixture
def disk(tmp_path: Path, needs: Callable[[object, str], None]) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "laminar-chaos", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    needs(mounted, "the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def complaints(trial: Trial, size: int, room: int) -> list[str]:
    """Run until the disk is full, free it, resume, and list what went wrong."""
    code, said = trial.run(size, room)
    names_path = str(trial.root) in said
    names_bytes = re.search(r"[\d,]+ bytes", said)
    found = [] if code == 1 and names_path and names_bytes else [f"the run ended with {code}: {said}"]
    found += trial.damaged()
    found += trial.left_behind()
    committed = trial.committed()
    before = len(trial.noted("start"))
    (trial.root.parent / "filler").unlink(missing_ok=True)
    found += [f"the ledger: {row}" for row in trial.ledger("PRAGMA integrity_check") if row != ("ok",)]
    code, said = trial.run(size, room, "resume")
    found += [] if code == 0 and trial.noted("right") else [f"resume ended with {code}: {said}"]
    again = committed & set(trial.noted("start")[before:])
    found += [f"{split} was committed and ran again" for split in sorted(again, key=str)]
    found += [f"the ledger: {row}" for row in trial.ledger("PRAGMA integrity_check") if row != ("ok",)]
    states = trial.ledger("SELECT state FROM runs")
    return found + trial.damaged() + ([] if states == [("SUCCEEDED",)] else [f"the run is {states}"])


def test_an_artifact_too_large_for_the_disk_is_named_with_its_bytes(disk: Path, trial: Callable[..., Trial]) -> None:
    (disk / "filler").write_bytes(bytes(DISK - LARGE // 2))
    one = trial("filled", root=disk / "runs")
    assert complaints(one, LARGE, -1) == []
    refused = rf"Could not write [1-9][\d,]+ bytes at {re.escape(str(one.root))}/\S+: No space left on device"
    assert re.search(rf"StorageError: {refused}\. Free some space and resume the run", one.first_said())
    assert one.noted("start").count(("Start", 0)) == 1
    assert one.noted("start").count(("Large", 0)) == 2


@pytest.mark.parametrize("room", ROOMS)
def test_a_disk_that_fills_up_in_the_midst_damages_nothing(room: int, disk: Path, trial: Callable[..., Trial]) -> None:
    assert complaints(trial("filled", root=disk / "runs"), 10_000, room) == []


@pytest.mark.parametrize("room", ROOMS_WITHOUT_LEDGER)
def test_a_disk_without_the_ledger_that_fills_up_damages_nothing(
    room: int, disk: Path, tmp_path: Path, trial: Callable[..., Trial]
) -> None:
    one = trial("filled", root=disk / "runs")
    one.root.mkdir()
    (one.root / "ledger.db").symlink_to(tmp_path / "ledger.db")
    assert complaints(one, 10_000, room) == []
    blob, manifest = r"StorageError: Could not write [1-9][\d,]* bytes at", r"\.manifest\. [\d,]+ bytes are free there"
    assert re.search(f"{blob}|{manifest}", one.first_said()), "whichever finds no room first names its path and bytes"


def test_a_disk_that_is_full_from_the_start_refuses_before_anything_runs(
    disk: Path, trial: Callable[..., Trial]
) -> None:
    one = trial("filled", root=disk / "runs")
    (disk / "filler").write_bytes(bytes(DISK))
    code, said = one.run(10_000, -1)
    assert (code, one.lines()) == (1, [])
    assert f"The datastore at {one.root} cannot be written: No space left on device. 0 bytes are free" in said
    (disk / "filler").unlink()
    code, said = one.run(10_000, -1)
    assert code == 0, said
    assert one.noted("right") == [()]


def test_the_experiment_notices_a_full_disk_that_is_ignored(disk: Path, trial: Callable[..., Trial]) -> None:
    (disk / "filler").write_bytes(bytes(DISK - LARGE // 2))
    found = complaints(trial("filled", root=disk / "runs", bug="a_full_disk_is_not_noticed"), LARGE, -1)
    assert any("is damaged" in complaint for complaint in found), found
