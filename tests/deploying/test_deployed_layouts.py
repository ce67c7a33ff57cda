"""However a project is laid out, its tasks run from the bundle alone, or are refused by name before they leave."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

TASK = """
import laminar
{imports}
env = laminar.TaskEnvironment("env")

@env.task
def work() -> int:
    {body}
"""


def task(body: str, imports: str = "") -> str:
    return TASK.format(body=body, imports=imports)


RELATIVE = {
    "app/__init__.py": "",
    "app/flows/__init__.py": "",
    "app/flows/main.py": task("return one() + two()", "from .near import one\nfrom ..far import two"),
    "app/flows/near.py": "def one(): return 1\n",
    "app/far.py": "def two(): return 2\n",
}
#: For each layout: its files, the path, the module, what travels, and what the task returns.
LAYOUTS = {
    "a file": ({"main.py": task("return 1")}, ["."], "main", ["main.py"], 1),
    "modules beside it": (
        {"main.py": task("return lib.X", "import lib"), "lib.py": "X = 2\n", "unused.py": ""},
        ["."],
        "main",
        ["lib.py", "main.py"],
        2,
    ),
    "a package with relative imports": (RELATIVE, ["."], "app.flows.main", sorted(RELATIVE), 3),
    "a src layout": (
        {
            "pyproject.toml": "",
            "src/app/__init__.py": "",
            "src/app/main.py": task("return x.X", "from app import x"),
            "src/app/x.py": "X = 4\n",
        },
        ["src"],
        "app.main",
        ["src/app/__init__.py", "src/app/main.py", "src/app/x.py"],
        4,
    ),
    "a src layout and a script beside it": (
        {
            "pyproject.toml": "",
            "jobs/main.py": task("return x.X", "from app import x"),
            "src/app/__init__.py": "",
            "src/app/x.py": "X = 5\n",
        },
        ["jobs", "src"],
        "main",
        ["jobs/main.py", "src/app/__init__.py", "src/app/x.py"],
        5,
    ),
    "a namespace package in two folders": (
        {
            "main.py": task("return a.X + b.X", "from team import a\nfrom team.sub import b"),
            "one/team/a.py": "X = 1\n",
            "two/team/sub/b.py": "X = 5\n",
        },
        [".", "one", "two"],
        "main",
        ["main.py", "one/team/a.py", "two/team/sub/b.py"],
        6,
    ),
    "a namespace package of the project": (
        {"pyproject.toml": "", "main.py": task("return a.X", "from team.deep import a"), "team/deep/a.py": "X = 7\n"},
        ["."],
        "main",
        ["main.py", "team/deep/a.py"],
        7,
    ),
    "a module that is imported later": (
        {
            "main.py": task("from late import X\n    return X"),
            "late.py": "from later import X\n",
            "later.py": "X = 8\n",
        },
        ["."],
        "main",
        ["late.py", "later.py", "main.py"],
        8,
    ),
    "a package that is imported later by name": (
        {
            "main.py": task("import importlib\n    return importlib.import_module('pack.late').X"),
            "pack/__init__.py": "",
            "pack/late.py": "X = 9\n",
        },
        ["."],
        "main",
        ["main.py", "pack/__init__.py", "pack/late.py"],
        9,
    ),
    "several projects side by side": (
        {
            "one/pyproject.toml": "",
            "one/main.py": task("return shared.X", "import shared"),
            "two/pyproject.toml": "",
            "two/shared/__init__.py": "X = 10\n",
        },
        ["one", "two"],
        "main",
        [".path/0/shared/__init__.py", "main.py"],
        10,
    ),
    "data that an environment includes": (
        {
            "main.py": task("return int(open('data/x.txt').read())").replace('"env"', '"env", include=["data/*.txt"]'),
            "data/x.txt": "11",
            "data/y.csv": "",
        },
        ["."],
        "main",
        ["data/x.txt", "main.py"],
        11,
    ),
    "a circle of imports": (
        {
            "main.py": task("return a.one()", "import a"),
            "a.py": "import b\ndef one(): return b.two()\n",
            "b.py": "import a\ndef two(): return 12\n",
        },
        ["."],
        "main",
        ["a.py", "b.py", "main.py"],
        12,
    ),
}
PLACE = """
import importlib, os
from laminar.runs.planning import plan
module = importlib.import_module({module!r})
made = plan([module.env], copy_style={style!r})
made.bundle.place({there!r})
[file.path for file in made.bundle.files]
"""
ARRIVE = """
import json, sys
from laminar.model.action import EntryRef
from laminar.packaging.record import code_of
from laminar.worker import loading
code = code_of({there!r})
loading.load(code.replace(path=(*code.path, *sys.path)), EntryRef("builtins:str", ""))
print(json.dumps(sys.modules[{module!r}].work()))
"""


def left(project, module, path, style="loaded_modules"):
    """Bundle a module's environment as deploying does, and give what travels."""
    there = str(project.folder.parent / "there")
    where = ":".join(str(project.folder / folder) for folder in path)
    program = PLACE.format(module=module, style=style, there=there)
    return project.plan(program, cwd="..", PYTHONPATH=where)


def arrived(project, module):
    """Give what the task returns in an interpreter that has the bundle alone."""
    shutil.rmtree(project.folder)
    project.folder.mkdir()
    program = ARRIVE.format(module=module, there=str(project.folder.parent / "there"))
    return json.loads(project.run(sys.executable, "-c", program, PYTHONPATH="").stdout)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_task_runs_from_its_bundle_alone(project, layout):
    files, path, module, travels, result = layout
    for name, text in files.items():
        project.write(name, text)

    assert left(project, module, path) == sorted([".laminar/code.json", *travels])
    assert arrived(project, module) == result


def test_an_editable_install_travels_and_an_installed_package_does_not(project):
    site = project.folder.parent / "site-packages"
    site.mkdir()
    (site / "installed.py").write_text("X = 1\n")
    project.write("elsewhere/src/edited/__init__.py", "X = 2\n")
    (site / "edited.pth").write_text(str(project.folder / "elsewhere/src") + "\n")
    project.write("main.py", task("return edited.X", "import edited, installed"))
    start = f"import site\nsite.addsitedir({str(site)!r})\n"
    there = str(project.folder.parent / "there")

    files = project.plan(start + PLACE.format(module="main", style="loaded_modules", there=there))

    assert files == [".laminar/code.json", "elsewhere/src/edited/__init__.py", "main.py"]
    shutil.rmtree(project.folder)
    project.folder.mkdir()
    program = start + ARRIVE.format(module="main", there=there)
    assert project.run(sys.executable, "-c", program, PYTHONPATH="").stdout == "2\n"


def test_a_module_in_an_archive_is_refused_by_name(project):
    import zipfile

    project.write("main.py", task("return packed.X", "import packed"))
    with zipfile.ZipFile(project.folder / "packed.zip", "w") as archive:
        archive.writestr("packed.py", "X = 1\n")

    found = project.plan(
        "import main\nplanned(main.env)",
        PYTHONPATH=f"{project.folder}:{project.folder / 'packed.zip'}",
    )

    assert found["refused"] == "BundleError"
    assert "packed" in found["says"]


NEVER = [
    ".env",
    ".git/config",
    ".laminar/config.yaml",
    ".venv/lib/python3.11/site-packages/x.py",
    "__pycache__/main.cpython-311.pyc",
    "config.yaml",
    "ignored/by_git.txt",
    "left_out.txt",
    "state.db",
]


def test_with_all_files_what_is_ignored_and_secrets_and_caches_stay(project):
    project.write(".laminarignore", "left_out.txt\n")
    project.write(".gitignore", "ignored/\n")
    project.write("main.py", task("return int(open('data/x.txt').read())"))
    project.write("data/x.txt", "13")
    project.write(".venv/pyvenv.cfg", "home = /usr/bin\n")
    for name in NEVER:
        project.write(name, "x")

    files = left(project, "main", ["."], style="all")

    assert set(NEVER) & set(files) == set()
    assert {"data/x.txt", "main.py", ".laminar/code.json"} <= set(files)
    assert arrived(project, "main") == 13
