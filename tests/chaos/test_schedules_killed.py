"""kill -9 about the moments at which a trigger is due, and while slots of a queue are taken and given back.

Each second has its run, and no second has two; there are never more at work than the queue has slots.

The oracle is what the task notes outside laminar, and counts whole seconds.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import COMMAND, PAUSE, Served, free_port
from trials import FULL, HERE, holds

from laminar.host import processes
from laminar.model.states import State
from laminar.server.queues import LEASE
from laminar.wire.queues import QueuePage
from laminar.wire.runs import RunPage

pytestmark = pytest.mark.chaos

PROGRAM = HERE / "programs" / "scheduled.py"
#: How often a server is killed, in sessions of a few.
KILLS = 200 if FULL else 20
EACH = 20 if FULL else 10
#: Slots of the queue; seconds that their lease counts, and two more.
SIZE = 3
SOON = LEASE + 2.0


def laminar(served: Served, *words: str) -> None:
    environment = {**os.environ, "LAMINAR_SERVER_ENDPOINT": served.url, "CHAOS_JOURNAL": str(served.journal)}
    done = subprocess.run(
        [COMMAND, *words], env=environment, cwd=served.folder, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["sqlite", "two servers"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Served]]:
    if request.param == "sqlite":
        found = [Served(tmp_path)]
    else:
        database = request.getfixturevalue("postgres")
        found = [Served(tmp_path, database, port=free_port()) for _ in range(2)]
    for served in found:
        served.start()
    yield found
    for served in found:
        served.end()


def runs(served: Served) -> dict[str, State]:
    """List the runs, by their names."""
    found: dict[str, State] = {}
    query: dict[str, str | int] = {"limit": 1000}
    page: RunPage = served.client.call("GET", served.client.space_path("/runs"), query=query, returns=RunPage)
    found.update({row.name: row.state for row in page.items})
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(KILLS // EACH // 2))
def test_each_second_has_its_run_and_no_second_has_two(servers: list[Served], seed: int) -> None:
    dice = random.Random(seed)
    first = servers[0]
    laminar(first, "deploy", "-q", str(PROGRAM), "env")
    assert holds(lambda: first.lines(), 30)
    for _ in range(EACH):
        time.sleep(dice.uniform(0.0, 1.2))
        victim = dice.choice(servers)
        victim.kill()
        time.sleep(dice.uniform(0.0, 1.0))
        victim.start()
    laminar(first, "trigger", "pause", "scheduled.tick", "second")
    assert holds(lambda: all(state.terminal for state in runs(first).values()), 60, PAUSE), runs(first)
    assert set(runs(first).values()) == {State.SUCCEEDED}
    noted = {(line[1], line[2]) for line in first.lines()}
    due = sorted(second for second, _ in noted)
    assert due == list(range(due[0], due[0] + len(due))), "a second was left out, or had two runs"
    assert len(runs(first)) == len(due)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10 if FULL else 1))
def test_a_queue_is_never_exceeded_whatever_is_killed_and_free_when_its_holder_is_gone(
    servers: list[Served], seed: int
) -> None:
    dice = random.Random(seed)
    first = servers[0]
    laminar(first, "queue", "create", "gpu", "--size", str(SIZE))
    laminar(first, "deploy", "-q", str(PROGRAM), "gpu")
    died: dict[int, float] = {}
    names = [f"r{seed}-{number}" for number in range(5 * EACH)]
    for number, name in enumerate(names):
        dice.choice(servers).submit("limited.hold", name, seconds=dice.uniform(0.05, 0.5))
        if number % 5 == 4:
            time.sleep(dice.uniform(0.0, 1.5))
            strike(servers, dice, died)
    first.wait(names)
    assert most_at_once(first, died) <= SIZE
    assert holds(lambda: taken(first) == 0, SOON, PAUSE), "a slot was never given back"


def strike(servers: list[Served], dice: random.Random, died: dict[int, float]) -> None:
    """Kill an attempt, or a server with all that it runs; where there is one server, also that alone."""
    victim = dice.choice(servers)
    what = dice.choice(["attempt", "all"] if len(servers) > 1 else ["attempt", "all", "server"])
    if what == "attempt":
        for pid in victim.attempts()[:1]:
            processes.signal_process(pid, signal.SIGKILL)
            died[pid] = time.time()
        return
    attempts = victim.attempts()
    victim.kill()
    if what == "all":
        for pid in victim.agents():
            processes.kill_tree(pid)
        died.update(dict.fromkeys(attempts, time.time()))
    time.sleep(dice.uniform(0.0, 1.0))
    victim.start()


def most_at_once(served: Served, died: dict[int, float]) -> int:
    """Count how many attempts were at work at a time, at most."""
    begun = {(line[1], line[2]): line[3] for line in served.lines() if line[0] == "begin"}
    ended = {(line[1], line[2]): line[3] for line in served.lines() if line[0] == "end"}
    changes = [(moment, 1) for moment in begun.values()]
    changes += [(ended.get(key, died.get(key[0], moment)), -1) for key, moment in begun.items()]
    at_once = most = 0
    for _, change in sorted(changes):
        at_once += change
        most = max(most, at_once)
    return most


def taken(served: Served) -> int:
    page: QueuePage = served.client.call("GET", served.client.space_path("/queues"), returns=QueuePage)
    return sum(view.taken for view in page.items)
