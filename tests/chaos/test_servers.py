"""Servers under restarts of their database, beside one another, behind a bad network, and in a storm of cancels."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from proxies import Proxy
from servers import PAUSE, Served, expected, free_port
from trials import FULL, holds

from laminar.host import processes
from laminar.model.states import State
from laminar.server.agents import SILENCE

pytestmark = pytest.mark.chaos

#: Runs under restarts of PostgreSQL, runs of two servers, runs behind a bad network, cancelled runs.
RESTARTED, SHARED, TROUBLED, CANCELLED = (200, 200, 40, 100) if FULL else (20, 20, 4, 10)
#: Seconds within which it is noticed that a worker is dead.
NOTICED = 20.0


@pytest.mark.timeout(1200)
def test_runs_end_right_while_postgresql_is_restarted(
    postgres: str, serving: Callable[..., Served], cluster: Any
) -> None:
    served = serving(database=postgres)
    served.deploy()
    runs: dict[str, tuple[str, Any]] = {}

    def submit() -> None:
        for number in range(RESTARTED):
            name = f"p{number}"
            runs[name] = ("served.tree", expected(1))
            served.submit("served.tree", name, n=1)

    submitting = threading.Thread(target=submit)
    submitting.start()
    dice = random.Random(1)
    deadline = time.monotonic() + 900
    while (submitting.is_alive() or not served.ended(list(runs))) and time.monotonic() < deadline:
        time.sleep(dice.uniform(2.0, 5.0))
        cluster.stop(dice.choice([signal.SIGINT, signal.SIGQUIT]))
        time.sleep(dice.uniform(0.0, 1.5))
        cluster.start()  # by this thread: the cluster ends with who has started it
    submitting.join()
    served.wait(list(runs))
    assert served.violations(runs) == []


@pytest.mark.timeout(1200)
def test_two_servers_on_one_database_start_nothing_twice(postgres: str, serving: Callable[..., Served]) -> None:
    first, second = serving(database=postgres, port=free_port()), serving(database=postgres, port=free_port())
    first.deploy()
    runs: dict[str, tuple[str, Any]] = {}
    for number in range(SHARED):
        name = f"t{number}"
        (first, second)[number % 2].submit("served.tree", name, n=2)
        runs[name] = ("served.tree", expected(2))
    first.wait(list(runs), 900)
    assert first.violations(runs) == []
    assert [which for which, count in first.starts().items() if count > 1] == []


@pytest.mark.timeout(1200)
def test_one_of_two_servers_is_killed_and_the_other_goes_on(postgres: str, serving: Callable[..., Served]) -> None:
    first, second = serving(database=postgres, port=free_port()), serving(database=postgres, port=free_port())
    first.deploy()
    runs: dict[str, tuple[str, Any]] = {}
    for number in range(6):
        name = f"o{number}"
        (first, second)[number % 2].submit("served.tree", name, n=2)
        runs[name] = ("served.tree", expected(2))
    assert holds(lambda: len(first.lines()) > 4, pause=PAUSE)
    first.kill()
    second.wait(list(runs), 120)
    assert second.violations(runs) == []


@pytest.mark.timeout(1200)
def test_doubled_late_and_lost_messages_change_nothing(serving: Callable[..., Served]) -> None:
    port = free_port()
    proxy = Proxy(port, seed=3)
    try:
        served = serving(port=port, url=proxy.url)
        served.deploy()
        runs: dict[str, tuple[str, Any]] = {}
        for number in range(TROUBLED):
            entity, inputs, value = ("served.tree", {"n": 2}, expected(2))
            if number % 3 == 2:
                entity, inputs, value = ("Squares", {"n": 4}, sum(x * x for x in range(4)))
            served.submit(entity, f"n{number}", **inputs)
            runs[f"n{number}"] = (entity, value)
        served.wait(list(runs), 900)
        assert served.violations(runs) == []
        assert [which for which, count in served.starts().items() if count > 1] == []
        assert holds(lambda: proxy.refused), "no stale message was refused"
    finally:
        proxy.close()


@pytest.mark.timeout(1200)
def test_nothing_is_left_of_cancelled_runs(serving: Callable[..., Served]) -> None:
    served = serving()
    served.deploy()
    dice = random.Random(5)
    names = []
    for number in range(CANCELLED):
        name = f"c{number}"
        served.submit("served.tree", name, n=2)
        names.append(name)
        time.sleep(dice.uniform(0.0, 0.3))
        served.stop(name)
    found = served.wait(names, 120)
    ended = {name: view.state for name, view in found.items()}
    assert set(ended.values()) <= {State.CANCELLED, State.SUCCEEDED}
    assert State.CANCELLED in ended.values()
    assert served.none_left(10), "attempts were left"
    assert {name: served.view(name).state for name in names} == ended


@pytest.mark.timeout(300)
def test_a_worker_that_stands_still_is_given_up_in_time_and_one_whose_loop_is_blocked_is_not(
    serving: Callable[..., Served],
) -> None:
    served = serving()
    served.deploy()
    served.submit("served.stubborn", "blocked", seconds=SILENCE + 3)
    assert served.wait(["blocked"])["blocked"].state is State.SUCCEEDED
    served.submit("served.patient", "stopped")
    assert holds(lambda: served.starts()["stopped", "patient", 0] == 1, pause=PAUSE)
    stopped = served.agents()
    for agent in stopped:
        processes.signal_process(agent, signal.SIGSTOP)
    began = time.monotonic()
    assert holds(lambda: served.starts()["stopped", "patient", 0] == 2, pause=PAUSE)
    noticed = time.monotonic() - began
    served.gate()
    assert served.wait(["stopped"])["stopped"].state is State.SUCCEEDED
    assert served.starts()["blocked", "stubborn", 0] == 1
    assert noticed < NOTICED
