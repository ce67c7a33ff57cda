"""``laminar.remote``: what is deployed, by name."""

from __future__ import annotations

import pytest

import laminar
from laminar.exceptions import FlowError, ServerNotReachableError, TaskError, TaskInputError, UnknownEntityError


@pytest.fixture(scope="module")
def deployed(distant, server_address, tmp_path_factory):
    """The module, deployed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMINAR_SERVER_ENDPOINT", server_address)
        laminar.deploy(distant.Distant)
        distant.version = laminar.deploy(distant.env)[0].version  # as a run of one of its tasks deploys it
    return distant


def task(name="total", **which):
    return laminar.remote.Task.get(f"distant.{name}", **(which or {"auto_version": "latest"}))


def test_a_task_is_run_by_its_name(deployed):
    run = laminar.run(task(), count=3)
    assert run.result() == 5
    assert laminar.run(task(), 2).result() == 1
    assert laminar.run(task(version=deployed.version), count=2).result() == 1


def test_a_reference_asks_nothing_before_it_is_needed(deployed, monkeypatch):
    monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", "http://127.0.0.1:9")
    found = task()
    assert repr(found) == "<remote.Task distant.total:latest>"
    with pytest.raises(ServerNotReachableError):
        found.version  # noqa: B018 - it is asked for


def test_a_reference_tells_what_the_task_takes(deployed):
    found = task()
    assert found.version == deployed.version
    assert found.doc == "Add up squares."
    assert [(one.name, one.type, one.default, one.doc) for one in found.interface.parameters] == [
        ("count", "int", 3, "How many."),
        ("word", "str", "none", ""),
    ]


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {"coutn": 1}, "has no parameter 'coutn'. Did you mean 'count'"),
        ((), {"count": "x"}, "parameter count expects int, got str: 'x'"),
        ((), {"count": 1.5}, "parameter count expects int, got float: 1.5"),
        ((), {"count": True}, "parameter count expects int, got bool"),
        ((), {"word": 3}, "parameter word expects str, got int"),
        ((1,), {"count": 1}, "got parameter count twice"),
        ((1, "a", 2), {}, "takes 2 arguments, got 3. It takes (count, word)."),
    ],
)
def test_wrong_inputs_are_refused_by_the_interface(deployed, args, kwargs, said):
    with pytest.raises(TaskInputError) as caught:
        laminar.run(task(), *args, **kwargs)
    assert said in str(caught.value)


def test_missing_inputs_are_named(deployed):
    with pytest.raises(TaskInputError, match=r"needs a value for n\. It takes"):
        laminar.run(task("square"))


def test_values_that_json_cannot_say_are_packed(frames):
    import pandas as pd

    laminar.deploy(frames.env)
    column = laminar.remote.Task.get("frames.column", auto_version="latest")
    assert laminar.run(column, rows=pd.DataFrame({"x": range(3_000)})).result() == 4_498_500


def test_settings_are_overridden(deployed):
    assert laminar.run(task("variable").override(env_vars={"PLACE": "Oslo"}), name="PLACE").result() == "Oslo"


@pytest.mark.parametrize("version", ["latest", "current"])
def test_a_task_calls_another_by_its_name(frames, version):
    run = laminar.run(frames.calls_by_name, version=version)
    assert run.result() == 6
    assert [action.task for action in run.actions()] == ["frames.calls_by_name", "frames.column"]


def test_calls_by_name_are_awaited(deployed):
    assert laminar.run(deployed.awaits_by_name).result() == [0, 1, 4]


def test_a_call_by_name_with_wrong_inputs_raises_in_the_caller(deployed):
    assert "parameter n expects int, got str" in laminar.run(deployed.calls_wrongly).result()


def test_outside_of_a_server_a_reference_is_not_called(deployed):
    with pytest.raises(TaskError, match=r"from here, run it: laminar\.run\("):
        task()(count=1)
    with pytest.raises(TaskError, match="its current version is that of who calls it"):
        laminar.run(task(auto_version="current"))
    with pytest.raises(TaskError, match="leave out mode='local'"):
        laminar.with_runcontext(mode="local").run(task())


@pytest.mark.parametrize("which", [{}, {"version": "1", "auto_version": "latest"}])
def test_a_reference_names_one_version(which):
    with pytest.raises(TaskError, match="either version='…' or auto_version='latest'"):
        laminar.remote.Task.get("distant.total", **which)


def test_what_is_not_there_is_told_with_the_nearest(deployed):
    with pytest.raises(UnknownEntityError, match=r"There is no distant\.totla .* Did you mean 'distant\.total'"):
        laminar.run(task("totla"))
    with pytest.raises(UnknownEntityError, match="has no version 'v0'"):
        laminar.run(task(version="v0"))
    with pytest.raises(TaskError, match="auto_version='lastet'"):
        task(auto_version="lastet")
    with pytest.raises(TaskError, match="Distant is a flow, not a task"):
        laminar.run(laminar.remote.Task.get("Distant", auto_version="latest"))
    with pytest.raises(FlowError, match=r"distant\.total is a task, not a flow"):
        laminar.remote.Flow.get("distant.total").run()


def test_all_that_is_deployed_is_listed(deployed):
    names = {found.name for found in laminar.remote.Task.listall()}
    assert {"distant.total", "distant.square"} <= names
    versions = [found.version for found in laminar.remote.Task.listall("distant.total")]
    assert deployed.version in versions
    assert "Distant" in {found.name for found in laminar.remote.Flow.listall()}  # other tests share the server
    [deployment] = [each for each in laminar.remote.Deployment.listall(kind="flow") if each.name == "Distant"]
    assert deployment.entities == ("Distant", "Distant.First", "Distant.Second", "Distant.Third")


def test_a_flow_is_run_by_its_name_and_read_with_its_class(deployed):
    flow = laminar.remote.Flow.get("Distant")
    assert flow.layers == ("First", "Second", "Third")

    run = flow.run(factor=10)

    assert run.wait().status == "SUCCEEDED"
    assert run.result() is None
    assert run.inputs() == {"factor": 10}
    execution = flow.execution(run.name)
    assert execution.layer(deployed.Third).sum == 60
    assert list(execution.layer("Second").product) == [10, 20, 30]
    assert list(run.logs("Distant.First")) == ["first has 10"]


def test_a_flow_whose_class_is_not_here_is_not_read():
    with pytest.raises(FlowError, match="The class of flow Elsewhere is not in this process"):
        laminar.remote.Flow.get("Elsewhere").execution("x")


def test_runs_are_listed_by_what_they_are(deployed):
    context = laminar.with_runcontext(labels={"kind": "list", "n": "1"})
    good = context.run(deployed.square, n=1)
    bad = context.run(deployed.fails, word="x")
    good.wait()
    bad.wait()

    def names(**which):
        return [run.name for run in laminar.remote.Run.listall(**which)]

    assert names(label={"kind": "list"}) == [bad.name, good.name]
    assert names(label={"kind": "list", "n": "1"}, limit=1) == [bad.name]
    assert names(label={"kind": "list", "n": "2"}) == []
    assert names(label={"kind": "list"}, status="FAILED") == [bad.name]
    assert names(label={"kind": "list"}, task="distant.square") == [good.name]
    assert names(name=good.name[:20]) == [good.name]
    with pytest.raises(TaskError, match="no state"):
        names(status="BROKEN")


def test_actions_are_listed_and_looked_at(deployed):
    run = laminar.run(deployed.total, count=4)
    run.wait()

    squares = laminar.remote.Action.listall(run.name, task="distant.square")
    assert [action.status for action in squares] == ["SUCCEEDED"] * 4
    assert len(laminar.remote.Action.listall(run.name, limit=2)) == 2
    first = laminar.remote.Action.get(run.name, squares[1].name)
    assert (first.task, first.run, first.result()) == ("distant.square", run.name, 1)
    assert list(first.logs()) == ["square of 1"]
    assert "It ran because the task does not use the cache." in first.why()
