"""Tasks behave the same wherever they run: one program, one run for each kind of place, one answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import engines
from shells import Shell

PROGRAM = Path(__file__).with_name("behaviours.py")

KINDS = ["NoneType", "float", "int", "str", "bytes", "tuple", "Colour", "Point", "datetime", "PosixPath", "Odd", "str"]
EXPECTED: dict[str, Any] = {
    "values_come_back_equal_and_of_their_types": [KINDS, True, "-0.0", True],
    "calls_may_be_many_and_nested": [[2, 5, 5], [1, 2, 3], 2],
    "variables_come_from_environment_task_and_call": [["task", "run", "run", None], ["call", "run", "run", "x"]],
    "programs_have_the_variables_of_the_task_that_starts_them": "task",
    "a_task_knows_where_it_is": ["one", "place.all_of_them", "place.tells", 1],
    "retries": [2, "ConnectionError('attempt 1')"],
    "errors_come_as_themselves": [
        ["RefusedError", "host refused", 7, True],
        True,
        ["ExceptionGroup", ["KeyError('one')", "RefusedError('host refused')"], 2],
        ["AttemptExitedError", 3],
    ],
    "time_runs_out": [["AttemptTimeoutError", True]] * 2,
    "a_call_that_is_cancelled_ends": ["CancelledError"] * 2,
    "helpers_are_traced": [2, 2, 4],
    "files_go_from_one_to_the_next": "content of a file",
    "output_goes_to_the_log": None,
    "results_are_cached_within_a_run": [True, False],
    "images_may_differ_within_a_run": None,
    "a_wrong_argument_is_told_at_the_call": "TaskInputError",
    "tree": [
        ["__main__.traced", "SUCCEEDED", ""],
        ["elsewhere.is_elsewhere", "SUCCEEDED", ""],
        ["place.adds", "SUCCEEDED", ""],
        ["place.adds", "SUCCEEDED", "sums"],
        ["place.all_of_them", "SUCCEEDED", ""],
        ["place.calls_down", "SUCCEEDED", ""],
        ["place.fails", "FAILED", ""],
        ["place.fails_once", "FAILED", ""],
        ["place.fails_once", "SUCCEEDED", ""],
        ["place.gives_all", "SUCCEEDED", ""],
        ["place.gives_back", "SUCCEEDED", ""],
        ["place.kept", "SUCCEEDED", ""],
        ["place.reads", "SUCCEEDED", ""],
        ["place.says", "SUCCEEDED", ""],
        ["place.starts_a_program", "SUCCEEDED", ""],
        ["place.tells", "SUCCEEDED", ""],
        ["place.traces", "SUCCEEDED", ""],
        ["place.variables", "SUCCEEDED", ""],
        ["place.waits", "CANCELLED", ""],
        ["place.waits", "FAILED", ""],
        ["place.waits_in_a_thread", "CANCELLED", ""],
        ["place.waits_in_a_thread", "FAILED", ""],
        ["place.writes", "SUCCEEDED", ""],
    ],
    "log": ["a record", "an error", "no end of line", "printed in words"],
}
#: What the images of the tests lack the packages for.
FRAMES = {
    "frames_and_arrays_come_back_equal": [
        True,
        [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
        "float32",
    ]
}
#: What differs where tasks share a process.
SHARED = {"programs_have_the_variables_of_the_task_that_starts_them": ""}
#: What differs in containers: they have images.
IMAGES = {"images_may_differ_within_a_run": "another"}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shutil.copy(PROGRAM, tmp_path / "main.py")
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def gives(shell: Shell, where: str, **variables: str) -> dict[str, Any]:
    answer = shell.python("main.py", where, LAMINAR_QUIET="1", **variables)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out.splitlines()[-1])
    return found


@pytest.mark.parametrize("where", ["here", "threads"])
def test_tasks_behave_the_same_in_the_process_of_the_scheduler(where: str, shell: Shell) -> None:
    assert gives(shell, where) == EXPECTED | FRAMES | SHARED


@pytest.mark.parametrize("where", ["fork", "spawn"])
def test_tasks_behave_the_same_in_processes(where: str, shell: Shell) -> None:
    assert gives(shell, where) == EXPECTED | FRAMES


@pytest.mark.parametrize(("where", "name"), [("warm", "docker"), ("cold", "docker"), ("warm", "podman")])
def test_tasks_behave_the_same_in_containers(
    where: str, name: str, shell: Shell, engine_named: Callable[[str], engines.Engine]
) -> None:
    engine = engine_named(name)
    variables = {**engine.variables, "IMAGE_NAME": f"{engine.prefix}-behaviours"}
    if name == "docker":
        assert gives(shell, where, **variables) == EXPECTED | IMAGES
    else:  # a second image takes long to build
        assert gives(shell, where, ONE_IMAGE="1", **variables) == EXPECTED
