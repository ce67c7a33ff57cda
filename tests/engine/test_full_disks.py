"""A disk that fills up under a run, as the process that runs it sees it: the ledger's alone, or that of everything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.schedulers import Scheduler
from laminar.errors import LedgerError, StorageError
from laminar.ledger.sql import Ledger
from laminar.model.states import State


@pytest.fixture
def disk(tmp_path: Path, needs: Callable[[object, str], None]) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)]
    needs(os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0, "the right to mount")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> None:
    """Take all the room there is."""
    with open(disk / "filler", "ab", buffering=0) as filler:
        for size in (1 << 16, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue


class FillFlow(Flow): ...


@FillFlow.register
class First(Layer):
    def __call__(self) -> None:
        self.value = 20


@FillFlow.register
class Fills(Layer):
    def __call__(self, first: First) -> None:
        if "FILL" in os.environ:
            fill(Path(os.environ.pop("FILL")))
        self.value = first.value + 1


@FillFlow.register
class Last(Layer):
    def __call__(self, fills: Fills) -> None:
        self.value = fills.value * 2


def make(root: Path) -> FillFlow:
    return FillFlow(
        datastore=datastores.Local(root=str(root)), executor=executors.Thread(), scheduler=Scheduler(quiet=True)
    )


def sound(path: Path) -> bool:
    ledger = Ledger(str(path), create=False)
    rows = ledger.database.read("PRAGMA integrity_check")
    ledger.close()
    return rows == [("ok",)]


def test_a_run_that_met_a_full_disk_is_resumed_by_the_same_process(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = make(disk / "root")
    monkeypatch.setenv("FILL", str(disk))
    with pytest.raises((StorageError, LedgerError), match=rf"{disk}/root/.*\bbytes\b") as raised:
        flow(execution="run")
    assert any("resume" in note for note in raised.value.__notes__)
    (disk / "filler").unlink()
    assert sound(disk / "root" / "ledger.db")
    execution = flow.execution("run").resume()
    assert execution.layer(Last).value == 42
    assert execution.status is State.SUCCEEDED


def test_a_full_disk_of_the_ledger_alone_is_told_with_its_path_and_the_room(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "ledger.db").symlink_to(disk / "ledger.db")
    flow = make(root)
    monkeypatch.setenv("FILL", str(disk))
    with pytest.raises(LedgerError, match=rf"The ledger at {root}/ledger.db cannot be written: .*full") as raised:
        flow(execution="run")
    assert " bytes are free there. Free some space and resume the run." in str(raised.value)
    (disk / "filler").unlink()
    assert sound(root / "ledger.db")
    assert flow.execution("run").resume().layer(Last).value == 42
    assert [run.state for run in Ledger(str(root / "ledger.db")).runs()] == [State.SUCCEEDED]


def test_a_ledger_on_a_full_disk_takes_changes_again_once_there_is_room(disk: Path) -> None:
    ledger = Ledger(str(disk / "ledger.db"))
    ledger.event("Flow", "run", "before", "")
    ledger.flush()
    fill(disk)
    for number in range(10_000):
        ledger.event("Flow", "run", "lost", "x" * 1000 + str(number))
    with pytest.raises(LedgerError, match=r"cannot be written: .*full\. .*bytes are free there"):
        ledger.flush()
    written = len(ledger.events("Flow", "run"))
    (disk / "filler").unlink()
    ledger.event("Flow", "run", "after", "")
    ledger.flush()
    assert [event.kind for event in ledger.events("Flow", "run")][written:] == ["after"]
    ledger.close()
    assert sound(disk / "ledger.db")
