"""kill -9 of the scheduler before and after every single thing that it makes durable, one trial each.

Whatever the moment: going on, from another process, by resume or by the same call if nothing had begun, ends with the
right results, loses no parameter, and runs no committed split again.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys
from laminar import Flow, Layer, Parameters
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.configurations.schedulers import Scheduler
from laminar.data.local import LocalBlobs
from laminar.errors import UnknownRunError
from laminar.ledger import transaction

class PointsFlow(Flow): ...

def note(layer):
    with open("ran", "a") as file:
        file.write(f"{layer.name}[{layer.index}]\\n")

@PointsFlow.register
class Make(Layer):
    def __call__(self, parameters: Parameters):
        note(self)
        self.factor = parameters.factor
        self.shard(items=[parameters.first, parameters.second])

@PointsFlow.register(foreach=ForEach(parameters=[Parameter(layer=Make, attribute="items")]))
class Times(Layer):
    def __call__(self, make: Make):
        note(self)
        self.product = make.items * make.factor

@PointsFlow.register
class Sum(Layer):
    def __call__(self, times: Times):
        note(self)
        self.total = sum(times.product)

left = int(sys.argv[1])

def kill_before_and_after(kind, name):
    original = getattr(kind, name)

    def watched(*arguments):
        point()
        result = original(*arguments)
        point()
        return result

    setattr(kind, name, watched)

def point():
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

for kind, name in ((LocalBlobs, "write"), (LocalBlobs, "append"), (transaction.Transaction, "__exit__")):
    kill_before_and_after(kind, name)

flow = PointsFlow(
    datastore=datastores.Local(root="root"), executor=executors.Thread(concurrency=1), scheduler=Scheduler(quiet=True)
)

def go_on():
    if sys.argv[2] == "resume":
        try:
            return flow.execution("run").resume()
        except UnknownRunError:
            print("nothing had begun")
    return flow(execution="run", factor=10, first=1, second=2)

print("total", go_on().layer(Sum).total)
"""

pytestmark = pytest.mark.chaos

FULL = os.environ.get("LAMINAR_CHAOS") == "full"
#: Which points are tried: all, or one of so many.
STEP = 1 if FULL else 6
#: More points than there are; who passes the last one runs to its end.
POINTS = 200


def run(folder: Path, point: int, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", str(point), how], cwd=folder, capture_output=True, text=True, check=False
    )


def committed(folder: Path) -> set[str]:
    found = set()
    for log in (folder / "root" / "PointsFlow" / ".cache" / "run").glob("*/.splits.jsonl"):
        records = [json.loads(line) for line in log.read_bytes().split(b"\n") if line]
        found |= {f"{log.parent.name}[{record['index']}]" for record in records}
    return found


def ran(folder: Path) -> list[str]:
    path = folder / "ran"
    return path.read_text().split() if path.exists() else []


def trial(folder: Path, point: int) -> bool:
    """Kill at a point and go on; tells whether there was such a point."""
    folder.mkdir()
    (folder / "main.py").write_text(SCRIPT)
    first = run(folder, point, "run")
    if first.returncode == 0:
        return False
    assert first.returncode == -signal.SIGKILL, f"point {point}: {first.stderr}"
    before, length = committed(folder), len(ran(folder))
    second = run(folder, -1, "resume")
    assert second.returncode == 0, f"point {point}: {second.stderr}"
    assert "total 30" in second.stdout, f"point {point}: {second.stdout}"
    again = before & set(ran(folder)[length:])
    assert not again, f"point {point}: {again} ran again"
    with sqlite3.connect(folder / "root" / "ledger.db") as ledger:
        assert ledger.execute("SELECT state FROM runs").fetchall() == [("SUCCEEDED",)], f"point {point}"
        assert ledger.execute("SELECT DISTINCT state FROM groups").fetchall() == [("SUCCEEDED",)], f"point {point}"
    ledger.close()
    return True


@pytest.mark.parametrize("share", range(2))
def test_a_scheduler_killed_at_any_point_can_be_gone_on_with(tmp_path: Path, share: int) -> None:
    tried = 0
    for point in range(share * STEP, POINTS, 2 * STEP):
        if not trial(tmp_path / str(point), point):
            break
        tried += 1
    assert 20 < tried * 2 * STEP < POINTS, "the points were not all tried"


BEGUN_TOO_EARLY = """
from laminar.data.archives import Archives
Archives.begun = lambda self, space, run: bool(self.layers(space, run))
"""
COMMITTED_TOO_EARLY = """
from laminar.data.archives import Archives
commit, write = Archives.commit, Archives.write_outputs
Archives.write_outputs = lambda *_: None
Archives.commit = lambda self, key, record: (commit(self, key, record), write(self, key, record.outputs))
"""


@pytest.mark.parametrize("bug", [BEGUN_TOO_EARLY, COMMITTED_TOO_EARLY], ids=["begun-too-early", "committed-too-early"])
def test_the_experiment_would_find_what_counts_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    monkeypatch.setitem(globals(), "SCRIPT", SCRIPT.replace("left = int(", f"{bug}\nleft = int("))
    found = ""
    for point in range(8, 40):
        try:
            trial(tmp_path / str(point), point)
        except AssertionError as error:
            found = str(error)
            break
    assert "was given no parameter" in found
