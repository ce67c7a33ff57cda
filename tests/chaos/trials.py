"""What the experiments share: schedulers as processes, waiting for conditions, and looking at what is left."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import journal

from laminar.data import unpacking
from laminar.data.archives import Archives
from laminar.data.local import LocalBlobs
from laminar.errors import CorruptBlobError
from laminar.host import processes

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
FULL = os.environ.get("LAMINAR_CHAOS") == "full"
RUN = "chaos"
#: Seconds after which a condition counts as never met.
PATIENCE = 60.0


def holds(condition: Callable[[], object], patience: float = PATIENCE, pause: float = 0.01) -> bool:
    """Wait until a condition holds; tell whether it did in time. Where a look costs much, the pause is longer."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


class Trial:
    """One datastore, one journal, and the schedulers that run a program on them."""

    def __init__(self, program: str, folder: Path, *, root: Path | None = None, bug: str | None = None) -> None:
        self.program = HERE / "programs" / f"{program}.py"
        self.space = program.title()
        self.root = root or folder / "runs"
        self.journal = folder / "journal"
        self.gate = folder / "gate"
        self._folder = folder
        self._errors = folder / "errors"
        self._errors.mkdir()
        self._bug = bug
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: object, buggy: bool = True) -> subprocess.Popen[bytes]:
        """Start a scheduler that leads a process group, as a shell starts it in a terminal."""
        path = [*([str(HERE / "bugs" / self._bug)] if self._bug and buggy else []), str(HERE)]
        environment = {
            **os.environ,
            journal.VARIABLE: str(self.journal),
            "CHAOS_GATE": str(self.gate),
            "PYTHONPATH": os.pathsep.join(path),
        }
        with open(self._errors / str(len(self._started)), "wb") as errors:
            scheduler = subprocess.Popen(
                [sys.executable, self.program, self.root, RUN, *map(str, arguments)],
                env=environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                process_group=0,
                preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL),  # nothing is left if the tests are killed
            )
        self._started.append(scheduler)
        return scheduler

    def said(self, scheduler: subprocess.Popen[bytes]) -> str:
        """Read what a scheduler has printed."""
        return (self._errors / str(self._started.index(scheduler))).read_text()

    def first_said(self) -> str:
        """Read what the first scheduler has printed."""
        return self.said(self._started[0])

    def run(self, *arguments: object, buggy: bool = True) -> tuple[int, str]:
        """Run a scheduler to its end: its exit code and what it printed."""
        scheduler = self.start(*arguments, buggy=buggy)
        code = scheduler.wait(PATIENCE)
        return code, self.said(scheduler)

    def lines(self) -> list[list[object]]:
        return journal.read(str(self.journal))

    def noted(self, word: str) -> list[tuple[object, ...]]:
        """List what user code has noted under a word, without the process that did."""
        return [tuple(line[1:-1]) for line in self.lines() if line[0] == word]

    def archives(self) -> Archives:
        return Archives(LocalBlobs(str(self.root)))

    def committed(self) -> set[tuple[object, ...]]:
        """List the splits that are committed."""
        archives = self.archives()
        layers = archives.layers(self.space, RUN)
        return {(layer, index) for layer in layers for index in archives.splits(self.space, RUN, layer)}

    def damaged(self) -> list[str]:
        """List the blobs that are not what their names say."""
        found = []
        for path in sorted((self.root / self.space / "artifacts").glob("*")):
            try:
                digest = hashlib.sha256(unpacking.unpack(path.read_bytes())).hexdigest()
            except CorruptBlobError as error:
                digest = str(error)
            if f"{digest}.gz" != path.name:
                found.append(f"the blob {path.name} is damaged: {digest}")
        return found

    def ledger(self, query: str) -> list[tuple[object, ...]]:
        """Ask the ledger's file."""
        connection = sqlite3.connect(self.root / "ledger.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def left(self) -> list[int]:
        """List the processes of this trial that are still alive, labelled or noted as strays."""
        mine = f"{journal.VARIABLE}={self.journal}".encode()
        labelled = [pid for pid in processes.labelled(f"{RUN}/") if mine in _variables(pid)]
        strays = [int(str(pid)) for (pid,) in self.noted("stray")]
        return [pid for pid in [*labelled, *strays] if processes.start_time(pid) is not None]

    def left_behind(self) -> list[str]:
        holds(lambda: not self.left(), 5, 0.05)
        return [f"process {pid} was left" for pid in self.left()]

    def end(self) -> None:
        """End whatever this trial started."""
        for scheduler in self._started:
            if scheduler.poll() is None:
                scheduler.kill()
                scheduler.wait()
        for pid in self.left():
            processes.kill_tree(pid)


def _variables(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
