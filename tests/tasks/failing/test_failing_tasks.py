"""What a task raises reaches who has called it as itself, however far away it ran."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import failing_tasks as tasks
import pytest

import laminar
from laminar import exceptions

Start = Callable[..., laminar.Run]


@pytest.fixture(params=["in this process", "process", "docker"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Start a task, each way in turn."""
    executor = None if request.param == "in this process" else request.param
    if executor == "docker":
        request.getfixturevalue("docker_host")
    return laminar.with_runcontext(executor=executor, root=str(tmp_path / "state"), quiet=True).run


@pytest.fixture
def here(tmp_path: Path) -> Start:
    return laminar.with_runcontext(root=str(tmp_path / "state"), quiet=True).run


@pytest.fixture
def apart(tmp_path: Path) -> Start:
    return laminar.with_runcontext(executor="process", root=str(tmp_path / "state"), quiet=True).run


def raised(run: laminar.Run) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - it is looked at by who asks
        run.result()
    return caught.value


def notes(error: BaseException) -> str:
    return "\n".join(error.__notes__)


def test_a_failure_is_caught_by_its_type(start: Start) -> None:
    assert start(tasks.key_error).result() == "a key"


def test_a_failure_that_nobody_catches_is_raised_by_the_run(start: Start) -> None:
    error = raised(start(tasks.outer, "odd"))
    assert type(error) is tasks.OddError
    assert (str(error), error.code, error.where) == ("code 7", 7, "there")
    assert "Raised in task failing.fail (" in notes(error)
    assert "Raised in task failing.outer (a0)" in notes(error)
    assert notes(error).count("raise FAILURES[kind]()") == 1
    assert "asyncio" not in notes(error)


@pytest.mark.parametrize("kind", sorted(tasks.FAILURES.keys() - {"local", "hidden", "stop"}))
@pytest.mark.parametrize("where", ["here", "apart"])
def test_type_text_and_attributes_arrive(request: pytest.FixtureRequest, where: str, kind: str) -> None:
    original = tasks.FAILURES[kind]()
    for found, text, attributes, said in request.getfixturevalue(where)(tasks.caught, kind).result():
        assert found is type(original)
        assert text == str(original)
        kept = {name: value for name, value in vars(original).items() if name != "lock"}
        assert {name: attributes[name] for name in kept} == kept
        assert said[0].startswith("Raised in task failing.fail")
        assert "raise FAILURES[kind]()" in said[0]


@pytest.mark.parametrize("where", ["here", "apart"])
def test_what_cannot_be_pickled_arrives_in_words(request: pytest.FixtureRequest, where: str) -> None:
    error = raised(request.getfixturevalue(where)(tasks.outer, "hidden"))
    assert type(error) is exceptions.RemoteError
    assert error.type_name == "failing_tasks.HiddenError"
    assert "a secret place" in str(error)
    assert "Raised in task failing.outer" in notes(error)


def test_a_cause_is_told(start: Start) -> None:
    error = raised(start(tasks.chained))
    assert (type(error), str(error)) == (ValueError, "made of it")
    assert "KeyError: 'a key'" in notes(error)
    assert "The above exception was the direct cause of the following exception" in notes(error)


@pytest.mark.parametrize("where", ["here", "apart"])
def test_groups_arrive_as_groups_within_groups(request: pytest.FixtureRequest, where: str) -> None:
    error = raised(request.getfixturevalue(where)(tasks.group_within))
    assert type(error) is ExceptionGroup
    (inner,) = error.exceptions
    assert type(inner) is ExceptionGroup
    assert {type(each) for each in inner.exceptions} <= {KeyError, tasks.OddError}
    keys, rest = error.split((KeyError, tasks.OddError))
    assert keys is not None
    assert rest is None


def test_a_failure_that_passes_many_tasks_stays_small(here: Start) -> None:
    run = here(tasks.passed_on, 60)
    error = raised(run)
    assert type(error) is KeyError
    assert notes(error).count("Raised in task failing.passed_on") == 61
    assert Path(run.url.removeprefix("file://")).stat().st_size < 5_000_000


@pytest.mark.parametrize(("kind", "tries"), [("key", 3), ("final", 1)])
@pytest.mark.parametrize("where", ["here", "apart"])
def test_what_is_final_is_not_tried_again(
    request: pytest.FixtureRequest, tmp_path: Path, where: str, kind: str, tries: int
) -> None:
    error = raised(request.getfixturevalue(where)(tasks.counted, str(tmp_path), kind))
    assert type(error) is type(tasks.FAILURES[kind]())
    assert (tmp_path / "notes").read_text().split() == ["tried"] * tries


@pytest.mark.parametrize(
    ("way", "kind", "words"),
    [("exit", "AttemptExitedError", "sys.exit(3)"), ("kill", "AttemptKilledError", "killed by SIGKILL")],
)
def test_the_end_of_a_process_is_an_exception(apart: Start, way: str, kind: str, words: str) -> None:
    found, text = apart(tasks.what_leaving_raises, way).result()
    assert found == kind
    assert words in text


def test_memory_that_is_used_up_is_an_exception(docker_host: str, tmp_path: Path) -> None:
    start = laminar.with_runcontext(executor="docker", root=str(tmp_path / "state"), quiet=True).run
    found, text = start(tasks.what_leaving_raises, "memory").result()
    assert found == "OutOfMemoryError"
    assert "Task failing.leaves" in text


@pytest.mark.parametrize("where", ["here", "apart"])
def test_what_takes_too_long_is_an_exception(request: pytest.FixtureRequest, where: str) -> None:
    found = request.getfixturevalue(where)(tasks.what_slowness_raises).result()
    assert [text.partition(" (")[0] for text in found] == [
        "AttemptTimeoutError: Task failing.slow",
        "AttemptTimeoutError: Task failing.slow_in_thread",
    ]
    assert all("longer than its time-out of 0.2 s" in text for text in found)


# Bad use


@pytest.mark.parametrize("where", ["here", "apart"])
def test_a_result_that_cannot_be_pickled_names_the_task(request: pytest.FixtureRequest, where: str) -> None:
    error = raised(request.getfixturevalue(where)(tasks.cannot_be_pickled))
    assert type(error) is exceptions.UnpicklableArtifactError
    assert "Task failing.cannot_be_pickled cannot return its result: it is a _thread.lock" in str(error)


@pytest.mark.parametrize("where", ["here", "apart"])
def test_an_argument_that_cannot_be_pickled_names_task_and_part(request: pytest.FixtureRequest, where: str) -> None:
    error = raised(request.getfixturevalue(where)(tasks.gives_lock))
    assert type(error) is exceptions.UnpicklableArtifactError
    assert "Task failing.takes cannot be given its arguments: its part \"['value'][0]\" is a _thread.lock" in str(error)


def test_an_argument_of_the_first_task_that_cannot_be_pickled_is_refused_at_once(here: Start) -> None:
    with pytest.raises(exceptions.UnpicklableArtifactError, match=r"Task failing\.takes cannot be given its arguments"):
        here(tasks.takes, (n for n in range(3)))


def test_a_recursion_without_end_is_stopped(here: Start) -> None:
    run = here(tasks.without_end, 0)
    error = raised(run)
    assert type(error) is exceptions.RecursionLimitError
    assert "Task failing.without_end was called 100 calls deep" in str(error)
    assert len(run.actions()) == 102


def test_the_result_of_a_call_that_was_not_awaited_is_no_value(here: Start) -> None:
    error = raised(here(tasks.uses_without_await))
    assert type(error) is exceptions.BlockingCallError
    assert "await plus(…)" in str(error)


@pytest.mark.parametrize("way", ["map", "wait", "result", "abort"])
def test_what_would_block_the_event_loop_is_refused(here: Start, tmp_path: Path, way: str) -> None:
    error = raised(here(tasks.waits_on_the_loop, way, str(tmp_path / "inner")))
    assert type(error) is exceptions.BlockingCallError
    assert "await" in str(error)


def test_a_run_may_be_begun_where_an_event_loop_runs(here: Start) -> None:
    async def begin() -> object:
        run = here(tasks.plus, 1)
        return await run.result.aio()

    assert asyncio.run(begin()) == 2


def test_a_synchronous_task_is_a_coroutine_to_asyncio(here: Start) -> None:
    assert here(tasks.plus_in_all_ways).result() == [2, 3, 4, 5, 6, 7]


def test_equal_calls_by_parts_on_a_loop_of_the_program_are_refused(here: Start) -> None:
    error = raised(here(tasks.own_loop))
    assert type(error) is exceptions.TaskError
    assert "Two parts of failing.own_loop" in str(error)


def test_calls_one_after_the_other_on_loops_of_the_program_are_told_apart(here: Start) -> None:
    first, second = here(tasks.own_loops).result()
    assert first != second


class Holder:
    method = tasks.plus


def generator(n: int) -> Any:
    yield n


async def async_generator(n: int) -> Any:
    yield n


@pytest.mark.parametrize("function", [generator, async_generator, lambda n: n, int, len, "text"])
def test_what_is_no_plain_function_is_no_task(function: Any) -> None:
    env = laminar.TaskEnvironment(f"no-{type(function).__name__.lower().replace('_', '-')}-task")
    with pytest.raises(exceptions.TaskError):
        env.task(function)


def test_a_task_is_no_method() -> None:
    with pytest.raises(exceptions.TaskError, match="cannot be a method"):
        Holder().method  # noqa: B018
    assert Holder.method(1) == 2


def test_two_environments_of_one_name_are_refused() -> None:
    first = laminar.TaskEnvironment("twice")
    with pytest.raises(exceptions.TaskError, match="twice"):
        laminar.TaskEnvironment("twice")
    assert first.name == "twice"


def test_a_run_within_an_event_loop_is_awaited(tmp_path: Path) -> None:
    async def main() -> Any:
        run = await laminar.with_runcontext(root=str(tmp_path), quiet=True).run.aio(tasks.plus, 1)
        return await run.result.aio()

    assert asyncio.run(main()) == 2
