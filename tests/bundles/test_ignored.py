"""With the style "all" every file of the project travels but those that are ignored, and those that never do."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from journeys import Journey, program

from laminar.errors import BundleError
from laminar.model.code import Code
from laminar.packaging.bundle import gather


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    (folder / "main.py").touch()
    return folder


def put(folder, *names, text=""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def bundle_of(folder, style="all"):
    return gather(Code(str(folder / "main.py"), None, (), (str(folder),), ("main.py",), str(folder)), style)


def travels(folder):
    return {file.path for file in bundle_of(folder).files} - {"main.py"}


NEVER = [
    "venv/pyvenv.cfg", "venv/lib/module.py", "__pycache__/main.cpython-311.pyc", "pkg/__pycache__/x.pyc",
    ".mypy_cache/x", ".ruff_cache/x", ".pytest_cache/x", ".hypothesis/x", ".ipynb_checkpoints/x",
    "web/node_modules/x.js",
    ".git/config", ".hg/x", ".svn/x", ".laminar/runs.db", ".laminar/config.yaml", ".laminar/secrets/key", "config.yaml",
    "app.db", "app.db-wal", "app.db-shm", "app.sqlite", "app.sqlite3", "app.sqlite3-journal", "x-wal", "x-shm",
    ".env", ".env.production", "staging.env", ".ENV", "tls/server.pem", "tls/server.key", "id_rsa", "id_rsa.pub",
    "id_ed25519", ".netrc",
    "credentials", "credentials.json", ".aws/credentials", ".ssh/config", ".git-credentials", ".pypirc",
]  # fmt: skip


def test_what_never_travels_stays_and_is_listed_with_the_reason(project):
    put(project, *NEVER)
    put(project, "conf/config.yaml", "environment.py", "keys.txt", "credentials.py", "data.csv", ".dockerignore")
    bundle = bundle_of(project)
    assert {file.path for file in bundle.files} == {
        "main.py", "conf/config.yaml", "environment.py", "keys.txt", "credentials.py", "data.csv", ".dockerignore"
    }  # fmt: skip
    listed = {one.path: one.why for one in bundle.left_out}
    assert all(any(name.startswith(path) for path in listed) for name in NEVER)
    assert listed["venv/"] == "a virtual environment"
    assert listed["app.db"] == "a database"
    assert listed["config.yaml"] == "laminar's own"
    assert listed[".env"] == "a secret"


def test_laminars_configuration_stays_in_the_current_folder_too(project):
    put(project, "work/config.yaml", "work/data.csv", "other/config.yaml")
    code = Code(str(project / "main.py"), None, (), (), ("../main.py",), str(project / "work"))
    paths = [file.path for file in gather(code, "all").files]
    assert paths == ["main.py", "other/config.yaml", "work/data.csv"]


PATTERNS = """
# a comment
*.csv
!keep.csv
/top.txt
build/
docs/*.html
**/deep/**
\\#odd
trail[0-9].log
"""
FILES = [
    "a.csv", "keep.csv", "sub/b.csv", "sub/keep.csv", "top.txt", "sub/top.txt", "build/x", "sub/build/x", "docs/a.html",
    "docs/sub/a.html", "a/deep/b", "#odd", "trail1.log", "trailx.log", "nested/one.txt", "nested/two.txt",
    "nested/a.csv",
    "nested/in/one.txt", "other/one.txt", ".gitignore", "nested/.gitignore",
]  # fmt: skip
NESTED = "one.txt\n!a.csv\n/in/\n"


def test_gitignore_files_mean_what_git_says_that_they_mean(project, needs):
    put(project, *FILES)
    put(project, ".gitignore", text=PATTERNS)
    put(project, "nested/.gitignore", text=NESTED)
    put(project.parent, ".gitignore", text="other/\n")
    git = ["git", "-C", str(project.parent)]
    needs(subprocess.run([*git, "init", "-q"], check=False, capture_output=True).returncode == 0, "git")
    listed = [*git, "ls-files", "--others", "--exclude-standard", "-z", "project"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    expected = {name.removeprefix("project/") for name in names.split("\0") if name} - {"main.py"}
    assert {"keep.csv", "nested/a.csv"} <= expected
    assert not {"other/one.txt", "nested/in/one.txt"} & expected
    assert travels(project) == expected


def test_laminarignore_adds_to_gitignore_and_has_the_last_word(project):
    put(project, "data/a.csv", "data/b.csv", "notes.md", "sub/c.csv", "sub/d.md")
    put(project, ".gitignore", text="*.csv\n")
    put(project, ".laminarignore", text="!a.csv\n*.md\n.*ignore\n")
    put(project, "sub/.laminarignore", text="!*.md\n")
    assert travels(project) == {"data/a.csv", "sub/d.md"}


def test_an_ignore_file_that_means_nothing_is_named(project):
    put(project, ".laminarignore", text="!\n")
    with pytest.raises(BundleError, match=r"\.laminarignore has a pattern"):
        bundle_of(project)


def test_a_module_that_the_code_imports_travels_although_git_ignores_it(tmp_path):
    journey = Journey(tmp_path)
    journey.write("generated.py", "VALUE = 1\n")
    journey.write("data.txt", "one\n")
    journey.write("noise.txt", "two\n")
    journey.write(".gitignore", "generated.py\nnoise.txt\n")
    main = program("[generated.VALUE, open('data.txt').read()]", "import generated")
    journey.write("main.py", main.replace("leave(flow)", "leave(flow, 'all')"))
    left = journey.leave("main.py")
    assert left.files == [".gitignore", "data.txt", "generated.py", "main.py"]
    assert left.left_out == ["noise.txt"]
    assert journey.arrive()[0] == left.answer == [1, "one\n"]


def test_links_travel_only_as_the_content_of_a_file_of_the_project(project):
    put(project, "real/data.csv", text="1\n")
    put(project, ".env", "venv/pyvenv.cfg", "config.yaml")
    put(project.parent, "outside.csv", text="secret\n")
    links = {
        "inside.csv": "real/data.csv",
        "chain.csv": "inside.csv",
        "outside.csv": "../outside.csv",
        "absolute.csv": str(project.parent / "outside.csv"),
        "folder": "real",
        "broken": "nowhere",
        "innocent.txt": ".env",
        "innocent.cfg": "venv/pyvenv.cfg",
        "innocent.yaml": "config.yaml",
        "loop": "loop",
    }
    for name, target in links.items():
        (project / name).symlink_to(target)
    bundle = bundle_of(project)
    assert [file.path for file in bundle.files] == ["chain.csv", "inside.csv", "main.py", "real/data.csv"]
    listed = {one.path: one.why for one in bundle.left_out}
    assert listed["outside.csv"] == listed["absolute.csv"] == "a link that leads out of the project"
    assert listed["folder"] == "a link to a folder"
    assert listed["innocent.txt"] == listed["innocent.yaml"] == "a link to what never travels"
    assert set(links) - set(listed) == {"inside.csv", "chain.csv"}


def test_what_is_no_file_stays(project):
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(project)
        try:
            server.bind("socket")
        finally:
            os.chdir(before)
        bundle = bundle_of(project)
    assert [file.path for file in bundle.files] == ["main.py"]
    assert {one.path: one.why for one in bundle.left_out} == {"pipe": "no regular file", "socket": "no regular file"}


def test_a_home_folder_is_not_copied(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    with pytest.raises(BundleError, match="holds your home folder"):
        bundle_of(project)
    assert [file.path for file in bundle_of(project, "loaded_modules").files] == ["main.py"]


def test_a_project_below_the_current_home_folder_is_its_own(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project.parent))
    code = Code(str(project / "main.py"), None, (), (str(project),), ("project/main.py",), str(project.parent))
    assert [file.path for file in gather(code, "all").files] == ["main.py"]
