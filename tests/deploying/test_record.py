"""A bundle that is deployed says itself how its code is loaded, and nothing in it depends on who has made it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from laminar.errors import BundleError
from laminar.packaging.record import code_of

MAKE = """
import importlib, json, os, sys
from laminar.packaging.bundle import gather
from laminar.packaging.projects import anchored
from laminar.runs.source import code_of

def make(*names, style="loaded_modules"):
    for name in names:
        importlib.import_module(name)
    code, _ = code_of(names)
    bundle = gather(anchored(code), style, recorded=True)
    bundle.place(os.environ["TO"])
    print(json.dumps({"files": [file.path for file in bundle.files], "digest": bundle.digest}))
"""


class Project:
    """A project that is bundled by processes of its own."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        (folder / "site-packages").mkdir()
        (folder / "site-packages" / "making.py").write_text(MAKE)
        self.folder = folder

    def write(self, name, text=""):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def make(self, *names, path=(".",), cwd=".", to="bundle", style="loaded_modules", seed="0"):
        folders = [str(self.home / one) for one in path] + [str(self.folder / "site-packages")]
        done = subprocess.run(
            [sys.executable, "-c", f"import making; making.make(*{names!r}, style={style!r})"],
            cwd=self.home / cwd,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(folders),
                "TO": str(self.folder / to),
                "PYTHONHASHSEED": seed,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def arrives(self, expression, to="bundle"):
        """Load the code from the bundle alone, and evaluate an expression in it."""
        program = f"""
import json, sys
from laminar.model.action import EntryRef
from laminar.packaging.record import code_of
from laminar.worker import loading
code = code_of({str(self.folder / to)!r})
loading.load(code.replace(path=(*code.path, *sys.path)), EntryRef("builtins:str", ""))
print(json.dumps(eval({expression!r}, dict(sys.modules))))
"""
        for path in self.home.rglob("*.py"):
            path.unlink()
        done = subprocess.run(
            [sys.executable, "-c", program], cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_code_is_loaded_by_what_its_bundle_says_wherever_that_lies(project):
    project.write("pyproject.toml")
    project.write("src/etl/__init__.py", "from . import near\nVALUE = near.VALUE + 1\n")
    project.write("src/etl/near.py", "VALUE = 1\n")

    made = project.make("etl", path=("src",))

    assert made["files"] == [".laminar/code.json", "src/etl/__init__.py", "src/etl/near.py"]
    assert project.arrives("etl.VALUE") == 2


def test_the_bundle_is_the_same_from_any_folder_with_any_seed_and_any_further_path(project):
    project.write("pyproject.toml")
    project.write("jobs/etl.py", "import lib\nVALUE = lib.VALUE\n")
    project.write("lib.py", "VALUE = 1\n")
    project.write("other/notes.txt", "x")

    digests = {
        project.make("etl", path=path, cwd=cwd, seed=seed, to=f"bundle{seed}")["digest"]
        for seed, cwd, path in [
            ("1", ".", ("jobs", ".")),
            ("2", "jobs", ("jobs", ".")),
            ("3", "other", ("jobs", ".", "other")),
            ("4", "..", ("other", "jobs", ".")),
        ]
    }

    assert len(digests) == 1
    assert project.arrives("etl.VALUE", to="bundle4") == 1


def test_without_a_project_file_the_folder_of_the_code_is_the_project(project):
    project.write("jobs/etl.py", "VALUE = 1\n")

    made = project.make("etl", path=("jobs",))

    assert made["files"] == [".laminar/code.json", "etl.py"]


def test_nothing_in_the_record_names_this_machine(project):
    project.write("jobs/etl.py", "VALUE = 1\n")
    project.write("libs/lib.py")
    project.write("jobs/etl.py", "import lib\nVALUE = 1\n")

    project.make("etl", path=("jobs", "libs"))

    said = (project.folder / "bundle/.laminar/code.json").read_text()
    assert json.loads(said)["path"] == ["", ".path/0"]
    assert str(project.folder) not in said


def test_with_all_files_the_project_is_found_by_its_markers(project):
    project.write("setup.cfg")
    project.write("jobs/etl.py", "VALUE = 1\n")
    project.write("data/rows.csv", "1\n")

    made = project.make("etl", path=("jobs",), cwd="jobs", style="all")

    assert made["files"] == [".laminar/code.json", "data/rows.csv", "jobs/etl.py", "setup.cfg"]


def test_where_the_image_has_the_code_the_bundle_holds_its_record_alone(project):
    project.write("pyproject.toml")
    project.write("src/etl.py")

    made = project.make("etl", path=("src",), style="none")

    assert made["files"] == [".laminar/code.json"]
    code = code_of(str(project.folder / "bundle"), "/work")
    assert (code.cwd, code.path, code.imports) == ("/work", ("/work/src",), ("etl",))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 7}', '{"format": 1, "argv": []}', None])
def test_a_bundle_without_a_record_that_is_understood_is_refused(tmp_path, text):
    (tmp_path / ".laminar").mkdir()
    if text is not None:
        (tmp_path / ".laminar/code.json").write_text(text)

    with pytest.raises(BundleError, match=r"Deploy the code again|deploy it again"):
        code_of(str(tmp_path))
