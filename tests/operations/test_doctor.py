"""What ``laminar doctor`` finds, and what it says to do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from operated import COMMAND, Operated

from laminar.host import mounts
from laminar.ledger import examining
from laminar.ledger.sql import Ledger
from laminar.runs.examining import clock


class Patient:
    """A folder that is looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def doctor(self, *words: str, code: int = 0, **variables: str) -> dict[str, dict[str, Any]]:
        """Give what was found, by its name."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_")}
        done = subprocess.run(
            [COMMAND, "doctor", "-o", "json", *words],
            cwd=self.folder,
            env={**plain, "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """An empty folder."""
    return Patient(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Operated]:
    """A server that runs, with nothing deployed."""
    one = Operated(tmp_path / "server").start()
    yield one
    one.end()


def test_nothing_is_made_where_nothing_is(patient: Patient) -> None:
    found = patient.doctor("--state", "nowhere")
    assert {"versions", "sqlite", "containers", "configuration", "ledger", "database", "store", "signing key"} <= set(
        found
    )
    assert all(check["state"] != "problem" for check in found.values())
    assert list(patient.folder.iterdir()) == []


def test_each_check_is_a_line(patient: Patient) -> None:
    done = subprocess.run(
        [COMMAND, "doctor"], cwd=patient.folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[0].startswith("ok       versions: laminar ")
    assert ".. " not in done.stdout


def test_a_damaged_ledger_is_found(patient: Patient) -> None:
    path = patient.folder / ".laminar" / "ledger.db"
    Ledger(str(path)).close()
    assert patient.doctor()["ledger"]["state"] == "ok"
    data = bytearray(path.read_bytes())
    data[4096:12288] = os.urandom(8192)
    path.write_bytes(data)
    found = patient.doctor(code=1)["ledger"]
    assert found["state"] == "problem"
    assert "copy" in found["remedy"]


def test_a_ledger_of_a_newer_laminar_is_found(patient: Patient) -> None:
    path = patient.folder / ".laminar" / "ledger.db"
    Ledger(str(path)).close()
    raw = apsw.Connection(str(path))
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    assert "schema 99" in patient.doctor(code=1)["ledger"]["found"]


def test_a_wrong_key_of_the_configuration_is_told_with_its_line(patient: Patient) -> None:
    (patient.folder / "config.yaml").write_text("task:\n  project: mine\n  domaine: development\n")
    found = patient.doctor(code=1)["configuration"]
    assert "config.yaml:3: task.domaine is unknown" in found["found"]


def test_a_server_that_is_configured_is_asked_who_this_is(patient: Patient, server: Operated) -> None:
    found = patient.doctor(*server.place, LAMINAR_SERVER_ENDPOINT=server.url)
    assert "as local (admin), tasks by process" in found["server"]["found"]
    assert found["clock"]["state"] == "ok"
    assert found["database"]["found"].endswith("whole")
    assert found["store"]["state"] == found["signing key"]["state"] == "ok"


def test_a_server_that_does_not_answer_is_a_problem(patient: Patient) -> None:
    found = patient.doctor(code=1, LAMINAR_SERVER_ENDPOINT="http://127.0.0.1:9")
    assert "laminar serve" in found["server"]["found"]


def test_a_signing_key_that_others_can_read_is_a_problem(patient: Patient, server: Operated) -> None:
    (server.state / "signing.key").chmod(0o644)
    found = patient.doctor(*server.place, code=1)["signing key"]
    assert found["remedy"] == f"chmod 600 {server.state}/signing.key"


def test_a_signing_key_that_is_too_short_is_a_problem(patient: Patient, server: Operated) -> None:
    (server.state / "signing.key").write_text("short\n")
    found = patient.doctor(*server.place, code=1)["signing key"]
    assert "holds 5 bytes, and a key has 16 or more" in found["found"]


def test_a_store_without_room_is_a_problem(patient: Patient, needs: Callable[[object, str], None]) -> None:
    disk = patient.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    needs(os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0, "the right to mount")
    try:
        found = patient.doctor("--state", "nowhere", "--store", str(disk), code=1)["store"]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert found["remedy"] == "Make room on its disk."


def test_postgresql_is_asked_for_its_version_and_tables(patient: Patient, postgres: str) -> None:
    found = patient.doctor("--state", "nowhere", "--database", postgres)["database"]
    assert found["found"].startswith("PostgreSQL ")
    assert found["found"].endswith("without tables yet")


def test_postgresql_that_is_away_is_a_problem(patient: Patient) -> None:
    found = patient.doctor("--database", "postgresql://nobody@127.0.0.1:9/none", code=1)["database"]
    assert "does not answer" in found["found"]


def test_a_bucket_and_its_clock_are_asked(patient: Patient, s3_address: str, s3_root: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    keys |= {"AWS_ENDPOINT_URL": s3_address, "AWS_ALLOW_HTTP": "true"}
    found = patient.doctor("--store", s3_root, **keys)
    assert found["store"]["state"] == found["store clock"]["state"] == "ok"
    found = patient.doctor("--store", "s3://laminar-no-such-bucket/x", code=1, **keys)
    assert found["store"]["found"] == "s3://laminar-no-such-bucket/x answers 404"


def test_a_version_of_sqlite_that_can_lose_a_commit_is_told() -> None:
    assert examining.library("3.51.2").state == "warning"
    assert examining.library("3.51.3").state == examining.library("3.52.0").state == "ok"


def test_clocks_may_differ_by_two_seconds_beyond_the_way() -> None:
    assert clock(102.0, 100.0, 101.0).state == "ok"
    assert clock(104.0, 100.0, 101.0).state == "warning"
    assert clock(97.5, 100.0, 101.0).state == "warning"
    assert clock(None, 100.0, 101.0).state == "warning"


def test_a_ledger_on_the_disk_of_another_machine_is_told(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"disk / ext4 rw 0 0\nhost:/share {tmp_path}/a\\040b nfs4 rw 0 0\n")
    assert mounts.is_remote(str(tmp_path / "a b" / "ledger.db"), str(table))
    assert not mounts.is_remote(str(tmp_path / "a" / "ledger.db"), str(table))
