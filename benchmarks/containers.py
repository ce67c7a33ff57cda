"""The rows of containers, beside bare ``docker run`` of the same image."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from table import PROGRAMS, Bench, Row, milliseconds

if TYPE_CHECKING:
    from pathlib import Path


def answer(bench: Bench, folder: Path, name: str, *arguments: object) -> Any:
    """Run a program and give what its last line says, as JSON."""
    return json.loads(bench.output([sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, arguments)], folder))


def image_of(bench: Bench) -> str:
    """Build the automatic image, unless it is there, and name it."""
    name: str = answer(bench, bench.fresh(), "image")["image"]
    return name


def bare(image: str) -> list[str]:
    """Give the command that runs nothing in a container."""
    return ["docker", "run", "--rm", image, "python", "-c", "pass"]


def cold(bench: Bench) -> Iterator[Row]:
    """Run a container for each layer, and for each of 100 splits."""
    image = image_of(bench)
    hello, one = bench.beside([sys.executable, str(PROGRAMS / "hello.py")], bare(image), "docker", repeats=7)
    goal = 2 * one + 0.5
    yield Row(
        "`python hello.py` (2 layers), Docker, a container each, whole process",
        milliseconds(hello),
        f"`docker run IMAGE python -c pass` {milliseconds(one)}",
        hello / one,
        "≤ 2 of the baseline + 500 ms",
        hello <= goal,
    )
    splits = bench.amount(100, 6)
    rounds = [(_foreach(bench, "cold", splits)["seconds"], _many(image, splits)) for _ in range(bench.amount(3, 1))]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    yield Row(
        f"foreach of {splits}, Docker, a container each, 2 at a time, Local",
        f"{ours:.1f} s, {milliseconds(ours / splits)} a split",
        f"{splits} of `docker run IMAGE python -c pass`, 2 at a time: {theirs:.1f} s",
        ours / theirs,
        "≤ 1.3×",
        ours <= 1.3 * theirs,
    )


def _foreach(bench: Bench, how: str, splits: int, folder: Path | None = None) -> Any:
    return answer(bench, folder or bench.fresh(), "containers", how, splits)


def _many(image: str, count: int) -> float:
    """Time many bare containers, two at a time."""
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: subprocess.run(bare(image), check=True), range(count)))
    return time.perf_counter() - began


def warm(bench: Bench) -> Iterator[Row]:
    """Run 100 splits in containers that are up; change a file and run again."""
    image_of(bench)
    splits = bench.amount(100, 20)
    folder = bench.fresh()
    _foreach(bench, "warm", splits, folder)
    found = [_foreach(bench, "warm", splits, folder) for _ in range(bench.amount(5, 1))]
    rate = splits / statistics.median(one["foreach"] for one in found)
    p95 = statistics.median(one["p95"] for one in found)
    work = f"foreach of {splits}, Docker, 2 warm containers, Local"
    yield Row(work, f"{rate:.0f} splits/s", "", None, "≥ 40 splits/s", rate >= 40)
    yield Row(f"{work}: one split, 95th percentile", milliseconds(p95), "", None, "≤ 50 ms", p95 <= 0.05)
    seconds = _changed(bench)
    work = "one file changed, `python main.py` again: to the first line of a layer in a warm container"
    yield Row(work, milliseconds(seconds), "", None, "≤ 500 ms", seconds <= 0.5)


def _changed(bench: Bench) -> float:
    """Tell the seconds from the start of Python to a layer's first line, after its file was changed."""
    folder = bench.fresh()
    script = folder / "main.py"
    shutil.copy(PROGRAMS / "changed.py", script)
    found = []
    for number in range(1 + bench.amount(7, 2)):
        with script.open("a") as file:
            file.write(f"# change {number}\n")
        began = time.time()
        found.append(float(bench.output([sys.executable, str(script)], folder)) - began)
    return statistics.median(found[1:])


def image(bench: Bench) -> Iterator[Row]:
    """Ask for an image that is there."""
    image_of(bench)
    seconds = statistics.median(answer(bench, bench.fresh(), "image")["seconds"] for _ in range(bench.amount(11, 3)))
    work = "run again with nothing changed: image step, in a fresh process"
    yield Row(work, milliseconds(seconds), "", None, "≤ 50 ms", seconds <= 0.05)


def available() -> bool:
    """Tell whether a container engine answers."""
    known = shutil.which("docker") is not None
    return known and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0
