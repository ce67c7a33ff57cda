"""Rows on tasks: children of one parent, in this process and in forks, and the command line."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from table import PASS, PROGRAMS, Bench, Figures, Row, milliseconds


def children(bench: Bench) -> Iterator[Row]:
    """Call 1,000 children side by side, in the process of their parent, which has driven a small run before."""
    count = bench.amount(1000, 100)
    seconds, bare = bench.by_turns(
        bench.amount(7, 1),
        lambda: bench.program("tasks", "gather", count),
        lambda: bench.program("baseline", "coroutines", count),
    )
    yield _each(f"task with {count:,} children by gather, in-process", count, seconds, bare, 0.15e-3)


def _each(work: str, count: int, seconds: float, bare: float, goal: float) -> Row:
    each = seconds / count
    baseline = f"plain coroutines {milliseconds(bare / count)} each"
    ratio = seconds / bare
    return Row(work, f"{milliseconds(each)} a child", baseline, ratio, f"≤ {milliseconds(goal)} a child", each <= goal)


def many(bench: Bench) -> Iterator[Row]:
    """Call 10,000 and 100,000: time against linear, and memory for each."""
    first = bench.amount(1000, 100)
    for count in (bench.amount(10_000, 500), bench.amount(100_000, 1000)):
        growth: list[float] = []

        def run(count: int = count, growth: list[float] = growth) -> Figures:
            figures = bench.program("tasks", "gather", count)
            growth.append((figures.peak - figures.before) * 1e6 / count)
            return figures

        one, all_ = bench.by_turns(bench.amount(3, 1), lambda: bench.program("tasks", "gather", first), run)
        ratio = all_ / count / (one / first)
        work = f"task with {count:,} children, in-process"
        measured = f"{all_:.2f} s, {milliseconds(all_ / count)} a child"
        baseline = f"{first:,} children: {milliseconds(one / first)} a child"
        yield Row(f"{work}: time", measured, baseline, ratio, "≤ 1.15× linear", ratio <= 1.15)
        grown = statistics.median(growth)
        yield Row(f"{work}: memory", f"{grown / 1e3:.1f} KB a child", "", None, "≤ 3 KB a child", grown <= 3e3)


def cached(bench: Bench) -> Iterator[Row]:
    """Call 1,000 children whose results another run has kept."""
    count = bench.amount(1000, 100)
    folder = bench.fresh()
    bench.program("tasks", "gather_kept", count, folder=folder)
    found = [bench.program("tasks", "gather_kept", count, folder=folder).seconds for _ in range(bench.amount(7, 1))]
    bare = [bench.program("baseline", "coroutines", count).seconds for _ in range(bench.amount(7, 1))]
    seconds, plain = statistics.median(found), statistics.median(bare)
    yield _each(f"task with {count:,} cached children, warm", count, seconds, plain, 0.2e-3)


def command(bench: Bench) -> Iterator[Row]:
    """Run a task by the command line."""
    laminar = str(Path(sys.executable).with_name("laminar"))
    words = ["run", "--local", str(PROGRAMS / "task_hello.py"), "hello", "--name", "World"]
    seconds, bare = bench.beside([laminar, *words], PASS)
    baseline = f"`python -c pass` {milliseconds(bare)}"
    work = "`laminar run --local hello.py hello --name World`, whole process"
    yield Row(work, milliseconds(seconds), baseline, seconds / bare, "≤ 250 ms", seconds <= 0.25)


def spread(bench: Bench) -> Iterator[Row]:
    """Spread work over two cores, in processes."""
    count = bench.amount(8, 2)
    seconds, bare = bench.by_turns(
        bench.amount(3, 1),
        lambda: bench.program("tasks", "spread", count, executor="process"),
        lambda: bench.program("baseline", "spin", count),
    )
    gain = bare / seconds
    work = f"`laminar.map` of {count} tasks that use a core, Process"
    baseline = f"one core, plain loop {bare:.2f} s"
    yield Row(work, f"{seconds:.2f} s", baseline, seconds / bare, "≥ 1.8× of one core", gain >= 1.8)


def forked(bench: Bench) -> Iterator[Row]:
    """Call children one after the other, each in a fork, from a parent in a fork."""
    count = bench.amount(100, 20)
    seconds, bare = bench.by_turns(
        bench.amount(5, 1),
        lambda: bench.program("tasks", "one_by_one", count, executor="process"),
        lambda: bench.program("baseline", "forks", count),
    )
    each = seconds / count
    work = "child from a forked process, one after the other, warm"
    baseline = f"bare fork that pickles its result to a file {milliseconds(bare / count)}"
    yield Row(work, milliseconds(each), baseline, seconds / bare, "≤ 8 ms", each <= 8e-3)
