"""Containers under cancels at any moment, and under kills of every kind.

A cancel leaves nothing alive after 10 s, ends as CANCELLED, and nothing starts after it. A memory kill is told as one,
and no other end is.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from trials import FULL, Trial, holds

from laminar.host import processes
from laminar.runs.local import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

pytestmark = pytest.mark.chaos

CANCELS = 50 if FULL else 5
#: As what each way to end is told.
TOLD = {"memory": "out-of-memory", "kill": "killed", "exit": "exited", "shot": "killed", "stopped": "timed-out"}
#: How often an attempt ends in each way, on Docker once cold and once warm: 20 memory kills and 60 others.
WAYS = {"memory": 10, "kill": 10, "exit": 10, "shot": 5, "stopped": 5} if FULL else dict.fromkeys(TOLD, 1)
#: States of attempts after a cancel.
KNOWN = [("Start", "SUCCEEDED"), ("Start", "CANCELLED"), ("Fan", "CANCELLED")]
#: Seconds after which nothing may be left.
SOON = 10.0
GRACE = 0.3


class Contained(Trial):
    """A trial whose splits run in containers, which see its folder."""

    def __init__(self, folder: Path, engine: Engine, program: str = "contained", **options: object) -> None:
        super().__init__(program, folder, root=folder, **options)  # type: ignore[arg-type]
        self.patience = SOON
        self._engine = engine
        self._installation = label_of(str(folder), "", "").split("/")[2]

    def left(self) -> list[int]:
        """List the processes that are alive, but for inits and keepers of containers."""
        mine = [str(self.journal), f"{self.root}/.attempts/", f"{self.root}/.warm/"]
        found = {int(pid): _command(pid) for pid in os.listdir(processes.PROC) if pid.isdigit()}
        ours = {pid: words for pid, words in found.items() if any(word.startswith(tuple(mine)) for word in words)}
        forked = [pid for pid, words in ours.items() if "serve" not in words or self._depth(pid, ours) > 1]
        return [pid for pid in forked if processes.start_time(pid) is not None]

    @staticmethod
    def _depth(pid: int, ours: dict[int, list[str]]) -> int:
        """Count the processes of ours above one; an init and a keeper have at most one."""
        depth = 0
        fields = processes._stat(pid)
        while fields is not None and int(fields[1]) in ours:
            depth, fields = depth + 1, processes._stat(int(fields[1]))
        return depth

    def containers(self, label: str = "laminar.action") -> list[str]:
        wanted = [f"label=laminar.installation={self._installation}", f"label={label}"]
        return self._engine.docker("ps", "-aq", *(word for one in wanted for word in ("--filter", one))).split()

    def left_behind(self) -> list[str]:
        holds(lambda: not self.left(), self.patience, 0.05)
        found = [f"process {pid} was left: {_command(str(pid))}" for pid in self.left()]
        holds(lambda: not self.containers(), self.patience, 0.2)
        return found + [f"container {container} was left" for container in self.containers()]

    def end(self) -> None:
        super().end()
        for container in self.containers("laminar.installation"):
            self._engine.docker("rm", "--force", container)


def _command(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


@pytest.fixture
def contained(tmp_path: Path, engine_named: Callable[[str], Engine]) -> Iterator[Callable[..., Contained]]:
    """Make trials on an engine; whatever they leave is ended with the test."""
    made: list[Contained] = []

    def make(engine: str = "docker", **options: object) -> Contained:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Contained(folder, engine_named(engine), **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def complaints(trial: Contained, kind: str, seconds: float) -> list[str]:
    """Cancel a run so many seconds after it has begun, and list what went wrong."""
    scheduler = trial.start(GRACE, kind)
    assert holds(lambda: (trial.root / "Contained").exists() or scheduler.poll() is not None), trial.said(scheduler)
    threading.Event().wait(seconds)  # the moment is what is tried out: nothing is waited for
    return cancelled(trial, scheduler)


def cancelled(trial: Contained, scheduler: subprocess.Popen[bytes]) -> list[str]:
    """Cancel a run, and list what went wrong."""
    scheduler.send_signal(signal.SIGINT)
    if not holds(lambda: scheduler.poll() is not None, SOON):
        return [f"it did not end: {trial.said(scheduler)}"]
    begun = trial.noted("start")
    found = trial.left_behind()
    if trial.noted("start") != begun:
        found.append("an attempt started after the cancel")
    states = trial.ledger("SELECT state FROM runs")
    found += [] if states == [("CANCELLED",)] else [f"the run is {states}: {trial.said(scheduler)}"]
    attempts = trial.ledger("SELECT name, state FROM attempts")
    return found + [f"an attempt is {row}" for row in attempts if row not in KNOWN]


@pytest.mark.parametrize("kind", ["cold", "warm"])
@pytest.mark.parametrize("seed", range(CANCELS))
def test_a_cancel_at_any_moment_leaves_nothing(seed: int, kind: str, contained: Callable[..., Contained]) -> None:
    seconds = random.Random(f"{kind} {seed}").uniform(0, 2.0)
    assert complaints(contained(), kind, seconds) == []


@pytest.mark.parametrize("kind", ["cold", "warm"])
def test_the_experiment_notices_a_cancel_that_ends_nothing(kind: str, contained: Callable[..., Contained]) -> None:
    trial = contained(bug="stops_are_forgotten")
    trial.patience = 1.0
    scheduler = trial.start(GRACE, kind)
    assert holds(lambda: len(trial.noted("start")) == 3), trial.said(scheduler)
    found = cancelled(trial, scheduler)
    assert any("process" in complaint and "was left" in complaint for complaint in found), found


def told(trial: Contained, ways: list[str], kind: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let attempts end in those ways, and list those that are told as something else."""
    monkeypatch.setenv("CHAOS_WAYS", ",".join(ways))
    scheduler = trial.start(kind)
    shot: set[object] = set()
    while scheduler.poll() is None:
        for (where,) in trial.noted("shot"):
            if where not in shot:
                shot.add(where)
                with contextlib.suppress(RuntimeError):  # it is no more
                    engine.docker("kill", str(where))
        with contextlib.suppress(subprocess.TimeoutExpired):
            scheduler.wait(0.1)
    found = [] if scheduler.returncode == 0 else [f"it ended with {scheduler.returncode}: {trial.said(scheduler)}"]
    for index in (0, 1):
        rows = trial.ledger(f"SELECT outcome FROM attempts WHERE name = 'Fan' AND idx = {index} ORDER BY number")
        words = [str(outcome).partition(":")[0] for (outcome,) in rows]
        expected = [*(TOLD[way] for way in ways[index::2]), "succeeded"]
        found += [] if words == expected else [f"{words} and not {expected}"]
    return found


@pytest.mark.parametrize(("engine", "kind"), [("docker", "cold"), ("docker", "warm"), ("podman", "cold")])
def test_memory_kills_are_told_from_all_other_ends(
    engine: str,
    kind: str,
    contained: Callable[..., Contained],
    engine_named: Callable[[str], Engine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ways = [way for way, count in WAYS.items() for _ in range(count if engine == "docker" else (count + 3) // 4)]
    random.Random(f"{engine} {kind}").shuffle(ways)
    assert told(contained(engine, program="ending"), ways, kind, engine_named(engine), monkeypatch) == []


def test_the_experiment_notices_kills_that_are_all_taken_for_memory(
    contained: Callable[..., Contained], engine_named: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = contained(program="ending", bug="every_kill_is_for_memory")
    found = told(trial, ["memory", "kill", "exit"], "warm", engine_named("docker"), monkeypatch)
    assert found == ["['out-of-memory', 'succeeded'] and not ['killed', 'succeeded']"]
