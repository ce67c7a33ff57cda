"""The heartbeat that keeps a run, and the logs that are followed while attempts write them."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from laminar.engine import leases
from laminar.engine.contract import Observer
from laminar.engine.leases import Heartbeat
from laminar.engine.logs import Files
from laminar.host import processes
from laminar.ledger.sql import Ledger
from laminar.model.action import Interrupt
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import State


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path / "ledger.db"))


def lease_of(ledger: Ledger) -> float:
    row = ledger.find("Flow", "run")
    assert row is not None
    return row.lease


def test_a_run_that_is_held_has_its_lease_extended(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.01)
    epoch = ledger.claim("Flow", "run", processes.identity(), None, resume=False)
    before = lease_of(ledger)
    told: queue.SimpleQueue[Interrupt] = queue.SimpleQueue()
    with Heartbeat(ledger.path, "Flow", "run", epoch, told.put):
        while lease_of(ledger) == before:
            continue
    assert told.empty()


def test_a_scheduler_that_has_lost_its_run_is_told_to_stop_at_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.01)
    epoch = ledger.claim("Flow", "run", processes.identity(), None, resume=False)
    ledger.end("Flow", "run", epoch, State.FAILED, None)
    ledger.claim("Flow", "run", processes.identity(), None, resume=True)
    told: queue.SimpleQueue[Interrupt] = queue.SimpleQueue()
    with Heartbeat(ledger.path, "Flow", "run", epoch, told.put):
        interrupt = told.get(timeout=60)
    assert interrupt == Interrupt("another scheduler has taken the run", now=True)


def test_a_beat_that_cannot_be_written_is_missed_and_the_next_one_comes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.01)
    epoch = ledger.claim("Flow", "run", processes.identity(), None, resume=False)
    refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF lease ON runs BEGIN SELECT RAISE(ABORT, 'not now'); END"
    ledger.database.transact(lambda connection: connection.define(refuse))
    told: queue.SimpleQueue[Interrupt] = queue.SimpleQueue()
    before = lease_of(ledger)
    beats = 0
    extend = Ledger.extend

    def counted(self: Ledger, space: str, run: str, of: int) -> bool:
        nonlocal beats
        beats += 1
        return extend(self, space, run, of)

    monkeypatch.setattr(Ledger, "extend", counted)
    with Heartbeat(ledger.path, "Flow", "run", epoch, told.put):
        while beats < 3:
            continue
        ledger.database.transact(lambda connection: connection.define("DROP TRIGGER refuse"))
        while lease_of(ledger) == before:
            continue
    assert told.empty()


class Listener(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, layer: str, index: int, splits: int, text: str) -> None:
        self.lines.append(f"{layer}[{index}/{splits}] {text}")


def test_lines_are_told_once_they_are_whole_and_the_rest_at_the_end(tmp_path: Path) -> None:
    listener = Listener()
    logs = Files(str(tmp_path), listener)
    key = AttemptKey(ActionKey("Flow", "run", "A", 1), 1, 1)
    path = Path(logs.follow(key, key.action.name, 2))
    logs.poll()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab", buffering=0) as file:
        file.write(b"first\nsec")
        logs.poll()
        assert listener.lines == ["A[1/2] first"]
        file.write("ond ü".encode()[:-1])
        logs.poll()
        file.write("ü".encode()[1:] + b"\n10 %\r50 %\r100 %\n\xff bad\nrest")
    logs.poll()
    logs.leave(key)
    assert listener.lines == [
        "A[1/2] first",
        "A[1/2] second ü",
        "A[1/2] 100 %",
        "A[1/2] \ufffd bad",
        "A[1/2] rest",
    ]
    assert path.read_bytes().endswith(b"rest")


def test_what_printed_nothing_leaves_no_log(tmp_path: Path) -> None:
    logs = Files(str(tmp_path), Observer())
    key = AttemptKey(ActionKey("Flow", "run", "A", 0), 1, 1)
    path = Path(logs.follow(key, key.action.name, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    logs.leave(key)
    assert not path.exists()


def test_attempts_under_different_holders_have_logs_of_their_own(tmp_path: Path) -> None:
    logs = Files(str(tmp_path), Observer())
    action = ActionKey("Flow", "run", "A", 0)
    paths = {logs.follow(AttemptKey(action, number, epoch), "A", 1) for number in (1, 2) for epoch in (1, 2)}
    assert len(paths) == 4
