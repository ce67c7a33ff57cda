"""Files and folders as handles: content streamed to and from the store of the run."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import moto_process
from laminar.data import canonical
from laminar.data.local import LocalBlobs
from laminar.data.memory import MemoryBlobs
from laminar.errors import CorruptBlobError, TaskError, TaskInputError
from laminar.tasks.files import Dir, File, arriving, using
from laminar.tasks.interface import Interface
from laminar.tasks.kinds import Mismatch, kind_of

KEYS = {"access_key_id": "test", "secret_access_key": "test", "region": moto_process.REGION}
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def awaited(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


def made(name: str = "data.csv", content: str = "a,b\n1,2\n") -> Path:
    Path(name).write_text(content)
    return Path(name)


def no_code(value: object) -> bytes:
    raise AssertionError("a file is no code")


def test_equal_content_of_one_name_is_an_equal_handle_whatever_the_time_and_the_folder() -> None:
    first = File.from_local_sync(made())
    os.mkdir("elsewhere")
    other = made("elsewhere/data.csv")
    os.utime(other, (1, 1))
    second = File.from_local_sync(other)
    assert second == first
    assert hash(second) == hash(first)
    assert canonical.digest(second, no_code) == canonical.digest(first, no_code)
    assert pickle.dumps(second) == pickle.dumps(first)


@pytest.mark.parametrize(("name", "content"), [("data.csv", "a,b\n1,3\n"), ("other.csv", "a,b\n1,2\n")])
def test_other_content_or_another_name_is_another_handle(name: str, content: str) -> None:
    first, second = File.from_local_sync(made()), File.from_local_sync(made(name, content))
    assert second != first
    assert canonical.digest(second, no_code) != canonical.digest(first, no_code)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.integers(1, 20_000), st.integers(1, 4_000_000))
def test_content_of_any_size_comes_back_in_pieces_of_any_size(data: bytes, times: int, piece: int) -> None:
    content = data * times
    with using(MemoryBlobs()):
        file: File[bytes] = File.new_remote("x")
        with file.open_sync("wb") as out:
            for start in range(0, len(content), piece):
                out.write(content[start : start + piece])
        assert file.size == len(content)
        with file.open_sync() as source:
            back = b"".join(iter(lambda: source.read(piece), b""))
        assert back == content
        Path("x").write_bytes(content)
        assert File.from_local_sync("x") == file


def test_text_is_written_and_read_as_utf_8_with_its_lines_as_they_are() -> None:
    file: File[str] = File.new_remote("words.txt")
    with file.open_sync("wt") as out:
        out.write("grün\n")
        out.write("blau\n")
    with file.open_sync("rt") as lines:
        assert list(lines) == ["grün\n", "blau\n"]
    with file.open_sync("rb") as raw:
        assert raw.read() == "grün\nblau\n".encode()


@awaited
async def test_async_forms_do_the_same() -> None:
    file = await File.from_local(made())
    async with file.open("rt") as lines:
        assert [line async for line in lines] == ["a,b\n", "1,2\n"]
    async with file.open("rb") as raw:
        assert (await raw.readline(), await raw.read(1), await raw.read()) == (b"a,b\n", b"1", b",2\n")
    written: File[str] = File.new_remote("data.csv")
    async with written.open("wb") as out:
        await out.write(b"a,b\n1,2\n")
    assert written == file
    assert await file.exists()
    assert Path(await file.download("copy.csv")).read_bytes() == b"a,b\n1,2\n"


def test_what_is_written_does_not_count_if_the_block_fails() -> None:
    file: File[str] = File.new_remote()
    with suppress(ZeroDivisionError), file.open_sync("wt") as out:
        out.write("half")
        raise ZeroDivisionError
    assert not file.written
    assert not file.exists_sync()
    with pytest.raises(TaskError, match="not written"):
        pickle.dumps(file)


@awaited
async def test_what_is_written_does_not_count_if_the_async_block_fails() -> None:
    file: File[str] = File.new_remote()
    with suppress(ZeroDivisionError):
        async with file.open("wb") as out:
            await out.write(b"half")
            raise ZeroDivisionError
    assert not file.written


def test_what_a_file_holds_cannot_be_changed() -> None:
    file = File.from_local_sync(made())
    for mode in ("wb", "ab", "r+", "x"):
        with pytest.raises(TaskError, match=re.escape(f"cannot be opened with mode {mode!r}")), file.open_sync(mode):
            pass


def test_a_file_is_downloaded_to_a_path_a_folder_or_a_place_of_its_own() -> None:
    file = File.from_local_sync(made())
    os.mkdir("folder")
    assert file.download_sync("copy.csv") == "copy.csv"
    assert file.download_sync("folder") == os.path.join("folder", "data.csv")
    own = file.download_sync()
    assert Path(own).name == "data.csv"
    assert Path(own).is_relative_to(Path(".laminar").absolute())
    assert file.download_sync() != own
    for path in ("copy.csv", "folder/data.csv", own):
        assert Path(path).read_text() == "a,b\n1,2\n"
    assert sorted(os.listdir()) == [".laminar", "copy.csv", "data.csv", "folder"]


def test_a_damaged_blob_is_told_and_set_aside() -> None:
    file = File.from_local_sync(made())
    other = File.from_local_sync(made("other", "something else"))
    (damaged,) = Path(".laminar/.tasks").rglob(f"{file.digest}*")
    (whole,) = Path(".laminar/.tasks").rglob(f"{other.digest}*")
    damaged.write_bytes(whole.read_bytes())
    with pytest.raises(CorruptBlobError, match="damaged"), file.open_sync() as source:
        source.read()
    assert not file.exists_sync()
    with pytest.raises(FileNotFoundError, match=r"The content of data\.csv is not at"), file.open_sync():
        pass


def test_a_download_of_a_damaged_blob_leaves_nothing() -> None:
    file = File.from_local_sync(made())
    (blob,) = Path(".laminar/.tasks").rglob(f"{file.digest}*")
    blob.write_bytes(blob.read_bytes()[:-3])
    with pytest.raises(CorruptBlobError):
        file.download_sync("copy")
    assert sorted(os.listdir()) == [".laminar", "data.csv"]


def test_what_is_no_regular_file_is_refused() -> None:
    os.mkdir("folder")
    os.mkfifo("pipe")
    with pytest.raises(FileNotFoundError):
        File.from_local_sync("nothing")
    with pytest.raises(TaskError, match="use Dir"):
        File.from_local_sync("folder")
    with pytest.raises(TaskError, match="no regular file"):
        File.from_local_sync("pipe")
    with pytest.raises(TaskError, match=r"use File\.from_local"):
        Dir.from_local_sync(made())
    with pytest.raises(FileNotFoundError):
        Dir.from_local_sync("nothing")


def tree() -> Path:
    for name, content in {"a.csv": "1", "b.txt": "2", "deep/c.csv": "3", "deep/er/d.csv": "1"}.items():
        path = Path("tree", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Path("tree")


def names(files: object) -> list[str]:
    return [file.name for file in files]  # type: ignore[attr-defined]


def test_a_folder_is_walked_by_depth_and_pattern() -> None:
    folder = Dir.from_local_sync(tree())
    assert (folder.name, folder.count, folder.size) == ("tree", 4, 4)
    assert names(folder.walk_sync()) == ["a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"]
    assert names(folder.walk_sync(max_depth=2)) == ["a.csv", "b.txt", "deep/c.csv"]
    assert names(folder.walk_sync(recursive=False)) == names(folder.list_files_sync()) == ["a.csv", "b.txt"]
    assert names(folder.walk_sync(file_pattern="*.csv")) == ["a.csv", "deep/c.csv", "deep/er/d.csv"]
    found = folder.get_file_sync("deep/c.csv")
    assert found is not None
    with found.open_sync("rt") as source:
        assert source.read() == "3"
    assert folder.get_file_sync("nothing") is None


@awaited
async def test_async_forms_of_a_folder_do_the_same() -> None:
    folder = await Dir.from_local(tree())
    assert [file.name async for file in folder.walk(file_pattern="*.txt")] == ["b.txt"]
    assert names(await folder.list_files()) == ["a.csv", "b.txt"]
    found = await folder.get_file("a.csv")
    assert found is not None
    assert await found.exists()
    assert await folder.exists()
    target = await folder.download("copy")
    assert Dir.from_local_sync(target).digest == folder.digest


def test_folders_of_equal_files_are_equal() -> None:
    first = Dir.from_local_sync(tree())
    for path in Path("tree").rglob("*.csv"):
        os.utime(path, (1, 1))
    assert Dir.from_local_sync("tree") == first
    assert canonical.digest(Dir.from_local_sync("tree"), no_code) == canonical.digest(first, no_code)
    Path("tree/a.csv").rename("tree/z.csv")
    assert Dir.from_local_sync("tree") != first


def test_a_link_to_a_folder_is_refused_and_one_to_a_file_is_the_file() -> None:
    before = Dir.from_local_sync(tree())
    Path("tree/a.csv").rename("moved")
    os.symlink("../moved", "tree/a.csv")
    assert Dir.from_local_sync("tree") == before
    os.symlink("deep", "tree/again")
    with pytest.raises(TaskError, match="link to a folder"):
        Dir.from_local_sync("tree")


def test_a_listing_that_leads_out_of_its_folder_is_not_followed() -> None:
    with using(MemoryBlobs()) as store:
        secret = File.from_local_sync(made())
        digest, _ = store.take(io.BytesIO(json.dumps([["../out", secret.digest, 8]]).encode()))
        with pytest.raises(TaskError, match="out of the folder"):
            Dir("evil", digest, 1, 8).download_sync("safe")
    assert not Path("out").exists()


def test_content_stored_before_a_run_is_in_the_runs_store_once_it_is_an_input() -> None:
    file, folder = File.from_local_sync(made()), Dir.from_local_sync(tree())

    def task(file: File, folders: list[Dir]) -> None: ...

    interface = Interface.of(task)
    with using(MemoryBlobs(), "run") as store:
        assert not store.has(file.digest)
        interface.bind("etl.task", (file, [folder]), {})
        assert store.has(file.digest)
        again = pickle.loads(pickle.dumps(folder))
        assert Path(again.download_sync("copy"), "deep/er/d.csv").read_text() == "1"


def test_who_unpickles_a_value_can_see_whether_its_files_are_still_there() -> None:
    value = {"file": File.from_local_sync(made()), "more": [Dir.from_local_sync(tree())]}
    data = pickle.dumps(value)
    with arriving() as found:
        assert pickle.loads(data) == value
    assert found == [value["file"], *value["more"]]
    assert all(handle.exists_sync() for handle in found)
    inner = next(found[1].walk_sync())
    (blob,) = Path(".laminar/.tasks").rglob(f"{inner.digest}*")
    blob.unlink()
    assert [handle.exists_sync() for handle in found] == [True, False]
    with arriving() as others:
        pass
    assert others == []


def test_paths_are_stored_where_a_file_or_folder_is_expected() -> None:
    def task(file: File[str], folder: Dir, more: list[File] | None = None) -> File: ...

    interface = Interface.of(task)
    bound = interface.bind("etl.task", ("data.csv", tree()), {"more": [made()]}) if made() else {}
    assert bound["file"] == File.from_local_sync("data.csv")
    assert bound["more"] == [bound["file"]]
    assert bound["folder"] == Dir.from_local_sync("tree")
    assert interface.check_result("etl.task", made()) == bound["file"]
    with pytest.raises(TaskInputError, match=r"parameter file expects File, got str: 'nothing' \(there is none"):
        interface.bind("etl.task", ("nothing", "tree"), {})
    with pytest.raises(TaskInputError, match=r"expects Dir, got str: 'data.csv'"):
        interface.bind("etl.task", ("data.csv", "data.csv"), {})
    with pytest.raises(TaskInputError, match="begun, but not written"):
        interface.bind("etl.task", (File.new_remote(), "tree"), {})


def test_a_command_line_and_json_name_files_by_path_or_by_handle() -> None:
    kind = kind_of(File)
    file = kind.parse(str(made()))
    assert file == File.from_local_sync("data.csv")
    assert kind.from_plain(kind.plain(file)) == file
    assert kind_of(list[File]).parse('["data.csv"]') == [file]
    assert kind.parse(Path("data.csv").absolute().as_uri()).address.endswith("/data.csv")
    with pytest.raises(Mismatch, match="there is none of that name"):
        kind.parse("nothing")
    assert (kind.metavar, kind_of(Dir[int]).metavar) == ("FILE", "FOLDER")


def test_a_file_elsewhere_is_told_by_what_it_holds_now_and_read_where_it_lies() -> None:
    address = made().absolute().as_uri()
    first = File.from_existing_remote(address)
    assert first == File.from_existing_remote(address)
    with first.open_sync("rt") as source:
        assert source.read() == "a,b\n1,2\n"
    made(content="changed")
    assert File.from_existing_remote(address) != first
    assert File.from_existing_remote(address, "mine") == File.from_existing_remote(address, "mine")
    os.unlink("data.csv")
    assert not first.exists_sync()
    with pytest.raises(FileNotFoundError):
        File.from_existing_remote(address)
    with pytest.raises(TaskError, match="no address"):
        File.from_existing_remote("ftp://host/file")


def test_a_file_in_a_bucket_is_told_by_its_tag_and_read_in_parts(tmp_path: Path) -> None:
    program = """
        import sys
        from laminar.data.objects import ObjectBlobs
        from laminar.tasks.files import File, using
        from laminar.tasks.kinds import kind_of
        bucket, address = ObjectBlobs("s3://bucket/in"), "s3://bucket/in/data.csv"
        bucket.write("data.csv", b"a,b")
        first = kind_of(File).parse(address)
        assert (first.name, first.size, first.exists_sync()) == ("data.csv", 3, True)
        assert first == File.from_existing_remote(address)
        with first.open_sync("rt") as source:
            assert source.read() == "a,b"
        bucket.write("data.csv", b"c,d")
        assert first != File.from_existing_remote(address)
        bucket.delete("data.csv")
        assert not first.exists_sync()
        with using(ObjectBlobs("s3://bucket/runs")):
            open("local", "wb").write(bytes(range(256)) * 20_000)
            file = File.from_local_sync("local")
            assert open(file.download_sync("copy"), "rb").read() == open("local", "rb").read()
            assert open(file.download_sync(), "rb").read() == open("local", "rb").read()
        print("done")
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with moto_process.serving(str(tmp_path / "log")) as address:
        env = {
            "AWS_ENDPOINT_URL": address,
            "TMPDIR": str(temporary),
            **{f"AWS_{key.upper()}": value for key, value in KEYS.items()},
        }
        said = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], env=env, capture_output=True, text=True, check=False
        )
    assert (said.stdout, said.stderr) == ("done\n", "")
    assert not list(temporary.iterdir())


def test_another_process_reads_what_a_handle_names() -> None:
    file = File.from_local_sync(made())
    program = """
        import pickle, sys
        from laminar.data.local import LocalBlobs
        from laminar.tasks.files import using
        file = pickle.loads(bytes.fromhex(sys.argv[1]))
        with using(LocalBlobs(sys.argv[2])), file.open_sync("rt") as source:
            print(source.read(), end="")
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), pickle.dumps(file).hex(), str(Path(".laminar").absolute())],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "a,b\n1,2\n"


def test_contexts_side_by_side_have_stores_of_their_own(tmp_path: Path) -> None:
    made()

    async def in_store(root: str, ready: asyncio.Barrier) -> File:
        with using(LocalBlobs(root)):
            await ready.wait()
            return await File.from_local("data.csv")

    async def both() -> list[File]:
        ready = asyncio.Barrier(2)
        return await asyncio.gather(*(in_store(str(tmp_path / name), ready) for name in ("one", "two")))

    files = asyncio.run(both())
    assert files[0] == files[1]
    assert all(Path(name, ".tasks").is_dir() for name in ("one", "two"))


def test_large_files_pass_in_little_memory() -> None:
    size = 128 << 20
    with open("large", "wb") as large:
        for number in range(128):
            large.write(os.urandom(1 << 19) + number.to_bytes(4, "big") * (1 << 17))
    tracemalloc.start()
    try:
        file = File.from_local_sync("large")
        file.download_sync("copy")
        with file.open_sync() as source:
            assert sum(len(piece) for piece in iter(lambda: source.read(1 << 20), b"")) == size
        assert tracemalloc.get_traced_memory()[1] < size / 3
    finally:
        tracemalloc.stop()
    assert Path("copy").stat().st_size == Path("large").stat().st_size == size
