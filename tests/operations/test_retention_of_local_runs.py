"""What ``laminar gc`` removes from a folder of local runs, and what it never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from operated import COMMAND, PROGRAM, holds

from laminar.ledger.retention import Limits
from laminar.ledger.sql import Ledger
from laminar.runs import retention

DAY = 86400.0
RUN = """
import sys
import laminar
from program import env, everything, large
what, name, seed = sys.argv[1:]
run = laminar.with_runcontext(name=name, quiet=True).run(globals()[what], seed=int(seed))
print(run.result())
"""
READ = """
import sys
import laminar
run = laminar.Run.get(sys.argv[1])
print(run.result())
for action in run.actions():
    print(action.task)
"""
AGE = "UPDATE runs SET ended = ended - ?, started = started - ?, epoch = epoch + 1 WHERE run = ?"


class Folder:
    """A folder of the user, with local runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / ".laminar"
        (path / "program.py").write_text(PROGRAM)
        (path / "run.py").write_text(RUN)
        (path / "read.py").write_text(READ)

    def python(self, *words: str) -> str:
        """Run a program."""
        environment = {**os.environ, "NOTES": str(self.path / "notes"), "HOME": str(self.path)}
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def flow(self, name: str, seed: int) -> None:
        """Run the flow."""
        done = subprocess.run(
            [COMMAND, "run", "--local", "-q", "program.py", "Kept", "--name", name, "--seed", str(seed)],
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def content(self) -> set[Path]:
        """List all values and files."""
        return set(self.root.glob("*/artifacts/*.gz"))

    def age(self, *names: str) -> None:
        """Make runs look as if they were of long ago, and all content."""
        with closing(Ledger(str(self.root / "ledger.db"))) as ledger:
            for name in names:
                values = (100 * DAY, 100 * DAY, name)
                ledger.database.transact(lambda connection, values=values: connection.execute(AGE, values))
        then = time.time() - 100 * DAY
        for path in self.content():
            os.utime(path, (then, then))

    def clear(self, *, newest: int = 0, dry: bool = False) -> retention.Cleared:
        """Remove what is not kept, without the wait for results that others have just taken."""
        now = time.time()
        return retention.clear(str(self.root), Limits(now - 30 * DAY, newest, now - DAY, 0.0), dry=dry)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder in which nothing has run yet."""
    return Folder(tmp_path)


def test_old_runs_go_with_all_that_only_they_refer_to(folder: Folder) -> None:
    folder.python("run.py", "everything", "stays", "1")
    folder.flow("flow-stays", 1)
    kept = folder.content()
    folder.python("run.py", "everything", "goes", "2")
    folder.flow("flow-goes", 2)
    folder.age("goes", "flow-goes")
    told = folder.clear(dry=True)
    assert folder.content() > kept
    cleared = folder.clear()
    assert told == cleared
    assert cleared.runs == 2
    assert folder.content() == kept
    assert folder.python("read.py", "stays").splitlines()[0].isdigit()
    assert not list(folder.root.glob("logs/*/goes")) + list(folder.root.glob("Kept/*/flow-goes"))
    assert not (folder.root / ".tasks" / "runs" / "goes.jsonl").exists()
    again = folder.clear()
    assert (again.runs, again.size) == (0, 0)


def test_what_a_server_keeps_below_the_same_folder_is_not_touched(folder: Folder) -> None:
    folder.python("run.py", "large", "one", "1")
    strange = folder.root / "server" / "store" / "default" / "development" / ".tasks" / "artifacts" / f"{'0' * 64}.gz"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"of a server")
    os.utime(strange, (0, 0))
    folder.age("one")
    assert folder.clear().runs == 1
    assert strange.exists()


def test_runs_that_the_ledger_does_not_know_keep_what_they_have_made(folder: Folder) -> None:
    folder.python("run.py", "large", "one", "1")
    folder.age()
    for suffix in ("", "-wal", "-shm"):
        (folder.root / f"ledger.db{suffix}").unlink(missing_ok=True)
    folder.python("run.py", "large", "two", "2")
    before = folder.content()
    folder.clear()
    assert folder.content() == before


def test_a_run_that_goes_on_keeps_all_that_was_written_since_it_began(folder: Folder) -> None:
    environment = {**os.environ, "NOTES": str(folder.path / "notes")}
    call = "laminar.with_runcontext(name='going-on', quiet=True).run(step, x=0).wait()"
    program = f"import laminar; from program import step; {call}"
    going_on = subprocess.Popen([sys.executable, "-c", program], cwd=folder.path, env=environment)
    assert holds(lambda: (folder.path / "notes").exists())
    folder.python("run.py", "large", "one", "1")
    with closing(Ledger(str(folder.root / "ledger.db"))) as ledger:
        values = (1000 * DAY, 1000 * DAY, "going-on")
        ledger.database.transact(lambda connection: connection.execute(AGE.replace("epoch + 1", "epoch"), values))
    folder.age("one")
    before = folder.content()
    assert folder.clear().content.count == 0
    assert folder.content() == before
    (folder.path / "notes.go0").touch()
    assert going_on.wait(30) == 0
    assert folder.clear().content.count == 1


def test_the_command_answers_in_words_and_in_json(folder: Folder) -> None:
    folder.python("run.py", "large", "one", "1")
    folder.age("one")
    command = [COMMAND, "gc", "--dry-run", "--keep-runs", "0"]
    words = subprocess.run(command, cwd=folder.path, capture_output=True, text=True, check=True, timeout=60).stdout
    assert words.startswith("Would free ")
    assert "1 run, 1 blob, " in words
    done = subprocess.run(
        [*command, "-o", "json"], cwd=folder.path, capture_output=True, text=True, check=True, timeout=60
    )
    plain = json.loads(done.stdout)
    assert (plain["dry_run"], plain["runs"], plain["content"]["count"]) == (True, 1, 1)
