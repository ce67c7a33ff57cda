"""What ``laminar gc`` removes from a server, and what it never does, while runs write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from operated import SPACE, Operated, holds

from laminar.client.blobs import SpaceBlobs
from laminar.data.objects import FRESH
from laminar.ledger.opening import open_database
from laminar.ledger.retention import Limits
from laminar.server import retention
from laminar.server.signing import Signer
from laminar.server.store import open_store
from laminar.tasks.files import settled_at
from laminar.wire.runs import ActionPage

DAY = 86400.0
#: The trigger of the table takes a change of an ended run only from a new holder.
AGE_RUN = "UPDATE runs SET ended = ended - ?, epoch = epoch + 1 WHERE run = ?"
AGE_SUBMISSION = "UPDATE submissions SET created = created - ? WHERE run = ?"


def age(server: Operated, *names: str) -> None:
    """Make runs look as if they were of long ago."""
    with closing(open_database(server.database)) as database:
        for name in names:
            for query in (AGE_RUN, AGE_SUBMISSION):
                database.transact(
                    lambda connection, query=query, name=name: connection.execute(query, (100 * DAY, name))
                )


def clear(server: Operated, *, newest: int = 0, dry: bool = False) -> retention.Cleared:
    """Remove what is not kept, without the wait for results that others have just taken."""
    now = time.time()
    limits = Limits(before=now - 30 * DAY, newest=newest, written=now - DAY, settle=0.5)
    with closing(open_database(server.database)) as database:
        store = open_store(server.store, Signer(b"k" * 32))
        return retention.clear(database, store, str(server.state), limits, dry=dry)


def plant(server: Operated, count: int, days: float) -> set[str]:
    """Put content into the store that nothing refers to."""
    names = {f"{SPACE}/.tasks/artifacts/{os.urandom(32).hex()}.gz" for _ in range(count)}
    then = time.time() - days * DAY
    for name in names:
        path = Path(server.store) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"nothing refers to this")
        os.utime(path, (then, then))
    return names


def expected(seed: int) -> int:
    """What ``everything`` returns."""
    size = len(f"{seed} ") * 5000
    return size + len(f"cached {seed % 3} ") * 5000 + size + size


def actions(server: Operated, name: str) -> dict[str, str]:
    """Give the actions of a run by their tasks."""
    path = server.client.space_path(f"/runs/{name}/actions")
    page: ActionPage = server.client.call("GET", path, returns=ActionPage)
    return {str(action.task): action.name for action in page.items}


def see(server: Operated, name: str, seed: int) -> None:
    """See that every value of a run is there, and so are the files that it names."""
    found = actions(server, name)
    assert server.value(name) == expected(seed)
    assert server.value(name, found["kept.large"]) == f"{seed} " * 5000
    assert server.value(name, found["kept.cached"]) == f"cached {seed % 3} " * 5000
    blobs = SpaceBlobs(server.client)
    (file,) = settled_at(blobs, lambda: server.value(name, found["kept.file"]))
    with file.open_sync("rb") as content:
        assert content.read() == b"%d " % seed * 5000
    folder = settled_at(blobs, lambda: server.value(name, found["kept.folder"]))
    for one in folder.list_files_sync():
        with one.open_sync("rb") as content:
            assert content.read() == f"{seed}/{one.name} ".encode() * 5000


@pytest.mark.timeout(240)
def test_nothing_reachable_goes_and_all_else_does_while_twenty_runs_write(operated: Operated) -> None:
    server = operated
    for seed in range(6):
        server.submit("kept.everything", f"old-{seed}", seed=seed)
        server.submit("Kept", f"flow-{seed}", seed=seed)
    server.wait(*[f"old-{seed}" for seed in range(6)], *[f"flow-{seed}" for seed in range(6)])
    of_kept = {3, 4, 5}
    age(server, *[f"old-{seed}" for seed in range(3)], *[f"flow-{seed}" for seed in range(3)])
    server.age()
    before = server.content()
    garbage, fresh = plant(server, 50, days=2), plant(server, 5, days=0)

    told = clear(server, dry=True)
    assert told.runs == 6
    assert server.content() == before | garbage | fresh

    for seed in range(10):
        server.submit("kept.everything", f"new-{seed}", seed=seed)  # some make again what is about to be removed
        server.submit("Kept", f"newer-{seed}", seed=seed)
    assert holds(lambda: len(server.content()) > len(before | garbage | fresh), 60)
    cleared = clear(server)
    server.wait(*[f"new-{seed}" for seed in range(10)], *[f"newer-{seed}" for seed in range(10)])
    clear(server)

    assert cleared.runs == 6
    assert not garbage & server.content()
    assert fresh <= server.content()
    for seed in of_kept:
        see(server, f"old-{seed}", seed)
    for seed in range(10):
        see(server, f"new-{seed}", seed)
    records = {path.name for path in Path(server.store).glob(f"{SPACE}/Kept/archives/*")}
    assert records == {f"flow-{seed}" for seed in of_kept} | {f"newer-{seed}" for seed in range(10)}
    logs = {path.name for path in Path(server.store).glob(f"{SPACE}/logs/*")}
    assert not logs & {f"old-{seed}" for seed in range(3)}


def test_what_only_removed_runs_refer_to_goes_with_them(operated: Operated) -> None:
    server = operated
    server.submit("kept.everything", "gone", seed=7)
    server.submit("Kept", "gone-flow", seed=7)
    server.wait("gone", "gone-flow")
    server.submit("kept.everything", "stays", seed=8)
    server.wait("stays")
    age(server, "gone", "gone-flow")
    server.age()
    told = clear(server, dry=True)
    cleared = clear(server)
    assert told == cleared
    assert cleared.runs == 2
    see(server, "stays", 8)
    again = clear(server, dry=True)
    assert (again.runs, again.size) == (0, 0)
    with closing(open_database(server.database)) as database:
        for table in ("runs", "actions", "attempts", "events", "calls", "submissions", "labels"):
            assert database.read(f"SELECT count(*) FROM {table} WHERE run LIKE 'gone%'") == [(0,)], table


def test_the_newest_runs_of_each_task_stay_however_old_they_are(operated: Operated) -> None:
    server = operated
    for seed in range(3):
        server.submit("kept.large", f"run-{seed}", seed=seed)
        server.wait(f"run-{seed}")
    age(server, "run-0", "run-1", "run-2")
    server.age()
    assert clear(server, newest=2).runs == 1
    assert server.value("run-1") == "1 " * 5000
    assert server.value("run-2") == "2 " * 5000


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_file_that_only_the_inputs_of_a_run_name_is_kept(operated: Operated) -> None:
    server = operated
    script = """
import laminar, sys
from laminar.io import File
from program import take
laminar.init(endpoint=sys.argv[1])
open("mine.txt", "w").write("x" * 9000)
run = laminar.run(take, text="y" * 9000, files=[File.from_local_sync("mine.txt")])
print(run.result())
"""
    (server.folder / "call.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "call.py", server.url],
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    server.age()
    before = server.content()
    assert clear(server).content.count == 0
    assert server.content() == before


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_store_of_which_the_database_knows_nothing_is_left_alone(operated: Operated, tmp_path: Path) -> None:
    server = operated
    server.submit("kept.large", "one", seed=1)
    server.wait("one")
    server.age()
    before = server.content()
    with closing(open_database(f"sqlite:///{tmp_path}/other.db")) as wrong:
        store = open_store(server.store, Signer(b"k" * 32))
        now = time.time()
        found = retention.clear(wrong, store, str(tmp_path), Limits(now, 0, now, 0.0), dry=False)
    assert found.strangers == (SPACE,)
    assert server.content() == before


@pytest.mark.parametrize("operated", ["postgres"], indirect=True)
def test_the_command_tells_what_would_go_and_changes_nothing(operated: Operated) -> None:
    server = operated
    plant(server, 3, days=2)
    before = server.content()
    said = server.laminar("gc", "--dry-run", *server.place)
    assert said.startswith("Would free 66 B: 3 blobs")
    plain = json.loads(server.laminar("gc", "--dry-run", *server.place, "-o", "json"))
    assert plain["content"] == {"count": 3, "size": 66}
    assert server.content() == before
    assert server.laminar("gc", *server.place) == "Freed 66 B: 3 blobs.\n"
    assert server.laminar("gc", *server.place) == "There is nothing to remove.\n"


def test_content_of_a_bucket_goes_too(
    tmp_path: Path, s3_root: str, s3_options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_options.items():
        monkeypatch.setenv(f"AWS_{name.upper().removeprefix('AWS_')}", str(value))
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    server = Operated(tmp_path / "server", store=s3_root).start()
    try:
        server.deploy()
        server.submit("kept.everything", "stays", seed=1)
        server.submit("Kept", "flow", seed=1)
        server.wait("stays", "flow")
        store = open_store(s3_root, Signer(b"k" * 32))
        garbage = f"{SPACE}/.tasks/artifacts/{os.urandom(32).hex()}.gz"
        store.blobs.write(garbage, b"nothing refers to this")
        now = time.time()
        with closing(open_database(server.database)) as database:
            limits = Limits(now - DAY, 0, now, 0.0)
            young = retention.clear(database, store, str(server.state), limits, dry=False)
            assert young.content.count == 0
            limits = Limits(now - DAY, 0, now + 2 * FRESH, 0.0)
            assert retention.clear(database, store, str(server.state), limits, dry=False).content.count == 1
        assert store.blobs.size(garbage) is None
        see(server, "stays", 1)
    finally:
        server.end()
