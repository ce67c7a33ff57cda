"""What nobody waits for any more ends, with all below it; what is tried again keeps what its calls have returned."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import stopping_tasks as tasks

import laminar
from engines import Engine
from laminar import exceptions
from laminar.host import processes
from laminar.runs.local import label_of

Start = Callable[..., laminar.Run]
#: How tasks run: in this process, or in one each.
EXECUTORS = pytest.mark.parametrize("executor", [None, "process"])


def begin(folder: Path, executor: str | None, task: object, *args: str, notes: Path | None = None) -> laminar.Run:
    runner = laminar.with_runcontext(executor=executor, root=str(folder / "state"), quiet=True)
    return runner.run(task, str(notes or folder), *args)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + tasks.PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def statuses(run: laminar.Run, task: object) -> list[str]:
    return [str(action.status) for action in run.actions() if action.task == task.name]


def left(run: laminar.Run) -> list[int]:
    """Give the processes of a run."""
    return list(processes.labelled(label_of(run.root, run.task, run.name)))


@EXECUTORS
@pytest.mark.parametrize("way", ["cancel", "group", "limit"])
def test_a_call_that_is_cancelled_ends_with_all_below_it(tmp_path: Path, executor: str | None, way: str) -> None:
    run = begin(tmp_path, executor, tasks.cancels_and_goes_on, way)
    found = {"cancel": "CancelledError", "group": "OwnError", "limit": "TimeoutError"}[way]
    assert run.result() == (found, True)
    assert statuses(run, tasks.waits_for_two) == ["CANCELLED"]
    assert statuses(run, tasks.lingers) == ["CANCELLED", "CANCELLED"]
    assert left(run) == []


@EXECUTORS
def test_a_call_that_is_shielded_goes_on(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.shields)
    assert run.result() == "its result"
    assert statuses(run, tasks.released) == ["SUCCEEDED"]


@EXECUTORS
def test_calls_that_are_cancelled_at_once_hold_nothing_up(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.calls_and_cancels_at_once)
    began = time.monotonic()
    assert run.result() == 20
    assert set(statuses(run, tasks.lingers)) <= {"CANCELLED"}
    assert time.monotonic() - began < tasks.PATIENCE


def test_a_call_that_is_cancelled_as_it_begins_ends_at_once(tmp_path: Path) -> None:
    run = begin(tmp_path, None, tasks.cancels_at_many_moments)
    assert run.result() == 60
    assert set(statuses(run, tasks.lingers)) == {"CANCELLED"}
    assert [action.reason for action in run.actions() if "grace" in str(action.reason)] == []


@EXECUTORS
def test_an_abort_ends_all(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.waits_for_two)
    until(lambda: tasks.both_begun(str(tmp_path)))
    run.abort("enough")
    assert run.status == "CANCELLED"
    with pytest.raises(exceptions.RunAbortedError, match="aborted: enough"):
        run.result()
    assert {"a ended", "b ended"} <= set(tasks.noted(str(tmp_path)))
    assert {str(action.status) for action in run.actions()} == {"CANCELLED"}
    assert left(run) == []


def test_an_abort_from_elsewhere_ends_all(tmp_path: Path) -> None:
    run = begin(tmp_path, "process", tasks.waits_for_two)
    until(lambda: tasks.both_begun(str(tmp_path)))
    command = [Path(sys.executable).with_name("laminar"), "abort", run.name, "--root", run.root]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(exceptions.RunAbortedError):
        run.result()
    assert left(run) == []


def test_an_abort_ends_containers(tmp_path: Path, engine_named: Callable[[str], Engine]) -> None:
    engine = engine_named("docker")
    mounting = ["ps", "--all", "--quiet", "--filter", f"volume={tmp_path / 'state'}"]
    (tmp_path / "state" / "shared").mkdir(parents=True)
    run = begin(tmp_path, "docker", tasks.waits_for_two, notes=tmp_path / "state" / "shared")
    until(lambda: tasks.both_begun(str(tmp_path / "state" / "shared")))
    assert len(engine.docker(*mounting).split()) >= 3
    run.abort()
    assert run.status == "CANCELLED"
    assert engine.docker(*mounting) == ""


def test_a_run_whose_tasks_were_stopped_can_be_resumed(tmp_path: Path) -> None:
    run = begin(tmp_path, None, tasks.released)
    until(lambda: "begun" in tasks.noted(str(tmp_path)))
    run.abort()
    tasks.note(str(tmp_path), "released")
    again = laminar.with_runcontext(root=run.root, quiet=True).resume(run.name)
    assert again.result() == "its result"


# Tried again


@EXECUTORS
def test_who_is_tried_again_keeps_what_ended_well(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.tried_again)
    result = run.result()
    lines = tasks.noted(str(tmp_path))
    assert [lines.count(name) for name in ("a", "b", "fails")] == [1, 1, 2]
    assert set(lines) - {"a", "b", "fails"} == {f"kept {result[:2]}"}
    assert result[2] == "at last"


@EXECUTORS
def test_what_ended_well_below_a_call_that_failed_is_kept(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.tries_nested)
    result = run.result()
    lines = tasks.noted(str(tmp_path))
    assert (lines.count("a"), lines.count("fails")) == (1, 2)
    assert set(lines) - {"a", "fails"} == {f"kept {result.removesuffix('at last')}"}


def test_who_is_killed_and_tried_again_keeps_what_its_calls_returned(tmp_path: Path) -> None:
    run = begin(tmp_path, "process", tasks.killed_once)
    result = run.result()
    lines = tasks.noted(str(tmp_path))
    assert [lines.count(name) for name in "abc"] == [1, 1, 1]
    assert set(lines) - set("abc") == {f"kept {result[:2]}"}


@EXECUTORS
def test_a_call_that_outlives_the_try_that_made_it_is_waited_for_by_the_next(
    tmp_path: Path, executor: str | None
) -> None:
    run = begin(tmp_path, executor, tasks.leaves_child_behind)
    assert run.result() == "its result"
    assert tasks.noted(str(tmp_path)).count("outlives") == 1


@EXECUTORS
def test_a_call_that_is_ending_is_begun_anew_for_the_next_try(tmp_path: Path, executor: str | None) -> None:
    run = begin(tmp_path, executor, tasks.calls_what_ends)
    assert run.result() == "its result"
    assert tasks.noted(str(tmp_path)).count("slow") == 2


def test_processes_of_tasks_end_with_the_run(tmp_path: Path) -> None:
    run = begin(tmp_path, "process", tasks.cancels, "cancel")
    run.wait()
    pids = [int(line.split()[1]) for line in tasks.noted(str(tmp_path)) if line.split()[1].isdigit()]
    assert len(pids) == 2
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
