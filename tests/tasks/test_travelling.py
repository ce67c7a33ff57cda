"""What travels with tasks: files that nothing imports, and values of types that nothing is known of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import laminar

env = laminar.TaskEnvironment("travel", include=("data/*.txt", "models"))


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


@env.task
def read() -> str:
    return open("data/a.txt").read() + open("models/deep/b.bin").read()


@env.task
def shift(point: Point) -> int:
    return point.x + 1


@env.task
def twice() -> int:
    return shift(Point(1)) + shift(Point(2))


if __name__ == "__main__":
    import sys

    run = laminar.with_runcontext(executor=sys.argv[2] if len(sys.argv) > 2 else None, quiet=True).run(
        {"read": read, "twice": twice}[sys.argv[1]]
    )
    print(run.result())
    print(*run.logs(), sep="\\n")
"""


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder with the files that it includes."""
    (folder / "main.py").write_text(PROGRAM)
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("A")
    (folder / "models" / "deep").mkdir(parents=True)
    (folder / "models" / "deep" / "b.bin").write_text("B")
    command = [sys.executable, "main.py", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def test_files_that_an_environment_includes_are_in_its_containers(tmp_path: Path, docker_host: str) -> None:
    assert docker_host
    said = ran(tmp_path, "read", "docker")
    assert said.stdout.split() == ["AB"], said.stderr


def test_an_included_file_that_is_not_there_is_told_before_anything_runs(tmp_path: Path, docker_host: str) -> None:
    assert docker_host
    (tmp_path / "models").mkdir()
    (tmp_path / "main.py").write_text(PROGRAM)
    command = [sys.executable, "main.py", "read", "docker"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert said.returncode == 1
    assert f"There is nothing at {tmp_path}/data/*.txt, which an environment includes." in said.stderr


def test_a_type_that_travels_by_pickle_is_told_once_where_the_task_is_called(tmp_path: Path) -> None:
    said = ran(tmp_path, "twice")
    result, *log = said.stdout.splitlines()
    assert result == "5"
    told = [line for line in log if "RuntimeWarning" in line]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path}/main.py:")
    assert "Task travel.shift: parameter point is of type Point, which travels by pickle" in told[0]
