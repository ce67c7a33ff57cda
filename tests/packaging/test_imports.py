"""Importing laminar costs nothing and does nothing, and its rooms are what ARCHITECTURE.md says."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "laminar"
FILES = sorted(SOURCE.rglob("*.py"))
#: Each takes more time to import than all of what a flow needs of laminar's own.
SLOW = {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "subprocess", "tempfile", "typing", "unittest"}
LIBRARIES = {"apsw": "ledger", "click": "cli", "isal": "data", "pathspec": "packaging", "rich": "console"}
DRAWERS = {"utils", "util", "helpers", "common", "misc", "base", "shared"}


def loaded_by(program: str, folder: Path) -> set[str]:
    """Run a program in a new interpreter and list the modules that it has loaded, beside those of a bare one."""
    ask = "import json, sys, threading; print(json.dumps([sorted(sys.modules), threading.active_count()]))"
    names = []
    for code in (ask, f"{program}\n{ask}"):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=60
        )
        modules, threads = json.loads(done.stdout)
        assert threads == 1
        names.append(set(modules))
    assert list(folder.iterdir()) == []
    return names[1] - names[0]


def test_importing_laminar_loads_nothing_else_starts_no_thread_and_writes_no_file(tmp_path):
    assert loaded_by("import laminar", tmp_path) == {"__future__", "laminar", "laminar.version"}


def test_defining_a_flow_loads_nothing_slow(tmp_path):
    program = "from laminar import Flow, Layer\nclass F(Flow): ...\n@F.register\nclass A(Layer): ...\nF()"
    loaded = loaded_by(program, tmp_path)
    assert "laminar.flows.flow" in loaded
    assert loaded & (SLOW | set(LIBRARIES) - {"isal"} | {"cloudpickle", "obstore", "numpy"}) == set()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_one_room_only(library):
    graph = grimp.build_graph("laminar", include_external_packages=True, cache_dir=None)
    rooms = {module.split(".")[1] for module in graph.find_modules_that_directly_import(library)}
    assert rooms == {LIBRARIES[library]}


def test_every_room_has_its_line_in_the_architecture():
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    page = (ROOT / "ARCHITECTURE.md").read_text()
    floors = page.partition("```text\n")[2].partition("```")[0]
    assert [room for room in sorted(rooms) if room not in floors] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_says_what_it_is_for_and_bears_no_empty_name(path):
    assert path.stem not in DRAWERS
    assert ast.get_docstring(ast.parse(path.read_text()))


#: Faces that hand their names on when they are first used: laminar's own, which must cost nothing to import, and that
#: of the suites, whose pytest is not in containers.
LATE = (SOURCE, SOURCE / "testing")


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.name == "__init__.py" and path.parent not in LATE]
    + [*(SOURCE / "configurations").glob("*.py"), SOURCE / "components.py", SOURCE / "exceptions.py"],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_a_face_only_re_exports(path):
    body = ast.parse(path.read_text()).body[1:]
    others = [node for node in body if not isinstance(node, ast.ImportFrom) and "__all__" not in ast.unparse(node)]
    assert others == []
