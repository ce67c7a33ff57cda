"""kill -9 of the scheduler at a random moment, and resume in a new process.

The oracle is the journal, which user code writes outside laminar. After each trial: no split that was committed when
the scheduler died has started again, every split has a result equal to that of a clean run, and no process of the
run is left five seconds after the kill.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import journal
import pytest

from laminar.data.archives import Archives
from laminar.data.artifacts import Artifacts
from laminar.data.local import LocalBlobs
from laminar.data.serde.contract import Registry
from laminar.host import processes

pytestmark = pytest.mark.chaos

HERE = Path(__file__).parent
PROGRAM = HERE / "programs" / "twenty.py"
FULL = os.environ.get("LAMINAR_CHAOS") == "full"
TRIALS = 100 if FULL else 10
LAYERS = 20
SPLITS = 27  # nineteen layers of one split, and one of eight
RUN = "chaos"
SPACE = "Twenty"


class Trial:
    """One datastore, one journal, and the schedulers that work on them."""

    def __init__(self, folder: Path, bug: str | None = None) -> None:
        self.root = folder / "runs"
        self.journal = folder / "journal"
        self.bug = bug

    def scheduler(self, *arguments: str) -> subprocess.Popen[bytes]:
        path = [str(HERE), *([str(HERE / "bugs" / self.bug)] if self.bug and arguments else [])]
        environment = {**os.environ, journal.VARIABLE: str(self.journal), "PYTHONPATH": os.pathsep.join(path)}
        return subprocess.Popen(
            [sys.executable, PROGRAM, self.root, RUN, *arguments],
            env={**environment, "LAMINAR_QUIET": "1"},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def archives(self) -> Archives:
        return Archives(LocalBlobs(str(self.root)))

    def committed(self) -> dict[tuple[str, int], str]:
        """Read what is committed: the value of each split, as text."""
        archives = self.archives()
        artifacts = Artifacts(archives.blobs, SPACE, Registry())
        return {
            (layer, index): repr(artifacts.read(record.outputs["value"].refs[0]))
            for layer in archives.layers(SPACE, RUN)
            for index, record in archives.splits(SPACE, RUN, layer).items()
            if "value" in record.outputs
        }

    def started(self, lines: list[list[object]]) -> list[tuple[object, object]]:
        return [(line[1], line[2]) for line in lines if line[0] == "start"]

    def strays(self) -> list[int]:
        return [int(str(line[1])) for line in journal.read(str(self.journal)) if line[0] == "stray"]

    def left(self) -> list[int]:
        """List the processes of the run that are still alive, labelled or not."""
        labelled = [pid for pid in processes.labelled("") if _journal_of(pid) == str(self.journal)]
        return labelled + [pid for pid in self.strays() if processes.start_time(pid) is not None]

    def complaints(self, clean: dict[tuple[str, int], str], kills: list[float]) -> list[str]:
        """Kill the scheduler so many seconds after its start, each time; then let it end, and list what went wrong."""
        found: list[str] = []
        arguments: tuple[str, ...] = ()
        for after in kills:
            scheduler = self.scheduler(*arguments)
            try:
                scheduler.wait(after)
            except subprocess.TimeoutExpired:
                scheduler.send_signal(signal.SIGKILL)
                scheduler.wait()
            found += self._left_behind()
            known = self.archives().state(SPACE, RUN) is not None
            arguments = ("resume",) if known else ()
            before, lines = self.committed(), len(journal.read(str(self.journal)))
            found += self._go_on(arguments, before, lines) if after is kills[-1] else []
        return found + self._compared(clean)

    def _go_on(self, arguments: tuple[str, ...], before: dict[tuple[str, int], str], lines: int) -> list[str]:
        scheduler = self.scheduler(*arguments)
        _, error = scheduler.communicate(timeout=100)
        found = [] if scheduler.returncode == 0 else [f"the resumed run failed: {error.decode()[-2000:]}"]
        again = set(self.started(journal.read(str(self.journal))[lines:])) & before.keys()
        return found + [f"{layer}[{index}] was committed and ran again" for layer, index in sorted(again, key=str)]

    def _left_behind(self) -> list[str]:
        deadline = time.monotonic() + 5
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"process {pid} was left 5 s after the kill" for pid in left]

    def _compared(self, clean: dict[tuple[str, int], str]) -> list[str]:
        ended = self.committed()
        lost = [f"{layer}[{index}] was lost" for layer, index in clean.keys() - ended.keys()]
        wrong = [
            f"{split} differs from a clean run" for split in clean.keys() & ended.keys() if clean[split] != ended[split]
        ]
        finished = [name for name in self.archives().layers(SPACE, RUN) if self.archives().layer(SPACE, RUN, name)]
        return lost + wrong + ([] if len(finished) == LAYERS + 1 else [f"finished: {finished}"])


def _journal_of(pid: int) -> str | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    start = f"{journal.VARIABLE}=".encode()
    return next((variable[len(start) :].decode() for variable in variables if variable.startswith(start)), None)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, int], str], float]:
    """Run once without a kill: the results, and how long it took."""
    trial = Trial(tmp_path_factory.mktemp("clean"))
    began = time.monotonic()
    scheduler = trial.scheduler()
    _, error = scheduler.communicate(timeout=100)
    assert scheduler.returncode == 0, error.decode()
    results = trial.committed()
    assert len(results) == SPLITS
    return results, time.monotonic() - began


@pytest.mark.parametrize("seed", range(TRIALS))
def test_what_is_committed_survives_the_scheduler_and_runs_once(
    clean: tuple[dict[tuple[str, int], str], float], seed: int, tmp_path: Path
) -> None:
    results, seconds = clean
    dice = random.Random(seed)
    kills = [dice.uniform(0, seconds) for _ in range(dice.randint(1, 3))]
    print(f"seed {seed}: kills after {kills}")
    assert Trial(tmp_path).complaints(results, kills) == []


def test_the_experiment_notices_a_run_that_forgets_what_is_committed(
    clean: tuple[dict[tuple[str, int], str], float], tmp_path: Path
) -> None:
    results, seconds = clean
    trial = Trial(tmp_path, bug="resume_runs_everything_again")
    assert any("was committed and ran again" in complaint for complaint in trial.complaints(results, [seconds * 0.9]))
