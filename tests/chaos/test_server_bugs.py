"""The experiments with servers find bugs that were put in: without that, their silence would say nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from servers import Served, expected, free_port
from trials import holds

from laminar.host import processes

pytestmark = pytest.mark.chaos


def ends(served: Served) -> int:
    return sum(line[0] == "end" for line in served.lines())


def test_what_starts_after_its_commit_is_seen(serving: Callable[..., Served]) -> None:
    served = serving(bug="journals_are_forgotten")
    served.deploy()
    served.submit("served.tree", "one", n=2)
    assert holds(lambda: ends(served) > 6)  # the branches have ended, and the first leaf behind them
    served.kill()
    for attempt in served.attempts():
        processes.signal_process(attempt, signal.SIGKILL)
    served.start()
    served.wait(["one"])
    found = served.violations({"one": ("served.tree", expected(2))})
    assert any("after its commit" in line for line in found)


def test_what_two_servers_start_is_seen(postgres: str, serving: Callable[..., Served]) -> None:
    first = serving(database=postgres, port=free_port(), bug="leases_are_not_looked_at")
    first.deploy()
    serving(database=postgres, port=free_port(), bug="leases_are_not_looked_at")
    for number in range(4):
        first.submit("served.patient", f"t{number}")
    assert holds(lambda: max(first.starts().values(), default=0) > 1)
    first.gate()


def test_what_is_left_of_cancelled_runs_is_seen(serving: Callable[..., Served]) -> None:
    served = serving(bug="workers_are_not_told_to_stop")
    served.deploy()
    served.submit("served.patient", "one")
    assert holds(served.lines)
    served.stop("one")
    served.wait(["one"])
    assert not served.none_left(3)
    served.gate()
