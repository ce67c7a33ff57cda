"""A row of the table of figures, and what runs the programs that are measured."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
PASS = [sys.executable, "-c", "pass"]


def milliseconds(seconds: float) -> str:
    """Show a time."""
    shown = seconds * 1000
    return f"{shown:.0f} ms" if shown >= 10 else f"{shown:.2f} ms"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, what it took, what bare Python takes, and the goal."""

    work: str
    measured: str
    baseline: str
    ratio: float | None
    goal: str
    met: bool

    def cells(self) -> tuple[str, ...]:
        """Give the cells of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}×"
        return (self.work, self.measured, self.baseline, ratio, self.goal, "yes" if self.met else "no")


class Bench:
    """Runs programs, each in a fresh folder and an environment without settings of laminar's or Python's."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        """Work below a folder."""
        self._folder = folder
        self._count = 0
        self.quick = quick
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("LAMINAR_IMAGE_") or not name.startswith(("PYTHON", "LAMINAR_"))
        }

    def amount(self, full: int, quick: int) -> int:
        """Choose how much to do."""
        return quick if self.quick else full

    def fresh(self) -> Path:
        """Make a folder that nobody has used."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def seconds(self, command: list[str], executor: str = "process") -> float:
        """Time a whole process, from before its start until it has been waited for."""
        folder = self.fresh()
        environment = {**self._environment, "LAMINAR_EXECUTOR": executor}
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
        return seconds

    def output(self, command: list[str], folder: Path) -> str:
        """Run a program in a folder and give the last line that it prints."""
        environment = {**self._environment, "LAMINAR_QUIET": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with code {done.returncode}.")
        return done.stdout.splitlines()[-1]

    def beside(
        self, command: list[str], baseline: list[str], executor: str = "process", repeats: int = 21
    ) -> tuple[float, float]:
        """Time two whole processes by turns and give the medians; the first pair warms the caches and is dropped."""
        pairs = [(self.seconds(command, executor), self.seconds(baseline)) for _ in range(1 + self.amount(repeats, 3))]
        return statistics.median(pair[0] for pair in pairs[1:]), statistics.median(pair[1] for pair in pairs[1:])

    def program(self, name: str, *arguments: object, executor: str = "thread", folder: Path | None = None) -> Figures:
        """Run a program that reports figures of a part of its work."""
        command = [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]
        environment = {**self._environment, "LAMINAR_EXECUTOR": executor, "LAMINAR_QUIET": "1"}
        done = subprocess.run(
            command, cwd=folder or self.fresh(), env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with code {done.returncode}.")
        return Figures(**json.loads(done.stdout.splitlines()[-1]))

    def by_turns(self, repeats: int, *works: Callable[[], Figures]) -> list[float]:
        """Run several works by turns and give the median seconds of each."""
        rounds = [[work().seconds for work in works] for _ in range(repeats)]
        return [statistics.median(column) for column in zip(*rounds, strict=True)]


@dataclass(frozen=True)
class Figures:
    """What a program reports: seconds, and megabytes of resident memory before and at most."""

    seconds: float
    before: float
    peak: float
