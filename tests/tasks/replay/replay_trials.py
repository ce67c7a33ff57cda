"""Runs random programs, kills them at random moments, resumes them, and tells what was wrong.

Usage: ``replay_trials.py FOLDER FIRST COUNT [--bug NAME]``. Each seed is a line of JSON: the seed, how often it was
killed, and its faults. A run is a fork of this process, which has everything imported; the engine and its threads start
there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import acting
import random_programs

import laminar
from laminar.data.journal import Journal
from laminar.data.local import LocalBlobs
from laminar.model.entries import Entry
from laminar.tasks import running  # noqa: F401 - loaded late by laminar.run, so before the first fork
from laminar.worker import calling

RUN = "replay"
#: Seconds after which a run counts as hanging.
PATIENCE = 30.0
#: How often a run is killed at most.
KILLS = 3


def no_path(self: calling.Caller, coroutine: object) -> bytes:
    """Name calls without regard to which part of the program makes them."""
    return b""


def global_order(self: calling.Caller, task: str, inputs: bytes) -> str:
    """Name calls by their order in the whole attempt."""
    return f"{self.key.action.name}-{self._count(task.encode())}"


def nothing_read(self: Journal) -> tuple[dict[str, Any], dict[str, Entry]]:
    """Forget which actions have ended."""
    return read(self)[0], {}


read = Journal.read
BUGS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "no path": (calling.Caller, "path_of", no_path),
    "global order": (calling.Caller, "name", global_order),
    "nothing read": (Journal, "read", nothing_read),
}


class Trial:
    """One program, killed and resumed until it has ended."""

    def __init__(self, seed: int, folder: Path, bug: str | None) -> None:
        self.folder = folder
        self.root = folder / "state"
        self.faults: list[str] = []
        self.kills = 0
        self._bug = bug
        self._body = random_programs.Maker(seed).program()
        self._dice = random.Random(seed)

    def run(self) -> None:
        """Run it to its end, with deaths on the way, and check what was noted."""
        for phase in range(KILLS + 1):
            finished = self._finished()
            ended = self._phase(phase, last=phase == KILLS)
            self._check_not_again(phase, finished)
            if ended:
                break
            self.kills += 1
        self._check_values()

    def _phase(self, phase: int, *, last: bool) -> bool:
        """Run, or resume, in a fork; tells whether the program has ended."""
        at = None if last or self._dice.random() < 0.3 else int(self._dice.expovariate(1 / 25))
        pid = os.fork()
        if not pid:
            self._perform(phase, at)
        outside = not last and at is None
        died = self._await(pid, self._dice.random() * 0.15 if outside else None)
        if died is None:
            self.faults.append(f"phase {phase} hangs")
        return bool(died == 0 or last or self.faults)

    def _perform(self, phase: int, at: int | None) -> None:
        """Be the process that drives the run."""
        code = 1
        try:
            if self._bug is not None:
                setattr(*BUGS[self._bug])
            acting.notes.open(str(self._notes(phase)), at)
            runner = laminar.with_runcontext(name=RUN, root=str(self.root), quiet=True)
            begun = self._journal().read()[0]
            run = runner.resume(RUN) if "inputs" in begun else runner.run(acting.program, self._body)
            value = run.result()
            acting.notes.add("value", value)
            code = 0
        except BaseException as error:
            acting.notes.add("wrong", "", "", f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}")
        finally:
            os._exit(code)

    def _await(self, pid: int, kill_after: float | None) -> int | None:
        """Wait for a process, and kill it after a while; None if it hangs."""
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            if kill_after is not None and time.monotonic() > began + kill_after:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None

    def _notes(self, phase: int) -> Path:
        return self.folder / f"notes.{phase}"

    def _read(self, phase: int) -> list[list[Any]]:
        try:
            lines = self._notes(phase).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def _journal(self) -> Journal:
        return Journal(LocalBlobs(str(self.root)), RUN)

    def _finished(self) -> dict[str, Entry]:
        """Give the actions that have a result in the journal."""
        return {name: entry for name, entry in self._journal().read()[1].items() if entry.output is not None}

    # Checks

    def _check_not_again(self, phase: int, finished: dict[str, Entry]) -> None:
        for event, action, *details in self._read(phase):
            if event == "begun" and action in finished:
                self.faults.append(f"phase {phase} ran {details[0]} {action} again, which had finished")

    def _check_values(self) -> None:
        events = [event for phase in range(KILLS + 1) for event in self._read(phase)]
        self.faults += [f"{place} of {action}: {what}" for kind, action, place, what in _of(events, "wrong")]
        self._check_places(events)
        self._check_tokens(events)
        self._check_result(events)

    def _check_places(self, events: list[list[Any]]) -> None:
        """One place has one token; that of a failure may change once who caught it has failed."""
        raised = {action for _, action in _of(events, "raised")}
        places = defaultdict(set)
        room = {}
        for kind, action, place, token, most in _of(events, "got", "failed", "one"):
            if kind != "failed" or action not in raised:
                places[kind, action, place].add(token)
                room[kind, action, place] = most if kind == "one" else 1
        for key, tokens in places.items():
            if len(tokens) > room[key]:
                self.faults.append(f"{key[2]} of {key[1]} had {len(tokens)} values, not {room[key]}")

    def _check_tokens(self, events: list[list[Any]]) -> None:
        """One token is at one place."""
        seen = {(token, kind, action, place) for kind, action, place, token, _ in _of(events, "got", "failed", "one")}
        twice = [token for token, times in Counter(token for token, *_ in seen).items() if times > 1]
        for token in twice:
            self.faults.append(f"one value was at {sorted(place for found, *place in seen if found == token)}")

    def _check_result(self, events: list[list[Any]]) -> None:
        wanted = random_programs.expected(self._body)
        values = {value for _, value in _of(events, "value")}
        if values != {wanted}:
            self.faults.append(f"the program returned {values}, not {wanted}")


def _of(events: list[list[Any]], *kinds: str) -> list[list[Any]]:
    return [event for event in events if event[0] in kinds]


def main() -> None:
    """Run the seeds that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--bug", choices=BUGS)
    given = parser.parse_args()
    for seed in range(given.first, given.first + given.count):
        folder = given.folder / str(seed)
        folder.mkdir(parents=True)
        trial = Trial(seed, folder, given.bug)
        trial.run()
        sys.stdout.write(json.dumps({"seed": seed, "kills": trial.kills, "faults": trial.faults}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
