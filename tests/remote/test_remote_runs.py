"""``laminar.run`` where a server is configured: the same runs as on this machine."""

from __future__ import annotations

import pytest

import laminar
from laminar.exceptions import (
    DeploymentError,
    LaminarError,
    RunAbortedError,
    RunExistsError,
    ServerNotReachableError,
    TaskError,
    TaskInputError,
    UnknownProjectError,
    UnknownRunError,
)


def reached(path):
    """Wait until a task has come to a place; what it does then is for the test to say."""
    import time

    while not path.with_name(f"{path.name}.reached").exists():
        time.sleep(0.02)


def test_a_run_is_deployed_run_and_looked_at(distant, server_address):
    run = laminar.run(distant.total, count=3, word="hello")

    assert run.wait() is run
    assert run.result() == 5
    assert run.outputs() == (5,)
    assert (run.status, run.phase, run.done(), run.error) == ("SUCCEEDED", "SUCCEEDED", True, None)
    assert run.inputs() == {"count": 3, "word": "hello"}
    assert run.url.startswith(f"{server_address}/api/v1/projects/default/domains/development/runs/{run.name}")
    assert run.root == f"default/development at {server_address}"
    assert [action.task for action in run.actions()] == ["distant.total", *["distant.square"] * 3]
    assert {action.parent for action in run.actions()[1:]} == {"a0"}
    assert list(run.logs()) == ["the word is hello", "square of 0", "square of 1", "square of 2"]
    assert list(run.logs("distant.square")) == ["square of 0", "square of 1", "square of 2"]
    assert list(run.logs("a0")) == ["the word is hello"]


def test_waiting_shows_what_is_printed(distant, capsys):
    laminar.run(distant.total, count=2).wait()

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["distant.total | the word is none", "distant.square | square of 0", "distant.square | square of 1"]


def test_asking_for_the_result_shows_nothing(distant, capsys):
    assert laminar.run(distant.total, count=1).result() == 0
    assert capsys.readouterr().out == ""


async def _run(distant):
    run = await laminar.run.aio(distant.total, count=2)
    return await run.result.aio()


def test_a_run_is_awaited_where_an_event_loop_runs(distant):
    import asyncio

    assert asyncio.run(_run(distant)) == 1


def test_a_tuple_is_several_outputs(distant):
    assert laminar.run(distant.several).outputs() == (1, "two")


def test_large_values_travel_both_ways(distant, frames):
    assert laminar.run(distant.large, n=50_000).result() == list(range(50_000))

    rows = laminar.run(frames.table, n=5_000).result()
    assert rows.shape == (5_000, 1)
    run = laminar.run(frames.column, rows=rows)
    assert run.result() == 12_497_500
    assert run.inputs()["rows"].equals(rows)


def test_files_travel_both_ways(distant, tmp_path):
    (tmp_path / "given.txt").write_text("some words\n" * 10_000)

    run = laminar.run(distant.upper, file=str(tmp_path / "given.txt"))

    with run.result().open_sync("rt") as made:
        assert made.read() == "SOME WORDS\n" * 10_000
    with run.inputs()["file"].open_sync("rt") as given:
        assert given.read() == "some words\n" * 10_000
    assert laminar.run(distant.upper, file=run.result()).result() == run.result()


def test_what_a_task_raises_is_raised_here_as_itself(distant):
    run = laminar.run(distant.fails, word="lost")

    with pytest.raises(KeyError, match="lost") as caught:
        run.result()

    assert any("raise KeyError(word)" in note for note in caught.value.__notes__)
    assert run.status == "FAILED"
    assert isinstance(run.error, KeyError)
    assert list(run.logs()) == ["before the end"]


def test_wrong_inputs_are_refused_before_anything_is_asked(distant, monkeypatch):
    monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TaskInputError, match="parameter count expects int, got str"):
        laminar.run(distant.total, count="three")


def test_what_is_said_of_a_run_holds_on_the_server(distant):
    context = laminar.with_runcontext(
        mode="remote", name="by-name", labels={"place": "Bern"}, env_vars={"PLACE": "Bern"}, version="v1"
    )
    run = context.run(distant.variable, name="PLACE")

    assert (run.name, run.result()) == ("by-name", "Bern")
    assert laminar.remote.Task.get("distant.variable", version="v1").version == "v1"
    assert [found.name for found in laminar.remote.Run.listall(label={"place": "Bern"})] == ["by-name"]
    with pytest.raises(RunExistsError, match="by-name"):
        context.run(distant.variable, name="PLACE")


def test_a_run_is_not_named_as_a_flow_that_another_calls(distant):
    with pytest.raises(LaminarError, match="named as a flow is that a run 'by-name' calls"):
        laminar.with_runcontext(name="by-name-abcdefghijklmnop").run(distant.square, n=1)


def test_settings_that_a_call_overrides_hold(distant):
    assert laminar.run(distant.variable.override(env_vars={"PLACE": "Rome"}), name="PLACE").result() == "Rome"


def test_the_mode_says_where_a_run_goes(distant, tmp_path):
    here = laminar.with_runcontext(mode="local", quiet=True).run(distant.total, count=2)
    assert here.result() == 1
    assert here.root == str(tmp_path / "laminar")
    with pytest.raises(UnknownRunError, match=here.name):
        laminar.remote.Run.get(here.name)


@pytest.mark.parametrize("said", [{"executor": "thread"}, {"concurrency": 2}, {"root": "there"}])
def test_what_only_this_machine_can_do_is_refused(distant, said):
    with pytest.raises(TaskError, match=rf"{next(iter(said))}=…\) is for runs on this machine"):
        laminar.with_runcontext(**said).run(distant.total)


def test_a_project_that_is_not_there_is_told(distant):
    with pytest.raises(UnknownProjectError, match="There is no project 'trains' on this server"):
        laminar.with_runcontext(project="trains").run(distant.total)


def test_domains_are_apart(distant):
    run = laminar.with_runcontext(domain="staging").run(distant.total, count=2)
    assert run.result() == 1
    assert run.name in [found.name for found in laminar.remote.Run.listall(domain="staging")]
    with pytest.raises(UnknownRunError):
        laminar.remote.Run.get(run.name)


def test_a_server_that_is_not_there_is_told_with_its_address(distant, monkeypatch):
    monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ServerNotReachableError, match=r"http://127\.0\.0\.1:9.*laminar serve"):
        laminar.run(distant.total, count=2)


def test_a_run_is_aborted_and_gone_on_with(distant, tmp_path):
    gate = tmp_path / "gate"
    run = laminar.run(distant.waits_for, path=str(gate))
    reached(gate)

    assert run.abort("enough").status == "CANCELLED"
    with pytest.raises(RunAbortedError, match="enough"):
        run.result()

    gate.touch()
    again = laminar.resume(run.name)
    assert (again.name, again.result()) == (run.name, 7)


def test_a_run_that_has_succeeded_is_not_gone_on_with(distant):
    run = laminar.run(distant.square, n=2)
    assert run.result() == 4
    with pytest.raises(RunExistsError, match="only one that has failed or was stopped"):
        laminar.resume(run.name)


def test_results_are_taken_from_the_cache_unless_they_are_to_be_made_anew(distant, tmp_path):
    journal = tmp_path / "journal"
    assert laminar.run(distant.counted, journal=str(journal), n=1).result() == 1
    again = laminar.run(distant.counted, journal=str(journal), n=1)
    assert again.result() == 1
    assert journal.read_text() == "1\n"
    anew = laminar.with_runcontext(overwrite_cache=True).run(distant.counted, journal=str(journal), n=1)
    assert anew.result() == 1
    assert journal.read_text() == "1\n1\n"
    assert "cache: hit" in again.actions()[0].reason
    why = laminar.remote.Action.get(again.name, "a0").why()
    assert "It did not run: its result was in the cache." in why


def test_a_run_is_found_by_its_name(distant):
    run = laminar.run(distant.square, n=3)
    assert laminar.Run.get(run.name).result() == 9
    assert laminar.remote.Run.get(run.name).result() == 9
    with pytest.raises(UnknownRunError, match="nobody"):
        laminar.Run.get("nobody")


def test_what_cannot_be_deployed_is_not_run(distant):
    with pytest.raises(DeploymentError, match=r"distant-stray\.strays calls distant\.square, and environment distant"):
        laminar.run(distant.strays)
