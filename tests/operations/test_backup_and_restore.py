"""A copy of a server that is made while it runs, and the server that goes on from it on another machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from operated import Operated, holds

import postgres as clusters


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, operated: Operated, tmp_path: Path) -> Iterator[Operated]:
    """The folder of a server that is to take over, with an empty database if it needs one."""
    database = ""
    if not operated.database.startswith("sqlite"):
        cluster: clusters.Cluster = request.getfixturevalue("cluster")
        database = cluster.database()
    restored = Operated(tmp_path / "restored", database)
    yield restored
    restored.end()
    if database:
        cluster.drop(database)


def back_up(server: Operated, copy: Path) -> None:
    """Copy the database while the server runs, and then the store."""
    if server.database.startswith("sqlite"):
        server.laminar("backup", str(copy), *server.place[:4])
    else:
        command = [program("pg_dump"), "--format=custom", f"--file={copy}", server.database]
        subprocess.run(command, check=True, timeout=60)
    shutil.copytree(server.store, copy.with_suffix(".store"))


def restore(copy: Path, server: Operated) -> None:
    """Put a copy where a server looks for it."""
    server.state.mkdir(parents=True)
    shutil.copytree(copy.with_suffix(".store"), server.store)
    if server.database.startswith("sqlite"):
        shutil.copy(copy, server.state / "server.db")
    else:
        command = [program("pg_restore"), f"--dbname={server.database}", str(copy)]
        subprocess.run(command, check=True, timeout=60)


def program(name: str) -> str:
    """Find one of PostgreSQL's programs."""
    folder = clusters.programs()
    assert folder is not None
    return str(folder / name)


def test_runs_that_went_on_at_the_moment_of_a_copy_end_right_elsewhere(
    operated: Operated, elsewhere: Operated, tmp_path: Path
) -> None:
    server = operated
    server.submit("kept.large", "done", seed=5)
    server.submit("Kept", "flow", seed=5)
    server.wait("done", "flow")
    server.submit("kept.steps", "going-on", n=3)
    server.go(0)
    assert holds(lambda: server.notes()[-1:] == ["start 1"])
    back_up(server, tmp_path / "copy")
    server.stop(9)
    server.end()

    restore(tmp_path / "copy", elsewhere)
    elsewhere.start()
    server.go(1)
    server.go(2)
    elsewhere.wait("going-on")
    assert elsewhere.value("going-on") == 3
    assert elsewhere.view("going-on").epoch == 2
    notes = server.notes()
    assert notes.count("start 0") == notes.count("end 0") == 1
    assert notes.count("start 2") == notes.count("end 2") == 1
    assert notes.count("end 1") == 1
    assert elsewhere.value("done") == "5 " * 5000
    assert elsewhere.view("flow").epoch == 1
    elsewhere.submit("kept.large", "new", seed=6)
    elsewhere.wait("new")


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_copy_made_while_runs_write_is_whole(operated: Operated, tmp_path: Path) -> None:
    for seed in range(8):
        operated.submit("kept.everything", f"run-{seed}", seed=seed)
    for number in range(3):
        operated.laminar("backup", str(tmp_path / f"copy-{number}"), *operated.place[:4])
    for number in range(3):
        copy = apsw.Connection(str(tmp_path / f"copy-{number}"))
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT count(*) FROM submissions").fetchall() == [(8,)]
        copy.close()
    operated.wait(*[f"run-{seed}" for seed in range(8)])


@pytest.mark.parametrize("operated", ["postgres"], indirect=True)
def test_for_postgresql_its_own_program_is_named(operated: Operated, tmp_path: Path) -> None:
    said = operated.laminar("backup", str(tmp_path / "copy"), "--database", operated.database, code=2)
    assert "pg_dump" in said


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_copy_never_replaces_a_file(operated: Operated, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    operated.laminar("backup", str(tmp_path / "copy"), "--state", str(operated.state), code=1)
    assert (tmp_path / "copy").read_text() == "mine"
