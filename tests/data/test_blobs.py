"""The three places for blobs pass one suite; what is special to each is tested below."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import moto_process
from laminar.data.local import LocalBlobs
from laminar.data.memory import MemoryBlobs
from laminar.data.objects import ObjectBlobs
from laminar.errors import FlowError, StorageError
from laminar.testing.blobs import BlobsConformance


class TestMemoryBlobs(BlobsConformance):
    shared = False

    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()


class TestLocalBlobs(BlobsConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LocalBlobs:
        blobs = LocalBlobs(str(tmp_path / "root"))
        blobs.prepare()
        return blobs


class TestObjectBlobs(BlobsConformance):
    many = 2 * moto_process.PAGE + 3

    @pytest.fixture
    def blobs(self, s3_root: str, s3_options: dict[str, str]) -> ObjectBlobs:
        blobs = ObjectBlobs(s3_root, s3_options)
        blobs.prepare()
        return blobs


def test_local_blobs_create_nothing_before_they_are_prepared(tmp_path: Path) -> None:
    blobs = LocalBlobs(str(tmp_path / "root"))
    assert blobs.names("") == []
    assert blobs.size("a") is None
    assert list(tmp_path.iterdir()) == []


def test_local_blobs_leave_no_private_file_behind(tmp_path: Path) -> None:
    blobs = LocalBlobs(str(tmp_path))
    blobs.prepare()
    blobs.write("a/b/c", b"data")
    upload = blobs.upload()
    upload.write(b"data")
    upload.abort()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["a/b/c"]


def test_a_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalBlobs("~/runs").root == f"{tmp_path}/runs"


def _half_written(root: Path) -> str:
    """Let a process begin an upload and die; gives the name of what it left."""
    program = (
        "import os, sys; from laminar.data.local import LocalBlobs; blobs = LocalBlobs(sys.argv[1]);"
        "blobs.upload().write(b'half'); print(blobs.private_path()); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -9
    return os.path.basename(done.stdout.strip())


def test_what_a_dead_process_left_half_written_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / ".tmp"
    name = _half_written(tmp_path)
    (folder / name).mkdir()
    (folder / name / "0.1.manifest").write_bytes(b"half")
    assert len(list(folder.iterdir())) == 2
    LocalBlobs(str(tmp_path)).prepare()
    assert list(folder.iterdir()) == []


def test_what_a_process_elsewhere_may_still_write_is_left_alone_for_a_week(tmp_path: Path) -> None:
    folder = tmp_path / ".tmp"
    pid, started, place, number = _half_written(tmp_path).split("-")
    elsewhere = folder / f"{pid}-{started}-{place[::-1]}-{number}"
    elsewhere.write_bytes(b"half")
    LocalBlobs(str(tmp_path)).prepare()
    assert list(folder.iterdir()) == [elsewhere]
    os.utime(elsewhere, (0, 0))
    LocalBlobs(str(tmp_path)).prepare()
    assert list(folder.iterdir()) == []


def test_what_a_live_process_writes_is_left_alone(tmp_path: Path) -> None:
    blobs = LocalBlobs(str(tmp_path))
    blobs.prepare()
    upload = blobs.upload()
    upload.write(b"whole")
    LocalBlobs(str(tmp_path)).prepare()
    upload.commit("a")
    assert blobs.read("a") == b"whole"


def test_a_torn_line_of_a_local_log_spoils_no_other(tmp_path: Path) -> None:
    blobs = LocalBlobs(str(tmp_path))
    blobs.append("log", b'{"index": 0}')
    with open(tmp_path / "log", "ab") as file:
        file.write(b'\n{"ind')
    blobs.append("log", b'{"index": 1}')
    assert blobs.lines("log") == [b'{"index": 0}', b'{"ind', b'{"index": 1}']


def test_a_folder_that_is_a_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    blobs = LocalBlobs(str(tmp_path / "file"))
    with pytest.raises(StorageError, match=rf"{tmp_path}/file cannot be written: .*Choose another folder"):
        blobs.prepare()


def test_a_blob_that_is_a_folder_is_refused_with_its_path(tmp_path: Path) -> None:
    blobs = LocalBlobs(str(tmp_path))
    blobs.write("a/b", b"data")
    with pytest.raises(StorageError, match=rf"Could not write 3 bytes at {tmp_path}/a: Is a directory"):
        blobs.write("a", b"new")
    with pytest.raises(StorageError, match=rf"Could not read at {tmp_path}/a: Is a directory"):
        blobs.read("a")
    assert list((tmp_path / ".tmp").iterdir()) == []


@pytest.mark.parametrize("root", ["bucket/laminar", "http://bucket", "file:///tmp", ""])
def test_an_address_that_is_no_bucket_is_refused(root: str) -> None:
    with pytest.raises(FlowError, match=r"no object store.*s3://"):
        ObjectBlobs(root)


def test_a_bucket_that_does_not_exist_is_refused_with_the_reason(s3_options: dict[str, str]) -> None:
    blobs = ObjectBlobs("s3://nowhere/laminar", s3_options)
    with pytest.raises(StorageError, match=r"Could not write 7 bytes at s3://nowhere/laminar/.*404 Not Found"):
        blobs.prepare()


def test_a_server_that_does_not_answer_is_refused_with_its_address() -> None:
    options = {"endpoint": "http://127.0.0.1:9", "access_key_id": "key", "secret_access_key": "secret"}
    blobs = ObjectBlobs("s3://bucket/laminar", {**options, "region": "eu-central-1"})
    with pytest.raises(StorageError, match=r"Could not write 7 bytes at s3://bucket/laminar/.laminar"):
        blobs.prepare()
