"""Results: what can be found and read of runs, from a fresh process too."""

import time
from pathlib import Path
from typing import Any

import pytest

from laminar import Execution, Flow, Layer, Parameters
from laminar.configurations import datastores, executors, hooks, layers
from laminar.exceptions import FlowError, RunExistsError, UnknownRunError

from test_flow_layers import Shards, Sharding  # isort: skip


class ResultsFlow(Flow): ...


@ResultsFlow.register
class A(Layer):
    def __call__(self) -> None:
        self.foo = "bar"
        self.number = 1


@ResultsFlow.register
class Unrun(Layer):
    @hooks.entry
    def never(self) -> bool:
        return False


def test_a_flow_is_called_with_parameters_and_gives_its_execution(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class B(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.foo = (parameters.number, parameters.items)

    flow = memory(F)
    execution = flow(number=1, items=["x"])
    assert isinstance(execution, Execution)
    assert execution.layer(B).foo == (1, ["x"])
    assert execution.layer(Parameters).number == 1
    assert execution.layer("Parameters").items == ["x"]
    assert flow.execution is not None
    assert flow.execution.id == execution.id


def test_ids_are_ksuids_that_sort_by_time(memory: Any) -> None:
    flow = memory(ResultsFlow)
    ids = []
    for _ in range(3):
        ids.append(flow().id)
        before = time.time_ns()
        while time.time_ns() - before < 8_000_000:  # the id counts in steps of 1/256 s
            pass
    assert all(len(run) == 27 and run.isalnum() for run in ids)
    assert ids == sorted(ids)
    assert len(set(ids)) == 3


def test_a_run_can_be_given_an_id(memory: Any) -> None:
    execution = memory(ResultsFlow)(execution="my-id")
    assert execution.id == "my-id"
    assert repr(execution) == 'Execution(flow=ResultsFlow(), id="my-id", retry=False)'
    assert execution == execution.flow.execution("my-id")
    assert hash(execution) == hash(execution.flow.execution("my-id"))
    assert execution != execution.flow.execution("other")


def test_an_execution_without_an_id_says_what_to_do(memory: Any) -> None:
    execution = memory(ResultsFlow).execution
    assert repr(execution) == "Execution(flow=ResultsFlow(), id=None, retry=False)"
    with pytest.raises(FlowError, match=r"has no id yet. Run the flow, or name one"):
        execution.layer(A).foo  # noqa: B018


def test_an_unknown_layer_names_the_nearest(memory: Any) -> None:
    class Other(Layer): ...

    execution = memory(ResultsFlow)()
    with pytest.raises(FlowError, match=r"Flow ResultsFlow has no layer 'Unrnu'\. Did you mean 'Unrun'"):
        execution.layer("Unrnu")
    with pytest.raises(FlowError, match="Flow ResultsFlow has no layer 'Other'"):
        execution.layer(Other)


def test_a_layer_is_given_by_class_object_and_name_with_attributes(memory: Any) -> None:
    execution = memory(ResultsFlow)()
    for asked in (A, A(), "A"):
        layer = execution.layer(asked, extra=3)
        assert isinstance(layer, A)
        assert (layer.foo, layer.extra) == ("bar", 3)  # type: ignore[attr-defined]
        assert layer.execution is execution
    assert repr(execution.layer(A)) == f"A(execution={execution!r}, index=None, splits=None)"


def test_the_datastore_lists_executions_layers_and_artifacts(local: Any) -> None:
    flow = local(ResultsFlow)
    assert flow.configuration.datastore.list_executions(flow=flow) == []
    runs = [flow(execution=run).id for run in ("b", "a", "c")]
    again = local(ResultsFlow)
    datastore = again.configuration.datastore
    found = datastore.list_executions(flow=again)
    assert repr(found) == (
        "[" + ", ".join(f'Execution(flow=ResultsFlow(), id="{run}", retry=False)' for run in sorted(runs)) + "]"
    )
    listed = datastore.list_layers(execution=again.execution("a"))
    assert 'A(execution=Execution(flow=ResultsFlow(), id="a", retry=False), index=None, splits=None)' in map(
        repr, listed
    )
    assert "Unrun" not in [layer.name for layer in listed]
    assert datastore.list_artifacts(layer=again.execution("a").layer(A)) == ["foo", "number"]
    assert datastore.list_artifacts(layer=again.execution("a").layer(Unrun)) == []
    assert [layer.foo for layer in listed if layer.name == "A"] == ["bar"]


def test_listing_executions_does_not_change_the_current_one(local: Any) -> None:
    flow = local(ResultsFlow)
    flow(execution="first")
    current = flow(execution="second")
    flow.configuration.datastore.list_executions(flow=flow)
    assert flow.execution.id == current.id


def test_flows_of_other_names_are_not_listed(tmp_path: Path) -> None:
    class OtherFlow(ResultsFlow): ...

    datastore = datastores.Local(root=tmp_path)
    flow = ResultsFlow(datastore=datastore, executor=executors.Thread())
    other = OtherFlow(datastore=datastore, executor=executors.Thread())
    other(execution="other")
    assert datastore.list_executions(flow=flow) == []
    assert [execution.id for execution in datastore.list_executions(flow=other)] == ["other"]


def test_a_finished_execution_tells_status_start_and_end(local: Any) -> None:
    before = time.time()
    flow = local(ResultsFlow)
    flow(execution="mine")
    execution = local(ResultsFlow).execution("mine")
    assert execution.status == "SUCCEEDED"
    assert (execution.finished, execution.running, execution.error, execution.retry) == (True, False, None, False)
    assert before <= execution.started <= execution.ended <= time.time()


def test_an_execution_that_never_was_has_no_status(local: Any) -> None:
    execution = local(ResultsFlow).execution("never")
    assert (execution.status, execution.started, execution.ended, execution.error) == (None, None, None, None)
    assert (execution.finished, execution.running) == (False, False)


def test_a_running_execution_says_so(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class B(Layer):
        def __call__(self) -> None:
            execution = local(F).execution(self.execution.id)
            self.seen = (execution.running, execution.finished, str(execution.status), execution.ended)

    assert local(F)().layer(B).seen == (True, False, "RUNNING", None)


def test_an_id_is_used_once(memory: Any) -> None:
    flow = memory(ResultsFlow)
    flow(execution="mine")
    with pytest.raises(RunExistsError, match=r"Run mine of ResultsFlow exists already .* Go on with it by resume\(\)"):
        flow(execution="mine")


def test_results_can_be_read_from_a_fresh_process_without_ledger(program: Any) -> None:
    program.write(
        """
        import sys
        from laminar import Flow, Layer
        from laminar.configurations import datastores, executors

        class F(Flow): ...

        @F.register
        class A(Layer):
            def __call__(self):
                self.foo = "bar"
                self.shard(items=[1, 2])

        flow = F(datastore=datastores.Local(root="store"), executor=executors.Thread())
        if sys.argv[1:] == ["run"]:
            flow(execution="mine")
        """
    )
    program.run("main.py", "run")
    for name in (program.folder / "store").glob("ledger.db*"):
        name.unlink()
    done = program.run(
        "-c",
        "from main import A, flow; e = flow.execution('mine'); d = flow.configuration.datastore;"
        "print(e.layer(A).foo, list(e.layer(A).items), e.finished, e.status, d.list_executions(flow=flow));"
        "print(d.list_artifacts(layer=e.layer(A)))",
    )
    assert done.stdout == (
        "bar [1, 2] True SUCCEEDED [Execution(flow=F(), id=\"mine\", retry=False)]\n['foo', 'items']\n"
    )
    assert not list((program.folder / "store").glob("ledger.db*")), "reading needs no database"


# Running parts: parameters, schedule, execute


def test_parameters_and_schedule_run_chosen_layers_in_the_given_order(memory: Any) -> None:
    ran = []

    class F(Flow):
        @hooks.execution
        def note(self: Any) -> None:
            ran.append(self.name)

    @F.register
    class B(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.foo = parameters.x

    @F.register
    class C(Layer): ...

    @F.register
    class D(Layer): ...

    execution = (
        memory(F, concurrency=1).execution("mine").parameters(x=3).schedule(dependencies={"B": {"C"}, "C": set()})
    )
    assert ran == ["C", "B"]
    assert execution.layer(B).foo == 3
    assert not execution.layer(D).state.finished


def test_schedule_goes_on_with_what_was_scheduled_before(memory: Any) -> None:
    ran = []

    class F(Flow):
        @hooks.execution
        def note(self: Any) -> None:
            ran.append(self.name)

    @F.register
    class B(Layer): ...

    @F.register
    class C(Layer):
        def __call__(self, b: B) -> None: ...

    flow = memory(F)
    execution = flow.execution("mine").parameters()
    execution.schedule(dependencies={"B": set()})
    execution.schedule(dependencies=flow.dependencies)
    assert ran == ["B", "C"]
    assert execution.finished


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ({"A": {"Nope"}}, "Flow ResultsFlow has no layer 'Nope'"),
        ({"Nope": set()}, "Flow ResultsFlow has no layer 'Nope'"),
        ({"A": {"Unrun"}, "Unrun": {"A"}}, "circle: A needs Unrun needs A"),
        ({}, "Flow ResultsFlow has no layers"),
    ],
)
def test_schedule_refuses_what_cannot_be_run(memory: Any, dependencies: Any, message: str) -> None:
    flow = memory(ResultsFlow)
    with pytest.raises(FlowError, match=message):
        flow.execution("mine").schedule(dependencies=dependencies)
    assert flow.configuration.datastore.list_executions(flow=flow) == []


def test_execute_runs_one_layer_here_and_commits_it(memory: Any) -> None:
    flow = memory(ResultsFlow)
    execution = flow.execution("mine").execute(layer=flow.layer(A))
    assert execution.layer(A).foo == "bar"
    assert execution.layer(A).state.finished


def test_execute_runs_one_split_of_a_foreach_layer(memory: Any) -> None:
    class F(Sharding): ...

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Shards, "foo")]))
    class B(Layer):
        def __call__(self, shards: Shards) -> None:
            self.foo = (shards.foo, self.index, self.splits)  # type: ignore[attr-defined]

    flow = memory(F)
    execution = flow.execution("mine").parameters(items=["x", "y"])
    execution.execute(layer=flow.layer(Shards))
    execution.execute(layer=flow.layer(B, index=1, splits=2))
    assert execution.layer(B, index=1).foo == ("y", 1, 2)
    with pytest.raises(AttributeError):
        execution.layer(B, index=0).foo  # noqa: B018
    execution.execute(layer=flow.layer(B, index=0))
    assert list(execution.layer(B).foo) == [("x", 0, 2), ("y", 1, 2)]


def test_execute_raises_what_the_layer_raises_and_keeps_what_it_had_assigned(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class B(Layer):
        def __call__(self) -> None:
            self.foo = 1
            raise KeyError("inside")

    flow = memory(F)
    execution = flow.execution("mine")
    with pytest.raises(KeyError, match="inside") as raised:
        execution.execute(layer=flow.layer(B))
    assert "Raised in layer B" in "\n".join(raised.value.__notes__)
    assert execution.layer(B).foo == 1
    assert not execution.layer(B).state.finished


def test_resuming_a_run_that_never_was_names_the_nearest(memory: Any) -> None:
    flow = memory(ResultsFlow)
    flow(execution="monday")
    with pytest.raises(UnknownRunError, match=r"Flow ResultsFlow has no execution 'mondy'.*Did you mean 'monday'"):
        flow.execution("mondy").resume()
