"""Whatever waits says in one sentence what it waits for, within two seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import jobs
import pytest
from jobs import Jobs

from laminar.server import opening
from laminar.server.launchers.contract import Launcher
from laminar.server.pools import Gone, Handle, Pool
from laminar.wire.specs import EntitySpec

SPACE = "default/development"
TASKS = '''
@env.task
def hold(folder: str, name: str) -> str:
    """Wait for the file."""
    return work(folder, name)


@env.task
async def caller(folder: str, name: str) -> str:
    """Call a task that waits."""
    return await hold(folder, name)


@env.task(retries=RetryStrategy(3, backoff=Backoff(base=3600, cap=3600)))
def fails(name: str) -> None:
    """Fail."""
    raise ValueError(name)


@env.task(secrets=[Secret("nowhere")])
def secret() -> None:
    """Never run."""


@gpu.task
def on_gpu(folder: str, name: str) -> str:
    """Wait for the file, with a slot of the queue."""
    return work(folder, name)


@gpu.task
async def above(folder: str, name: str) -> str:
    """Call a task of the own queue."""
    return await on_gpu(folder, name)


@env.task
async def moved(folder: str, name: str) -> str:
    """Call a task in a queue that is not there."""
    return await hold.override(queue="tpu")(folder, name)
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """A server for all tests of slots."""
    with jobs.serving(tmp_path_factory.mktemp("jobs"), concurrency=4) as found:
        found.put_queue("gpu", 1)
        done = found.deploy(TASKS, "env", "gpu")
        assert done.returncode == 0, done.stderr
        yield found


@pytest.fixture
def served(server: Jobs, tmp_path: Path) -> Iterator[Jobs]:
    """The server, with all of its slots free; what a test has begun has ended when it has."""
    server.put_queue("gpu", 1)
    server.limit(None)
    with server.at(tmp_path):
        yield server


def hold(served: Jobs, entity: str, run: str, name: str = "") -> None:
    """Begin a run that notes its name, and waits for the file of the test."""
    served.run(entity, run, folder=str(served.folder), name=name or run)


def begun(served: Jobs, *names: str) -> bool:
    return bool(jobs.holds(lambda: {f"begin {name}" for name in names} <= set(served.journal())))


def test_an_action_names_the_queue_that_is_full_and_the_runs_that_hold_it(served: Jobs) -> None:
    hold(served, "gpus.on_gpu", "first")
    assert begun(served, "first")
    hold(served, "gpus.on_gpu", "second")
    assert served.waits("second", "gpus.on_gpu", "waits for a slot of queue gpu: 1 of 1 is held by run first"), (
        served.reasons("second")
    )
    assert [holder.run for holder in served.queues()["gpu"].holders] == ["first"]
    served.go()
    assert served.ended("first", "second") == ["SUCCEEDED", "SUCCEEDED"]
    assert served.journal() == ["begin first", "end first", "begin second", "end second"]
    assert jobs.holds(lambda: served.queues()["gpu"].taken == 0)


def test_an_action_names_the_limit_of_its_project(served: Jobs) -> None:
    served.limit(1)
    hold(served, "jobs.hold", "third")
    assert begun(served, "third")
    hold(served, "jobs.hold", "fourth")
    text = "waits for a slot of default/development, which limits all of its actions: 1 of 1 is held by run third"
    assert served.waits("fourth", "jobs.hold", text), served.reasons("fourth")
    served.limit(None)
    assert begun(served, "fourth")


def test_an_action_names_the_slots_of_the_server_and_the_runs_that_hold_them(served: Jobs) -> None:
    for name in "abcd":
        hold(served, "jobs.hold", name)
    assert begun(served, *"abcd")
    hold(served, "jobs.hold", "late")
    assert served.waits("late", "jobs.hold", "waits for a slot of the server, which runs 4 at a time: 4 are held")
    assert re.search(r"by runs [abcd], [abcd], [abcd], …", served.reasons("late")["jobs.hold"] or "")


def test_an_action_says_that_it_waits_to_be_tried_again_and_why(served: Jobs) -> None:
    served.run("jobs.fails", "fails", name="x")
    assert served.waits("fails", "jobs.fails", "to try again"), served.reasons("fails")
    assert (served.reasons("fails")["jobs.fails"] or "").startswith("waits 36")
    served.stop("fails")


def test_a_parent_names_what_it_has_called(served: Jobs) -> None:
    hold(served, "jobs.caller", "parent", "child")
    assert begun(served, "child")
    assert served.waits("parent", "jobs.caller", "waits for what it has called: jobs.hold")
    assert served.reasons("parent")["jobs.hold"] is None


def test_a_queue_of_no_slots_lets_nothing_begin_and_says_so(served: Jobs) -> None:
    served.put_queue("gpu", 0)
    hold(served, "gpus.on_gpu", "never")
    assert served.waits("never", "gpus.on_gpu", "waits for a slot of queue gpu: it has none")
    served.put_queue("gpu", 1)
    assert begun(served, "never")


def test_a_secret_that_is_missing_is_an_error_and_nothing_to_wait_for(served: Jobs) -> None:
    served.run("jobs.secret", "secret")
    assert served.ended("secret") == ["FAILED"]
    assert "nowhere" in (served.view("secret").error or "")


def test_a_task_that_calls_into_its_own_queue_is_refused_since_both_could_wait_for_ever(served: Jobs) -> None:
    hold(served, "gpus.above", "above")
    assert served.ended("above") == ["FAILED"]
    assert "is in the queue gpu, and so is a task that has called it" in (served.view("above").error or "")
    assert jobs.holds(lambda: served.queues()["gpu"].taken == 0)


def test_a_call_into_a_queue_that_is_not_there_is_refused(served: Jobs) -> None:
    hold(served, "jobs.moved", "moved", "x")
    assert served.ended("moved") == ["FAILED"]
    assert "There is no queue 'tpu' in default/development." in (served.view("moved").error or "")


# What is not about slots


class Slow(Launcher):
    """Starts workers that never come up."""

    def __init__(self, inner: Launcher) -> None:
        self._inner = inner
        self.handle = Never()

    def pool(self, space: str, bundle: str, entity: EntitySpec, memory: float | None, single: str) -> Pool:
        return self._inner.pool(space, bundle, entity, memory, single).replace(
            image="registry/image:1", agents=1, each=1
        )

    def launch(self, id: str, token: str, pool: Pool, gone: Callable[[Gone], None]) -> Handle:  # noqa: A002
        return self.handle

    def left(self) -> set[str]:
        return set()

    def find(self, id: str, gone: Callable[[Gone], None]) -> Handle | None:  # noqa: A002
        return None

    def close(self) -> None:
        self._inner.close()


class Never(Handle):
    """A worker that has no image yet."""

    ready = False

    def stop(self) -> None:
        """Do nothing: there is nothing."""

    def leaves(self) -> None:
        """Do nothing, as above."""


def test_an_action_that_has_its_slot_says_what_its_worker_waits_for(tmp_path: Path) -> None:
    with jobs.serving(tmp_path, concurrency=4) as served:
        assert served.deploy(TASKS.replace("@gpu", "@env")).returncode == 0
        agents = served.parts.engine.agents
        agents.launcher = slow = Slow(agents.launcher)
        hold(served, "jobs.hold", "first")
        assert served.waits("first", "jobs.hold", "waits for the image registry/image:1")
        slow.handle.ready = True
        assert served.waits("first", "jobs.hold", "waits for its worker to come up")
        hold(served, "jobs.hold", "second")
        assert served.waits("second", "jobs.hold", "waits for room in a worker")
        for name in ("first", "second"):
            served.stop(name)


def test_a_run_says_that_it_waits_for_a_server_or_for_another_than_the_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "RUNS", 1)
    with jobs.serving(tmp_path) as served:
        assert served.deploy(TASKS.replace("@gpu", "@env")).returncode == 0
        hold(served, "jobs.hold", "first")
        assert begun(served, "first")
        assert served.view("first").reason is None
        hold(served, "jobs.hold", "second")
        text = "waits for a server to take it up: this one drives 1, as many as it may"
        assert served.view("second").reason == text
        submissions = served.parts.engine.submissions
        assert submissions.claim(SPACE, "second", "gone", "http://127.0.0.1:9", -1.0) is not None
        gone = "waits for a server to go on with it: the one that drove it is gone"
        assert served.view("second").reason == gone
        served.go()
        assert served.ended("first", "second") == ["SUCCEEDED", "SUCCEEDED"]


def test_servers_that_share_a_database_give_the_same_reasons(postgres: str, tmp_path: Path) -> None:
    with jobs.serving(tmp_path, database=postgres) as one, jobs.serving(tmp_path, "other", database=postgres) as two:
        one.put_queue("gpu", 1)
        assert one.deploy(TASKS, "env", "gpu").returncode == 0
        hold(one, "gpus.on_gpu", "first")
        assert begun(one, "first")
        for name in ("second", "third"):
            hold(two, "gpus.on_gpu", name)
        for served in (one, two):
            for name in ("second", "third"):
                text = "waits for a slot of queue gpu: 1 of 1 is held by run first"
                assert served.waits(name, "gpus.on_gpu", text), served.reasons(name)
        one.go()
        assert one.ended("first", "second", "third") == ["SUCCEEDED"] * 3
        words = [line.split()[0] for line in one.journal()]
        assert words == ["begin", "end"] * 3
