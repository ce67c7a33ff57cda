"""An archive that is not plainly harmless is refused whole, and nothing outside its folder is ever touched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hostile import END, GOOD, SHAPES, entry, pack, pax, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laminar.errors import BundleError
from laminar.packaging.names import Limits
from laminar.packaging.tree import Tree
from laminar.packaging.unpack import unpack


def whole(folder: Path) -> str:
    """Hash everything below a folder: paths, kinds, modes, contents, and where links lead."""
    digest = hashlib.sha256()
    for path in [folder, *sorted(folder.rglob("*"))]:
        found = path.lstat()
        digest.update(f"{path} {found.st_mode} {found.st_uid} {found.st_size} {found.st_nlink}\n".encode())
        if path.is_symlink():
            digest.update(os.fsencode(os.readlink(path)))
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def world(tmp_path):
    """A folder to unpack into, with files around it that must stay as they are."""
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "file").write_text("precious")
    (tmp_path / "archive").touch()
    return tmp_path


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("missing", [True, False], ids=["missing", "empty"])
def test_what_means_harm_is_refused_and_leaves_nothing(world, name, missing):
    archive, words = SHAPES[name]
    (world / "archive").write_bytes(archive)
    if not missing:
        (world / "a" / "b").mkdir(parents=True)
    before = whole(world)
    with pytest.raises(BundleError, match=f"archive is refused: it .*{words}"):
        unpack(str(world / "archive"), str(world / ("target" if missing else "a/b")))
    assert whole(world) == before


def test_every_refusal_takes_little_memory_and_time(tmp_path):
    for number, (archive, _) in enumerate(SHAPES.values()):
        (tmp_path / f"{number}.tar.gz").write_bytes(archive)
    program = """
import resource, sys
from laminar.errors import BundleError
from laminar.packaging.unpack import unpack
base = resource.getrusage(resource.RUSAGE_SELF)
worst = 0
for number in range(int(sys.argv[2])):
    before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    try:
        unpack(f"{sys.argv[1]}/{number}.tar.gz", f"{sys.argv[1]}/{number}")
    except BundleError:
        worst = max(worst, sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base.ru_maxrss, worst)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(len(SHAPES))], capture_output=True, text=True, check=True
    )
    kilobytes, seconds = done.stdout.split()
    assert int(kilobytes) <= 64 << 10
    assert float(seconds) <= 2.0


def test_plain_files_and_folders_are_unpacked_whoever_made_the_archive(world):
    long = "/".join(["long"] * 30)
    content = b"".join(
        [
            entry("empty", kind=tarfile.DIRTYPE),
            GOOD,
            entry("run", b"#!/bin/sh\n", mode=0o6755, uid=1000, uname="somebody", mtime=99),
            entry("secret", b"", mode=0o4000),
            entry("pkg/größe.txt", b"3"),
            pax(record("path", f"{long}/x") + record("mtime", "1.5"), entry("x", b"deep")),
            entry("././@LongLink", b"gnu/" + b"n" * 150 + b"\0", tarfile.GNUTYPE_LONGNAME),
            entry("x", b"gnu"),
            entry("empty/", kind=tarfile.DIRTYPE),
        ]
    )
    (world / "archive").write_bytes(pack(content, end=END * 9))
    unpack(str(world / "archive"), str(world / "target"))
    target = world / "target"
    modes = {path.name: path.stat().st_mode & 0o7777 for path in target.iterdir()}
    assert {name: oct(mode) for name, mode in modes.items()} == {
        "empty": "0o755",
        "good.py": "0o644",
        "run": "0o755",
        "secret": "0o644",
        "pkg": "0o755",
        "long": "0o755",
        "gnu": "0o755",
    }
    assert (target / long / "x").read_bytes() == b"deep"
    assert (target / "gnu" / ("n" * 150)).read_bytes() == b"gnu"
    assert (target / "run").stat().st_uid == os.getuid()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_what_tarfile_writes_is_unpacked(world, form):
    source = world / "source"
    (source / "sub" / ("n" * 90)).mkdir(parents=True)
    (source / "sub" / ("n" * 90) / "file.txt").write_text("deep")
    with tarfile.open(world / "archive", "w:gz", format=form) as archive:
        archive.add(source / "sub", "sub")
    unpack(str(world / "archive"), str(world / "target"))
    assert (world / "target" / "sub" / ("n" * 90) / "file.txt").read_text() == "deep"


def test_nothing_is_unpacked_on_top_of_anything(world):
    (world / "archive").write_bytes(pack(GOOD))
    before = whole(world)
    with pytest.raises(BundleError, match="not empty"):
        unpack(str(world / "archive"), str(world))
    assert whole(world) == before


def test_what_somebody_else_puts_into_the_folder_meanwhile_is_not_followed(world):
    placing = Tree(str(world / "target"))
    (world / "target" / "good.py").symlink_to(world / "outside")
    with pytest.raises(FileExistsError):
        placing.put_file("good.py", False, [b"evil"])
    placing.remove()
    assert (world / "outside").read_text() == "precious"
    assert os.listdir(world / "target") == ["good.py"]


def test_an_archive_that_is_not_there_is_named(world):
    with pytest.raises(BundleError, match=r"absent could not be unpacked into .*No such file"):
        unpack(str(world / "absent"), str(world / "target"))


def test_limits_can_be_set(world):
    (world / "archive").write_bytes(pack(GOOD, entry("b", b"x" * 600)))
    for limits, words in (
        (Limits(files=1), "more than 1 files"),
        (Limits(size=500), "more than 0 MB"),
        (Limits(path=4), "more than 4 bytes"),
    ):
        with pytest.raises(BundleError, match=words):
            unpack(str(world / "archive"), str(world / "target"), limits)
    unpack(str(world / "archive"), str(world / "target"), Limits(files=2, size=610))


def test_a_disk_without_room_is_named(world):
    (world / "archive").write_bytes(pack(entry("big", os.urandom(200_000))))
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from laminar.packaging.unpack import unpack; unpack(*sys.argv[1:])"
    )
    arguments = [sys.executable, "-B", "-c", program, str(world / "archive"), str(world / "target")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "could not be unpacked into" in done.stderr
    assert "Make room" in done.stderr
    assert not (world / "target").exists()


SOUND = b"".join(
    [GOOD, entry("pkg", kind=tarfile.DIRTYPE), pax(record("path", "pkg/" + "m" * 120), entry("x", b"y" * 600))]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    kind=st.sampled_from([b"0", b"1", b"2", b"5", b"x", b"L", b"S", b"g"]),
    mend=st.booleans(),
)
def test_whatever_is_changed_in_an_archive_nothing_outside_is_touched(tmp_path_factory, changes, kind, mend):
    world = tmp_path_factory.mktemp("mutated")
    mutated = bytearray(SOUND)
    for position, value in changes:
        mutated[position] = value
    if mend:  # so that more than the checksum is tried
        mutated[156:157] = kind
        mutated[148:156] = b" " * 8
        mutated[148:156] = b"%06o\0 " % sum(mutated[:512])
    check(world, pack(bytes(mutated)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_changed_in_what_is_packed_nothing_outside_is_touched(tmp_path_factory, data):
    mutated = bytearray(pack(SOUND))
    places = st.tuples(st.integers(0, len(mutated) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(places, min_size=1, max_size=4)):
        mutated[position] = value
    end = data.draw(st.integers(0, len(mutated)))
    check(tmp_path_factory.mktemp("packed"), bytes(mutated[:end]) + data.draw(st.binary(max_size=20)))


def check(world, archive):
    (world / "archive").write_bytes(archive)
    before = whole(world)
    try:
        unpack(str(world / "archive"), str(world / "target"))
    except BundleError:
        assert whole(world) == before
        return
    found = [path.lstat() for path in (world / "target").rglob("*")]
    assert all((status.st_mode & 0o170000) in (0o100000, 0o040000) and not status.st_mode & 0o7022 for status in found)
    assert sorted(path.name for path in world.iterdir()) == ["archive", "target"]
