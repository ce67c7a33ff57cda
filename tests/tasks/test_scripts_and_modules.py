"""A file that is run as a script, and loaded as a module by the command line: its classes have two names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = """
from dataclasses import dataclass
import laminar

env = laminar.TaskEnvironment("points", cache="auto")

@dataclass
class Point:
    x: int

@env.task
def make(x: int) -> Point:
    print("made")
    return Point(x)

@env.task(cache="disable")
def read(x: int) -> int:
    point = make(x)
    assert isinstance(point, Point)
    return point.x

if __name__ == "__main__":
    print(laminar.run(read, 5).result())
"""
SCRIPT = [sys.executable, "points.py"]
COMMAND = [str(Path(sys.executable).with_name("laminar")), "run", "--local", "points.py", "read", "--x", "5"]


def run(folder: Path, command: list[str]) -> str:
    """Run a command that succeeds, and give what it prints."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("first", "second"), [(SCRIPT, COMMAND), (COMMAND, SCRIPT)], ids=["script", "module"])
def test_a_cached_value_is_of_the_class_that_this_process_knows(first, second, tmp_path):
    (tmp_path / "points.py").write_text(POINTS)
    assert "made" in run(tmp_path, first)
    assert run(tmp_path, second).splitlines()[-1] == "5"
    for command in (first, second):
        assert run(tmp_path, command).splitlines() == ["5"]
