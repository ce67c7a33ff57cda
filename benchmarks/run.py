"""Measure speed and size beside bare baselines in the same run, and print a table.

``run.py`` measures everything; ``--only NAME`` one row (or several), ``--quick`` small amounts to see that it works,
``--write`` puts the table into docs/benchmarks.md. Every figure is a median. Each run has a fresh folder; all of them
lie under one that is removed at the end.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import containers
import serving
import tasks
from table import PASS, PROGRAMS, Bench, Figures, Row, milliseconds

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
TABLE = re.compile(r"(<!-- table -->\n).*(<!-- end of table -->)", re.DOTALL)
HEADINGS = ("Work", "Measured", "Baseline", "Ratio", "Goal", "Met")


def imports(bench: Bench) -> Iterator[Row]:
    """Import laminar; ask the command line for help."""
    for statement in ("import laminar", "from laminar import Flow, Layer"):  # the first loads nothing: names are lazy
        command, bare = bench.beside([sys.executable, "-c", statement], PASS)
        yield _whole(f"`{statement}`, whole process", command, bare, 0.060)
    laminar = str(Path(sys.executable).with_name("laminar"))
    command, bare = bench.beside([laminar, "--help"], PASS)
    yield _whole("`laminar --help`, whole process", command, bare, 0.150)


def _whole(work: str, seconds: float, bare: float, goal: float) -> Row:
    baseline = f"`python -c pass` {milliseconds(bare)}"
    return Row(work, milliseconds(seconds), baseline, seconds / bare, f"≤ {milliseconds(goal)}", seconds <= goal)


def hello(bench: Bench) -> Iterator[Row]:
    """Run a flow of two layers."""
    for executor, most in (("thread", 8), ("process", 12)):
        command = [sys.executable, str(PROGRAMS / "hello.py")]
        seconds, bare = bench.beside(command, PASS, executor)
        work = f"`python hello.py` (2 layers), {executor.capitalize()}, whole process"
        ratio = seconds / bare
        yield Row(
            work, milliseconds(seconds), f"`python -c pass` {milliseconds(bare)}", ratio, f"≤ {most}×", ratio <= most
        )


def chain(bench: Bench) -> Iterator[Row]:
    """Run 100 layers, one after another."""
    layers = 100
    seconds, bare = bench.by_turns(
        bench.amount(7, 1), lambda: bench.program("chain", layers), lambda: bench.program("baseline", "loop", layers)
    )
    each = seconds / layers
    baseline = f"loop that pickles each result to a file {milliseconds(bare / layers)} each"
    work = f"chain of {layers} layers, Thread, Local"
    yield Row(work, f"{milliseconds(each)} a layer", baseline, seconds / bare, "≤ 1 ms a layer", each <= 1e-3)


def foreach(bench: Bench) -> Iterator[Row]:
    """Run 1,000 splits and join them."""
    splits = bench.amount(1000, 200)
    seconds, bare = bench.by_turns(
        bench.amount(5, 1),
        lambda: bench.program("foreach", "run", splits),
        lambda: bench.program("baseline", "threads", splits),
    )
    each = seconds / splits
    baseline = f"thread pool that pickles each result to a file {milliseconds(bare / splits)} each"
    work = f"foreach of {splits:,} splits and join, Thread, Local"
    yield Row(work, f"{milliseconds(each)} a split", baseline, seconds / bare, "≤ 0.6 ms a split", each <= 0.6e-3)


def large(bench: Bench) -> Iterator[Row]:
    """Run 10,000 splits: time against linear, and memory of the scheduler."""
    small, splits = bench.amount(1000, 100), bench.amount(10_000, 1000)
    growth: list[float] = []

    def run() -> Figures:
        figures = bench.program("foreach", "run", splits)
        growth.append(figures.peak - figures.before)
        return figures

    one, ten = bench.by_turns(bench.amount(3, 1), lambda: bench.program("foreach", "run", small), run)
    ratio = ten / splits / (one / small)
    work = f"foreach of {splits:,}, Thread, Local"
    baseline = f"{small:,} splits: {milliseconds(one / small)} a split"
    measured = f"{ten:.2f} s, {milliseconds(ten / splits)} a split"
    yield Row(f"{work}: time", measured, baseline, ratio, "≤ 1.15× linear", ratio <= 1.15)
    grown = statistics.median(growth)
    yield Row(f"{work}: scheduler grows", f"{grown:.0f} MB", "", None, "≤ 100 MB", grown <= 100)


def huge(bench: Bench) -> Iterator[Row]:
    """Run 100,000 splits."""
    splits = bench.amount(100_000, 2000)
    figures = bench.program("foreach", "run", splits)
    measured = f"{figures.seconds:.1f} s, {milliseconds(figures.seconds / splits)} a split"
    grown = f"grows {figures.peak - figures.before:.0f} MB"
    yield Row(f"foreach of {splits:,}, Thread, Local", f"{measured}, {grown}", "", None, "completes", met=True)


def forks(bench: Bench) -> Iterator[Row]:
    """Run 1,000 splits, each in a process of its own."""
    splits = bench.amount(1000, 100)
    seconds, bare = bench.by_turns(
        bench.amount(3, 1),
        lambda: bench.program("foreach", "run", splits, executor="process"),
        lambda: bench.program("baseline", "forks", splits),
    )
    baseline = f"bare fork that pickles its result to a file, {splits / bare:.0f} a second"
    work = f"foreach of {splits:,}, Process (isolated), Local"
    rate = splits / seconds
    yield Row(work, f"{rate:.0f} splits/s", baseline, seconds / bare, "≥ 200 splits/s", rate >= 200)


def artifact(bench: Bench) -> Iterator[Row]:
    """Write and read one large array of random float64."""
    size = bench.amount(10**9, 10**8)
    found: dict[str, list[Figures]] = {}
    for _ in range(bench.amount(3, 1)):
        folder = bench.fresh()
        for name in ("artifact", "baseline"):
            for what in ("write", "read"):
                figures = bench.program(name, what, size, folder=folder)
                found.setdefault(f"{name} {what}", []).append(figures)
        shutil.rmtree(folder)
    for what in ("write", "read"):
        seconds = statistics.median(figures.seconds for figures in found[f"artifact {what}"])
        bare = statistics.median(figures.seconds for figures in found[f"baseline {what}"])
        peak = statistics.median(figures.peak for figures in found[f"artifact {what}"]) * 1e6 / size
        speed = size / seconds / 1e6
        work = f"artifact of {size / 1e9:g} GB of random float64: {what}"
        baseline = f"plain file {size / bare / 1e6:.0f} MB/s"
        yield Row(work, f"{speed:.0f} MB/s", baseline, seconds / bare, "≥ 300 MB/s", speed >= 300)
        yield Row(f"{work}, peak memory", f"{peak:.2f}× the object", "", None, "≤ 1.3×", peak <= 1.3)


def resume(bench: Bench) -> Iterator[Row]:
    """Resume a finished run of 10,000 splits, in a new process."""
    splits = bench.amount(10_000, 500)
    folder = bench.fresh()
    bench.program("foreach", "run", splits, folder=folder)
    seconds = statistics.median(
        bench.program("foreach", "resume", folder=folder).seconds for _ in range(bench.amount(3, 1))
    )
    work = f"resume of a finished run of {splits:,} splits"
    yield Row(work, f"{seconds:.2f} s", "", None, "≤ 2 s", seconds <= 2)


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "import": imports,
    "hello": hello,
    "chain": chain,
    "foreach": foreach,
    "large": large,
    "huge": huge,
    "forks": forks,
    "artifact": artifact,
    "resume": resume,
    "children": tasks.children,
    "many": tasks.many,
    "cached": tasks.cached,
    "command": tasks.command,
    "spread": tasks.spread,
    "forked": tasks.forked,
    "cold": containers.cold,
    "warm": containers.warm,
    "image": containers.image,
    "request": serving.request,
    "request-cold": serving.request_cold,
    "fan-out": serving.fan_out,
    "listing": serving.listing,
    "again": serving.again,
}
#: Rows that need a container engine.
CONTAINERS = ("cold", "warm", "image", "request-cold")


def machine(folder: Path) -> str:
    """Describe the machine that measures."""
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) * 1024 / 1e9
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    system = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)], capture_output=True, text=True, check=True
    ).stdout.strip()
    return (
        f"{cores} cores ({models[0] if models else platform.machine()}), {memory:.0f} GB of memory, "
        f"Linux {platform.release()}, files on {system}, Python {platform.python_version()}, "
        f"laminar {version('laminar')}, {time.strftime('%Y-%m-%d')}."
    )


def table(rows: list[Row]) -> str:
    """Draw the table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Measure what the command line asks for. A goal that is missed is said, and no error: machines are noisy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=ROWS, help="measure this; may be given again")
    parser.add_argument("--quick", action="store_true", help="small amounts, to see that everything works")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    parser.add_argument("--folder", type=Path, help="where to work; by default the system's temporary folder")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write wants the whole table at full amounts.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="laminar-bench-", dir=options.folder) as folder:
        bench = Bench(Path(folder), quick=options.quick)
        where = machine(Path(folder))
        there = [name for name in ROWS if name not in CONTAINERS or containers.available()]
        for name in options.only or there:
            for row in ROWS[name](bench):
                rows.append(row)
                print(f"{name}: {row.work}: {row.measured}{'' if row.met else ' (goal missed)'}", file=sys.stderr)
    text = f"{table(rows)}\n\n{where}"
    print(text)
    if options.write:
        PAGE.write_text(TABLE.sub(lambda found: f"{found[1]}{text}\n{found[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
