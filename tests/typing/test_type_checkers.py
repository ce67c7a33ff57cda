"""What type checkers say of programs that use laminar, in a folder of the user's own, with laminar installed."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
MARK = re.compile(r"# (?:right|wrong): (\d+) - ")
MYPY_ERROR = re.compile(r"^(\w+\.py):(\d+): error: ", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Gives a folder with both files, and settings that do not hang on whoever runs the test."""
    for name in ("right.py", "wrong.py"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    settings = {"include": ["right.py", "wrong.py"], "strict": ["right.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    return tmp_path


def marked(name: str) -> dict[int, int]:
    """Find the marks of a file: line to number of the program."""
    lines = (HERE / name).read_text().split("\n")
    return {line: int(mark[1]) for line, text in enumerate(lines, 1) if (mark := MARK.search(text))}


def judge(folder: Path, *command: str | Path) -> str:
    """Run a type checker, which must end with code 1: errors were found."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def assert_exactly_the_marked(found: set[tuple[str, int]], report: str) -> None:
    """Check that each marked line of the wrong programs has an error, and no other line of either file."""
    assert found == {("wrong.py", line) for line in marked("wrong.py")}, report


@pytest.mark.parametrize("name", ["right.py", "wrong.py"])
def test_each_file_has_25_programs(name: str) -> None:
    assert list(marked(name).values()) == list(range(1, 26))


def test_mypy_accepts_the_right_programs_and_refuses_each_wrong_one(folder: Path) -> None:
    report = judge(folder, BIN / "mypy", "--strict", "right.py", "wrong.py")
    assert_exactly_the_marked({(name, int(line)) for name, line in MYPY_ERROR.findall(report)}, report)


def test_pyright_accepts_the_right_programs_and_refuses_each_wrong_one(folder: Path) -> None:
    report = judge(folder, BIN / "pyright", "--pythonpath", sys.executable, "--outputjson")
    errors: list[dict[str, Any]] = [
        found for found in json.loads(report)["generalDiagnostics"] if found["severity"] == "error"
    ]
    found = {(Path(error["file"]).name, error["range"]["start"]["line"] + 1) for error in errors}
    assert_exactly_the_marked(found, report)


RIGHT = runpy.run_path(str(HERE / "right.py"))["PROGRAMS"]


def test_every_right_program_is_listed() -> None:
    assert len(RIGHT) == len({program.__name__ for program in RIGHT}) == 25


@pytest.mark.parametrize("program", RIGHT, ids=lambda program: program.__name__)
def test_every_right_program_runs(program: Any) -> None:
    program()
