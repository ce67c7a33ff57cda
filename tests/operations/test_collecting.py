"""What is named is found, whatever names it; and what is relied on while it is collected stays."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from laminar.data import objects
from laminar.data.artifacts import Artifacts
from laminar.data.contract import KeptBlobs
from laminar.data.local import LocalBlobs
from laminar.data.objects import ObjectBlobs
from laminar.data.reachable import Content
from laminar.data.serde import frames
from laminar.data.unpacking import CHUNK
from laminar.tasks.files import Dir, File, using

LATER = 1e12


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    """A folder of blobs."""
    return LocalBlobs(str(tmp_path))


def stored(blobs: LocalBlobs, value: Any) -> str:
    """Store a value; gives its digest."""
    return Artifacts(blobs, "space", frames.registry()).write(value).hexdigest


def unnamed(blobs: LocalBlobs, *texts: str) -> set[str]:
    """Give the digests of content that some texts do not name."""
    content = Content(blobs, blobs.all())
    for text in texts:
        content.search_text(text)
    return {blob.path.rpartition("/")[2].removesuffix(".gz") for blob in content.unnamed(LATER)}


def test_content_is_named_by_text_by_json_and_by_bytes_in_json(blobs: LocalBlobs) -> None:
    digests = [stored(blobs, f"value {number}") for number in range(6)]
    plain, hexadecimal, in_base64, deep, torn, other = digests
    pickled = pickle.dumps({"of": in_base64})
    texts = [
        json.dumps({"output": [["builtins.str", plain, None]]}),
        json.dumps({"run": {"inputs": pickle.dumps([hexadecimal]).hex()}}),
        json.dumps({"inputs": base64.b64encode(pickled).decode()}),
        json.dumps([{"a": [{"b": [deep]}]}]),
        '{"output": [["builtins.str", "' + torn,
    ]
    assert unnamed(blobs, *texts) == {other}


def test_files_are_found_in_values_and_in_folders_that_are_found_in_values(blobs: LocalBlobs, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name * 10_000)
    with using(blobs, "space"):
        directory: Dir[Any] = Dir.from_local_sync(folder)
        file: File[Any] = File.from_local_sync(folder / "a")
    value = stored(blobs, {"deep": [directory], "much": "x" * 100_000})
    lost = stored(blobs, "nothing names this")
    assert unnamed(blobs, json.dumps([value])) == {lost}
    assert file.digest in unnamed(blobs, json.dumps([]))


def test_a_digest_is_found_wherever_in_a_large_value_it_stands(blobs: LocalBlobs) -> None:
    digests = [stored(blobs, f"value {number}") for number in range(8)]
    parts = [os.urandom(CHUNK // 7) if number % 2 else digests[number // 2] for number in range(16)]
    value = stored(blobs, parts)
    assert unnamed(blobs, json.dumps([value])) == set()


def test_hexadecimal_digits_before_and_after_a_digest_do_not_hide_it(blobs: LocalBlobs) -> None:
    digest = stored(blobs, "value")
    assert unnamed(blobs, f"abc{digest}def") == set()


def test_what_is_written_again_while_it_is_collected_is_there_afterwards(blobs: LocalBlobs) -> None:
    digest = stored(blobs, "value")
    path = f"space/artifacts/{digest}.gz"
    with ThreadPoolExecutor(1) as other:
        for _ in range(300):
            os.utime(f"{blobs.root}/{path}", (0, 0))
            collecting = other.submit(blobs.collect, path, time.time() - 60)
            stored(blobs, "value")
            collecting.result()
            assert blobs.size(path) is not None
    assert list(Path(blobs.root, ".tmp").iterdir()) == []


def kept(blobs: KeptBlobs, path: str) -> bool:
    """Tell whether a listing shows a blob."""
    return path in {blob.path for blob in blobs.all()}


def test_blobs_of_a_folder_are_collected_by_when_they_were_last_relied_on(blobs: LocalBlobs) -> None:
    for name in ("old", "young", "renewed"):
        blobs.write(f"a/b/{name}", b"data")
    for name in ("old", "renewed"):
        os.utime(f"{blobs.root}/a/b/{name}", (0, 0))
    assert blobs.renew("a/b/renewed") == 4
    assert blobs.renew("a/b/none") is None
    hour_ago = time.time() - 3600
    assert [blobs.collect(f"a/b/{name}", hour_ago) for name in ("old", "young", "renewed", "none")] == [
        True,
        False,
        False,
        False,
    ]
    assert {blob.path for blob in blobs.all("a")} == {"a/b/young", "a/b/renewed"}
    assert not kept(blobs, "a/b/old")


def test_objects_of_a_bucket_are_written_again_where_they_are_not_fresh(
    s3_root: str, s3_options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = ObjectBlobs(s3_root, s3_options)
    bucket.write("a/b/one", b"data")
    assert [(blob.path, blob.size) for blob in bucket.all("a")] == [("a/b/one", 4)]
    assert bucket.renew("a/b/one") == 4
    assert bucket.renew("a/b/none") is None
    assert not bucket.collect("a/b/one", time.time() + objects.FRESH - 60)
    monkeypatch.setattr(objects, "FRESH", -60.0)
    assert bucket.renew("a/b/one") is None
    monkeypatch.undo()
    assert bucket.collect("a/b/one", time.time() + objects.FRESH + 60)
    assert not kept(bucket, "a/b/one")
    assert not bucket.collect("a/b/one", LATER)
