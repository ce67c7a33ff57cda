"""The ledger passes its suite in memory and as a file; as a file it is shared, killed, damaged and outdated."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from laminar.errors import LedgerError, NewerSchemaError, RunHeldError
from laminar.host import processes
from laminar.ledger import tables
from laminar.ledger.database import Database
from laminar.ledger.sql import MEMORY, Ledger
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import State
from laminar.testing.ledger import LedgerConformance


class TestLedgerInMemory(LedgerConformance):
    @pytest.fixture
    def ledger(self) -> Iterator[Ledger]:
        ledger = Ledger(MEMORY)
        yield ledger
        ledger.close()


class TestLedgerAsAFile(LedgerConformance):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        ledger = Ledger(str(tmp_path / "folder" / "ledger.db"))
        yield ledger
        ledger.close()


class TestLedgerOfAServer(LedgerConformance):
    @pytest.fixture
    def ledger(self, database: Database) -> Iterator[Ledger]:
        ledger = Ledger(database, scope="project/development")
        yield ledger
        ledger.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


def assert_sound(path: str) -> None:
    """Look at the file with another SQLite than ours."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED"])
@pytest.mark.parametrize("table", ["runs", "actions", "attempts"])
def test_the_database_itself_keeps_ends_final(path: str, table: str, state: str) -> None:
    ledger = Ledger(path)
    epoch = ledger.claim("Flow", "run", processes.identity(), None, resume=False)
    key = ActionKey("Flow", "run", "A", 0)
    ledger.wait("Flow", "run", "A", [0], epoch, "")
    ledger.start(AttemptKey(key, 1, epoch), 1.0, "")
    ledger.finish(AttemptKey(key, 1, epoch), State(state), "", 2.0, None, None)
    ledger.settle(key, epoch, State(state), None, 2.0)
    ledger.end("Flow", "run", epoch, State(state), None)
    ledger.close()
    with sqlite3.connect(path) as other:
        for late in ("RUNNING", "SUCCEEDED", "FAILED"):
            with pytest.raises(sqlite3.IntegrityError, match=r"does not change|changes only under a new holder"):
                other.execute(f"UPDATE {table} SET state = ?", (late,))
        assert other.execute(f"SELECT DISTINCT state FROM {table}").fetchall() == [(state,)]


def test_what_one_connection_wrote_another_reads(path: str) -> None:
    first, second = Ledger(path), Ledger(path)
    stamp = second.stamp()
    first.claim("Flow", "run", processes.identity(), None, resume=False)
    assert second.stamp() != stamp
    assert second.find("Flow", "run") == first.find("Flow", "run")
    with pytest.raises(RunHeldError):
        second.claim("Flow", "run", processes.identity(), None, resume=True)


def test_a_run_that_this_process_left_without_a_word_can_be_taken_again(path: str) -> None:
    first = Ledger(path)
    first.claim("Flow", "run", processes.identity(), None, resume=False)
    first.close()
    second = Ledger(path)
    assert second.claim("Flow", "run", processes.identity(), None, resume=True) == 2
    with pytest.raises(RunHeldError):
        Ledger(path).claim("Flow", "run", processes.identity(), None, resume=True)


def test_a_ledger_is_not_made_by_who_only_reads(path: str) -> None:
    with pytest.raises(LedgerError, match=rf"There is no ledger at {path}.*--root"):
        Ledger(path, create=False)
    assert not os.path.exists(path)


def test_a_ledger_of_a_newer_laminar_is_refused_and_left_as_it_is(path: str) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {tables.COMPONENT.version + 1}")
    other.close()
    before = Path(path).read_bytes()
    with pytest.raises(
        NewerSchemaError, match=rf"{path} has schema {tables.COMPONENT.version + 1} of 'ledger'; this laminar knows"
    ):
        Ledger(path)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database, whatever its name says" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_ledger_is_refused_with_its_path(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(LedgerError, match=rf"The ledger at {path} cannot be opened: .* restore it from a copy\."):
        Ledger(path)
    assert Path(path).read_bytes() == content


def test_a_ledger_in_a_place_that_cannot_be_written_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LedgerError, match=rf"The ledger at {tmp_path}/file/ledger.db cannot be opened: "):
        Ledger(str(tmp_path / "file" / "ledger.db"))


def test_a_ledger_that_is_damaged_while_it_is_open_says_so(path: str) -> None:
    ledger = Ledger(path)
    for number in range(300):
        ledger.claim("Flow", f"run-{number:04d}", processes.identity(), "x" * 500, resume=False)
    ledger.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8 * 4096))
    with pytest.raises(LedgerError, match=rf"The ledger at {path} cannot be (read|opened)"):
        Ledger(path).runs(1000)


WRITER = """
    import sys
    from laminar.host import processes
    from laminar.ledger.sql import Ledger
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.model.states import State

    path, run, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.stdin.read()  # until all are there
    ledger = Ledger(path)
    epoch = ledger.claim("Flow", run, processes.identity(), None, resume=False)
    for number in range(count):
        key = ActionKey("Flow", run, "A", number)
        ledger.wait("Flow", run, "A", [number], epoch, "waits")
        ledger.start(AttemptKey(key, 1, epoch), 1.0, "log")
        ledger.finish(AttemptKey(key, 1, epoch), State.SUCCEEDED, "succeeded", 2.0, None, None)
        ledger.settle(key, epoch, State.SUCCEEDED, None, 2.0)
        ledger.event("Flow", run, "step", str(number))
        ledger.flush()
        if number % 50 == 0:
            assert ledger.extend("Flow", run, epoch)
    ledger.end("Flow", run, epoch, State.SUCCEEDED, None)
    ledger.close()
"""


def _writers(path: str, count: int) -> list[subprocess.Popen[str]]:
    program = textwrap.dedent(WRITER)
    return [
        subprocess.Popen(
            [sys.executable, "-c", program, path, f"run-{number}", str(count)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]


def test_eight_processes_write_at_once_and_none_is_told_that_the_database_is_locked(path: str) -> None:
    count = 400
    writers = _writers(path, count)
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()  # all begin at once, with a file that is not there yet
    failures = [(writer.stderr.read() if writer.stderr else "", writer.wait()) for writer in writers]
    assert failures == [("", 0)] * 8
    ledger = Ledger(path)
    for number in range(8):
        run = f"run-{number}"
        assert [event.detail for event in ledger.events("Flow", run)] == [str(step) for step in range(count)]
        assert {row.state for row in ledger.actions("Flow", run)} == {State.SUCCEEDED}
        assert len(ledger.attempts("Flow", run)) == count
    assert [row.state for row in ledger.runs()] == [State.SUCCEEDED] * 8
    ledger.close()
    assert_sound(path)


def test_writers_that_are_killed_leave_a_sound_ledger_of_whole_groups(path: str) -> None:
    writers = _writers(path, 100_000)
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    reader = None
    while reader is None or min(len(reader.events("Flow", f"run-{number}")) for number in range(8)) < 20:
        if os.path.exists(path):
            reader = reader or Ledger(path)
        assert all(writer.poll() is None for writer in writers)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        assert writer.stderr is not None
        assert writer.stderr.read() == ""
        writer.wait()
    reader.close()
    assert_sound(path)
    ledger = Ledger(path)
    for number in range(8):
        run = f"run-{number}"
        steps = [event.detail for event in ledger.events("Flow", run)]
        assert steps == [str(step) for step in range(len(steps))]
        assert len(ledger.attempts("Flow", run)) == len(steps), "a group was written in part"
        assert ledger.claim("Flow", run, processes.identity(), None, resume=True) == 2


def test_readers_that_take_long_do_not_hold_up_writers(path: str) -> None:
    ledger = Ledger(path)
    epoch = ledger.claim("Flow", "run", processes.identity(), None, resume=False)
    with sqlite3.connect(path) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (0,)
        for number in range(200):
            ledger.event("Flow", "run", "step", str(number))
            ledger.flush()
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (0,), "a reader saw a change of its snapshot"
        reader.rollback()
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (200,)
    assert ledger.extend("Flow", "run", epoch)


def test_the_ledger_writes_ahead_and_uses_a_sqlite_without_the_reset_bug(path: str) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert tuple(map(int, apsw.sqlite_lib_version().split(".")[:3])) >= (3, 51, 3)
