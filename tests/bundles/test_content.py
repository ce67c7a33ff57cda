"""What a bundle holds is one moment's content, and its digest and archive say that and nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import random
import shutil
import stat
import tarfile
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journeys import Journey, program

from laminar.errors import BundleError
from laminar.model.code import Code
from laminar.packaging.bundle import gather
from laminar.packaging.names import Limits
from laminar.packaging.unpack import unpack


def code_of(folder, script="main.py"):
    return Code(str(folder / script), None, (), (str(folder),), (script,), str(folder))


def tree(folder):
    """Everything below a folder: paths, contents, modes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        found[str(path.relative_to(folder))] = (mode, path.read_bytes() if path.is_file() else None)
    return found


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "pkg").mkdir(parents=True)
    (folder / "main.py").write_text("import pkg.part\n")
    (folder / "pkg" / "__init__.py").touch()
    (folder / "pkg" / "part.py").write_text("VALUE = 1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    (folder / "größe.txt").write_text("3 m\n")
    (folder / ("long" * 20) / ("name" * 20)).mkdir(parents=True)
    (folder / ("long" * 20) / ("name" * 20) / "file.bin").write_bytes(random.Random(1).randbytes(3000))
    return folder


def test_the_digest_is_the_same_in_another_checkout_of_another_process(tmp_path):
    said = []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            journey = Journey(tmp_path / f"machine-{number * 'x'}")
            for name in ("one", "two", "three"):
                path = journey.write(f"libs/{name}/{name}/__init__.py", f"VALUE = {name!r}\n")
                os.utime(path, (number * 10**6, number * 10**6))
            journey.write("app/late.py", "VALUE = 1\n")
            journey.write("app/main.py", program("1", "import three, one, two\ndef f():\n    import late"))
        finally:
            os.umask(before)
        folders = tuple(f"libs/{name}" for name in ("one", "two", "three"))
        said.append(journey.leave("main.py", cwd="app", path=folders, PYTHONHASHSEED=str(number)))
    assert said[0].files == said[1].files
    assert len(said[0].files) == 5
    assert said[0].digest == said[1].digest


def test_the_digest_and_the_archive_do_not_know_times_owners_or_places(project, tmp_path):
    first = gather(code_of(project), "all")
    other = tmp_path / "elsewhere" / "other"
    shutil.copytree(project, other)
    for path in [other, *other.rglob("*")]:
        os.utime(path, (5, 5))
        if path.is_file():
            path.chmod(0o700 if path.suffix == ".sh" else 0o600)
        if os.geteuid() == 0:
            os.chown(path, 1234, 4321)
    second = gather(code_of(other), "all")
    assert second.digest == first.digest
    first.write(str(tmp_path / "first.tar.gz"))
    second.write(str(tmp_path / "second.tar.gz"))
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


CHANGES = {
    "a content": lambda folder: (folder / "main.py").write_text("import pkg.part \n"),
    "a name": lambda folder: (folder / "run.sh").rename(folder / "go.sh"),
    "that it can be executed": lambda folder: (folder / "run.sh").chmod(0o600),
    "a file more": lambda folder: (folder / "more.txt").touch(),
    "a file less": lambda folder: (folder / "run.sh").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_digest_knows_every_change(project, change):
    before = gather(code_of(project), "all").digest
    change(project)
    assert gather(code_of(project), "all").digest != before


def test_what_was_read_is_what_is_placed_and_written_whatever_is_edited_later(project, tmp_path):
    bundle = gather(code_of(project), "all")
    was = tree(project)
    for path in project.rglob("*"):
        if path.is_file():
            path.write_text("edited")
    bundle.place(str(tmp_path / "placed"))
    bundle.write(str(tmp_path / "bundle.tar.gz"))
    unpack(str(tmp_path / "bundle.tar.gz"), str(tmp_path / "unpacked"))
    contents = {path: content for path, (_, content) in was.items()}
    assert {path: content for path, (_, content) in tree(tmp_path / "placed").items()} == contents
    assert tree(tmp_path / "unpacked") == tree(tmp_path / "placed")


def test_whatever_the_umask_files_can_be_read_and_scripts_executed(project, tmp_path):
    bundle = gather(code_of(project), "all")
    before = os.umask(0o077)
    try:
        bundle.place(str(tmp_path / "placed"))
    finally:
        os.umask(before)
    modes = {path: mode for path, (mode, _) in tree(tmp_path / "placed").items()}
    assert (modes["main.py"], modes["run.sh"], modes["pkg"]) == (0o644, 0o755, 0o755)


def test_an_archive_is_plain_and_appears_whole_with_its_md5(project, tmp_path):
    bundle = gather(code_of(project), "all")
    path = tmp_path / "out" / "bundle.tar.gz"
    with pytest.raises(BundleError, match="could not be written"):
        bundle.write(str(path))
    path.parent.mkdir()
    promised = bundle.md5
    assert bundle.write(str(path)) == promised
    assert base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode() == promised
    assert os.listdir(path.parent) == ["bundle.tar.gz"]
    assert path.read_bytes()[:10] == b"\x1f\x8b\x08\0\0\0\0\0" + path.read_bytes()[8:10]  # no name, no time
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == [file.path for file in bundle.files]
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {(0, 0, "", 0)}


def test_a_bundle_is_not_put_on_top_of_anything(project, tmp_path):
    bundle = gather(code_of(project))
    with pytest.raises(BundleError, match="not empty"):
        bundle.place(str(project))


def test_code_can_be_seen_elsewhere_than_it_was_placed(project, tmp_path):
    code = gather(code_of(project)).place(str(tmp_path / "placed"), "/laminar")
    assert code == Code("/laminar/main.py", None, (), ("/laminar",), ("/laminar/main.py",), "/laminar")


def test_nothing_travels_for_an_image_that_holds_the_code(project, tmp_path):
    (project / "src").mkdir()
    (tmp_path / "libs").mkdir()
    path = (str(project / "src"), str(project), str(tmp_path / "libs"))
    code = code_of(project).replace(path=path, cwd=str(project / "pkg"), argv=("../main.py", "--fast"))
    bundle = gather(code, "none")
    assert (bundle.files, bundle.digest, bundle.size) == ([], "", 0)
    code = bundle.code("/app")
    assert (code.script, code.cwd, code.argv) == ("/app/main.py", "/app/pkg", ("/app/main.py", "--fast"))
    assert code.path == ("/app/src", "/app", str(tmp_path / "libs"))


def test_where_code_cannot_be_put_is_named(project, tmp_path):
    with pytest.raises(BundleError, match=r"could not be put into .*absent/placed.*No such file"):
        gather(code_of(project)).place(str(tmp_path / "absent" / "placed"))
    assert not (tmp_path / "absent").exists()


def test_a_large_bundle_is_a_snapshot_too(project, tmp_path):
    large = random.Random(1).randbytes(20 << 20)
    (project / "large.bin").write_bytes(large)
    bundle = gather(code_of(project), "all")
    (project / "large.bin").unlink()
    bundle.place(str(tmp_path / "placed"))
    assert (tmp_path / "placed" / "large.bin").read_bytes() == large
    bundle.write(str(tmp_path / "bundle.tar.gz"))
    unpack(str(tmp_path / "bundle.tar.gz"), str(tmp_path / "unpacked"))
    assert tree(tmp_path / "unpacked") == tree(tmp_path / "placed")


def test_content_that_shrinks_like_a_bomb_can_be_unpacked_all_the_same(project, tmp_path):
    (project / "zeros.bin").write_bytes(bytes(8 << 20))
    bundle = gather(code_of(project), "all")
    bundle.write(str(tmp_path / "bundle.tar.gz"))
    unpack(str(tmp_path / "bundle.tar.gz"), str(tmp_path / "unpacked"))
    assert (tmp_path / "unpacked" / "zeros.bin").stat().st_size == 8 << 20


def test_too_many_files_are_refused_with_the_fullest_folder_and_the_remedy(project):
    (project / "data").mkdir()
    for number in range(8):
        (project / "data" / f"{number}.txt").touch()
    with pytest.raises(BundleError, match=r"more than 10 files.*most files: data/.*\.laminarignore") as refused:
        gather(code_of(project), "all", Limits(files=10))
    assert "loaded_modules" in str(refused.value)


def test_too_many_bytes_are_refused_with_the_largest_files(project):
    (project / "big.bin").write_bytes(bytes(3 << 20))
    with pytest.raises(BundleError, match=r"3 MB, more than 1\..*The largest: big\.bin \(3\.0 MB\)"):
        gather(code_of(project), "all", Limits(size=1 << 20))
    (project / "main.py").write_bytes(b"#" * (2 << 20))
    with pytest.raises(BundleError, match=r"The largest: main\.py"):
        gather(code_of(project), "loaded_modules", Limits(size=1 << 20))


def test_an_unknown_style_is_refused_with_the_nearest(project):
    with pytest.raises(BundleError, match="loaded_modules"):
        gather(code_of(project), "loaded-modules")


NAMES = {
    "two spellings": ("Data.csv", "data.csv", "another spelling"),
    "a backslash": ("a\\b.csv", "c.csv", "backslash"),
    "a drive": ("C:data.csv", "d.csv", "absolute"),
    "a line feed": ("a\nb.csv", "c.csv", "control character"),
}


@pytest.mark.parametrize(("one", "two", "words"), NAMES.values(), ids=NAMES.keys())
def test_names_that_do_not_exist_everywhere_are_refused(project, one, two, words):
    (project / one).touch()
    (project / two).touch()
    with pytest.raises(BundleError, match=f"{words}.*Rename it"):
        gather(code_of(project), "all")


PARTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="/\\:"), min_size=1, max_size=20
)
TREES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=4).map("/".join),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=TREES)
def test_whatever_is_gathered_comes_out_again(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("round")
    project = folder / "project"
    project.mkdir()
    (project / "main.py").touch()
    for path, (content, executable) in files.items():
        try:
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_bytes(content)
        except OSError:
            continue  # a file where a folder is, or "..", or a name that is too long
        (project / path).chmod(0o755 if executable else 0o644)
    try:
        bundle = gather(code_of(project), "all")
    except BundleError:
        folded = [unicodedata.normalize("NFC", path.casefold()) for path in tree(project)]
        assert len(set(folded)) < len(folded)
        return
    bundle.place(str(folder / "placed"))
    bundle.write(str(folder / "bundle.tar.gz"))
    unpack(str(folder / "bundle.tar.gz"), str(folder / "unpacked"))
    assert tree(folder / "unpacked") == tree(folder / "placed")
    travelled = {path: content for path, content in tree(project).items() if content[1] is not None}
    left_out = tuple(one.path for one in bundle.left_out)
    assert {path: content for path, content in tree(folder / "placed").items() if content[1] is not None} == {
        path: content for path, content in travelled.items() if not path.startswith(left_out or ("\0",))
    }
    assert gzip.decompress((folder / "bundle.tar.gz").read_bytes())
