"""Runs that a server has to leave: those that nobody has are taken again, those that another has are left to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jobs
import psutil
import pytest

from laminar.model.action import Left
from laminar.server.driving import Run
from laminar.wire.agents import Stop

SOURCE = """

@env.task
def hold(folder: str) -> str:
    return work(folder, str(os.getpid()))
"""
TAKE = "UPDATE runs SET host = 'another', epoch = epoch + 1, lease = lease + 1000"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[jobs.Jobs]:
    """A server that drives a run, whose attempt waits."""
    with jobs.serving(tmp_path) as served:
        deployed = served.deploy(SOURCE)
        assert deployed.returncode == 0, deployed.stderr
        served.run("jobs.hold", "first", folder=str(tmp_path))
        assert jobs.holds(served.journal)
        yield served


def driven(served: jobs.Jobs) -> Run | None:
    return served.parts.engine.driving.find(served.view("first").space, "first")


def test_a_run_that_nobody_has_is_taken_again_and_its_attempt_goes_on(served: jobs.Jobs) -> None:
    run = driven(served)
    assert run is not None
    run.deliver(Left())
    assert jobs.holds(lambda: driven(served) not in (None, run))
    served.go()
    assert served.ended("first") == ["SUCCEEDED"]
    [begin, end] = served.journal()
    assert end.removeprefix("end ") == begin.removeprefix("begin ")


def test_a_run_that_another_server_has_is_left_and_its_attempt_stopped(served: jobs.Jobs) -> None:
    pid = int(served.journal()[0].removeprefix("begin "))
    assert psutil.pid_exists(pid)
    served.parts.engine.database.transact(lambda connection: connection.execute(TAKE))
    assert jobs.holds(lambda: not psutil.pid_exists(pid))
    assert driven(served) is None
    assert not served.view("first").state.terminal


def test_an_attempt_whose_agent_is_told_to_end_from_outside_is_lost_and_tried_again(served: jobs.Jobs) -> None:
    [agent] = [child for child in psutil.Process().children() if "agent import main" in " ".join(child.cmdline())]
    agent.terminate()  # as an engine or a cluster does that wants its place
    assert jobs.holds(lambda: len(served.journal()) > 1), served.view("first")
    served.go()
    assert served.ended("first") == ["SUCCEEDED"]


def test_an_attempt_that_a_server_before_has_stopped_is_lost_and_tried_again(served: jobs.Jobs) -> None:
    [attempt] = served.parts.engine.agents._attempts.values()
    assert attempt.agent is not None
    attempt.agent.order(Stop(key=attempt.start.key, grace=0.0))
    assert jobs.holds(lambda: len(served.journal()) > 1), served.view("first")
    served.go()
    assert served.ended("first") == ["SUCCEEDED"]
