"""Runs that a server has to leave: those that nobody has are taken again, those that another has are left to it."""

from __future__ import annotations

import contextlib
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jobs.Jobs]:
    """A server for tests whose runs it has to the end."""
    with serving(tmp_path_factory.mktemp("jobs")) as found:
        yield found


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[jobs.Jobs]:
    with jobs.serving(folder) as found:
        deployed = found.deploy(SOURCE)
        assert deployed.returncode == 0, deployed.stderr
        yield found


@pytest.fixture
def served(server: jobs.Jobs, tmp_path: Path) -> Iterator[jobs.Jobs]:
    with server.at(tmp_path):
        yield server


def hold(served: jobs.Jobs, run: str) -> None:
    """Begin a run whose attempt waits."""
    served.run("jobs.hold", run, folder=str(served.folder))
    assert jobs.holds(served.journal)


def driven(served: jobs.Jobs, run: str) -> Run | None:
    return served.parts.engine.driving.find(served.view(run).space, run)


def test_a_run_that_nobody_has_is_taken_again_and_its_attempt_goes_on(served: jobs.Jobs) -> None:
    hold(served, "first")
    run = driven(served, "first")
    assert run is not None
    run.deliver(Left())
    assert jobs.holds(lambda: driven(served, "first") not in (None, run))
    served.go()
    assert served.ended("first") == ["SUCCEEDED"]
    [begin, end] = served.journal()
    assert end.removeprefix("end ") == begin.removeprefix("begin ")


def test_a_run_that_another_server_has_is_left_and_its_attempt_stopped(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        hold(served, "other")
        pid = int(served.journal()[0].removeprefix("begin "))
        assert psutil.pid_exists(pid)
        served.parts.engine.database.transact(lambda connection: connection.execute(TAKE))
        assert jobs.holds(lambda: not psutil.pid_exists(pid))
        assert driven(served, "other") is None
        assert not served.view("other").state.terminal


def test_an_attempt_whose_agent_is_told_to_end_from_outside_is_lost_and_tried_again(served: jobs.Jobs) -> None:
    hold(served, "second")
    [agent] = [child for child in psutil.Process().children() if "agent import main" in " ".join(child.cmdline())]
    agent.terminate()  # as an engine or a cluster does that wants its place
    assert jobs.holds(lambda: len(served.journal()) > 1), served.view("second")
    served.go()
    assert served.ended("second") == ["SUCCEEDED"]


def test_an_attempt_that_a_server_before_has_stopped_is_lost_and_tried_again(served: jobs.Jobs) -> None:
    hold(served, "third")
    [attempt] = served.parts.engine.agents._attempts.values()
    assert attempt.agent is not None
    attempt.agent.order(Stop(key=attempt.start.key, grace=0.0))
    assert jobs.holds(lambda: len(served.journal()) > 1), served.view("third")
    served.go()
    assert served.ended("third") == ["SUCCEEDED"]
