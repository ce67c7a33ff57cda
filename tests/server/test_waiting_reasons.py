"""Whatever waits says in one sentence what it waits for, within two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jobs
import pytest
from jobs import Jobs

SOON = 2.0
TASKS = '''
@env.task
def hold(name: str) -> str:
    """Wait for the file."""
    return work({folder!r}, name)


@env.task
async def caller(name: str) -> str:
    """Call a task that waits."""
    return await hold(name)


@env.task(retries=RetryStrategy(3, backoff=Backoff(base=3600, cap=3600)))
def fails(name: str) -> None:
    """Fail."""
    raise ValueError(name)


@env.task(secrets=[Secret("nowhere")])
def secret() -> None:
    """Never run."""


@gpu.task
def on_gpu(name: str) -> str:
    """Wait for the file, with a slot of the queue."""
    return work({folder!r}, name)


@gpu.task
async def above(name: str) -> str:
    """Call a task of the own queue."""
    return await on_gpu(name)


@env.task
async def moved(name: str) -> str:
    """Call a task in a queue that is not there."""
    return await hold.override(queue="tpu")(name)
'''


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Jobs]:
    with jobs.serving(tmp_path, concurrency=4) as found:
        found.put_queue("gpu", 1)
        done = found.deploy(TASKS.format(folder=str(tmp_path)), "env", "gpu")
        assert done.returncode == 0, done.stderr
        yield found


def begun(served: Jobs, *names: str) -> bool:
    return bool(jobs.holds(lambda: {f"begin {name}" for name in names} <= set(served.journal())))


def test_an_action_names_the_queue_that_is_full_and_the_runs_that_hold_it(served: Jobs) -> None:
    served.run("gpus.on_gpu", "first", name="first")
    assert begun(served, "first")
    served.run("gpus.on_gpu", "second", name="second")
    assert served.waits(
        "second", "gpus.on_gpu", "waits for a slot of queue gpu: 1 of 1 is held by run first", SOON + 1
    ), served.reasons("second")
    assert [holder.run for holder in served.queues()["gpu"].holders] == ["first"]
    served.go()
    assert served.ended("first", "second") == ["SUCCEEDED", "SUCCEEDED"]
    assert served.journal() == ["begin first", "end first", "begin second", "end second"]
    assert jobs.holds(lambda: served.queues()["gpu"].taken == 0)


def test_an_action_names_the_limit_of_its_project(served: Jobs) -> None:
    served.limit(1)
    served.run("jobs.hold", "first", name="first")
    assert begun(served, "first")
    served.run("jobs.hold", "second", name="second")
    text = "waits for a slot of default/development, which limits all of its actions: 1 of 1 is held by run first"
    assert served.waits("second", "jobs.hold", text, SOON + 1), served.reasons("second")
    served.limit(None)
    assert begun(served, "second")


def test_an_action_names_the_slots_of_the_server_and_the_runs_that_hold_them(served: Jobs) -> None:
    for name in "abcd":
        served.run("jobs.hold", name, name=name)
    assert begun(served, *"abcd")
    served.run("jobs.hold", "late", name="late")
    assert served.waits("late", "jobs.hold", "waits for a slot of the server, which runs 4 at a time: 4 are held", SOON)
    assert "by runs a, b, c, …" in (served.reasons("late")["jobs.hold"] or "")


def test_an_action_says_that_it_waits_to_be_tried_again_and_why(served: Jobs) -> None:
    served.run("jobs.fails", "fails", name="x")
    assert served.waits("fails", "jobs.fails", "to try again"), served.reasons("fails")
    assert (served.reasons("fails")["jobs.fails"] or "").startswith("waits 36")
    served.stop("fails")


def test_a_parent_names_what_it_has_called(served: Jobs) -> None:
    served.run("jobs.caller", "parent", name="child")
    assert begun(served, "child")
    assert served.waits("parent", "jobs.caller", "waits for what it has called: jobs.hold", SOON)
    assert served.reasons("parent")["jobs.hold"] is None


def test_a_queue_of_no_slots_lets_nothing_begin_and_says_so(served: Jobs) -> None:
    served.put_queue("gpu", 0)
    served.run("gpus.on_gpu", "never", name="never")
    assert served.waits("never", "gpus.on_gpu", "waits for a slot of queue gpu: it has none", SOON + 1)
    served.put_queue("gpu", 1)
    assert begun(served, "never")


def test_a_secret_that_is_missing_is_an_error_and_nothing_to_wait_for(served: Jobs) -> None:
    served.run("jobs.secret", "secret")
    assert served.ended("secret") == ["FAILED"]
    assert "nowhere" in (served.view("secret").error or "")


def test_a_task_that_calls_into_its_own_queue_is_refused_since_both_could_wait_for_ever(served: Jobs) -> None:
    served.run("gpus.above", "above", name="above")
    assert served.ended("above") == ["FAILED"]
    assert "is in the queue gpu, and so is a task that has called it" in (served.view("above").error or "")
    assert jobs.holds(lambda: served.queues()["gpu"].taken == 0)


def test_a_call_into_a_queue_that_is_not_there_is_refused(served: Jobs) -> None:
    served.run("jobs.moved", "moved", name="x")
    assert served.ended("moved") == ["FAILED"]
    assert "There is no queue 'tpu' in default/development." in (served.view("moved").error or "")
