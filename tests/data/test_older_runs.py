"""Runs that laminar 2022.5a1 wrote are read by the results of today."""

from __future__ import annotations

from pathlib import Path

import pytest
from older_layout import OlderRun

from laminar import Flow, Layer, Parameters
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.model.states import State

RUN = "3MTC1L9dwQlsyOapNr9poru7z2S"


class OldFlow(Flow): ...


@OldFlow.register
class A(Layer):
    foo: str
    xs: list[int]
    nested: dict[str, list[float]]

    def __call__(self, parameters: Parameters) -> None:
        self.foo = "today"
        self.nested = {"today": [parameters.rate]}
        self.shard(xs=[7, 8, 9])


@OldFlow.register(foreach=ForEach(parameters=[Parameter(layer=A, attribute="xs")]))
class B(Layer):
    y: int

    def __call__(self, a: A) -> None:
        self.y = a.xs * 100
        self.shard(pairs=[a.xs, a.xs])


@OldFlow.register
class C(Layer):
    total: int

    def __call__(self, b: B) -> None:
        self.total = sum(b.y)


@pytest.fixture
def run(tmp_path: Path) -> OlderRun:
    """A finished run: the joined archive of B.y was asked for when C ran, that of B.pairs never was."""
    run = OlderRun(tmp_path, "OldFlow", RUN)
    run.archive("Parameters", 0, "rate", [0.5])
    run.record("Parameters", 1)
    run.archive("A", 0, "foo", ["bar"])
    run.archive("A", 0, "nested", [{"a": [1.0, 2.0]}])
    run.joined("A", "xs", run.archive("A", 0, "xs", [1, 2, 3]))
    run.record("A", 1)
    refs = []
    for index, x in enumerate([1, 2, 3]):
        refs += run.archive("B", index, "y", [x * 10])
        run.archive("B", index, "pairs", [x, -x])
    run.joined("B", "y", refs)
    run.record("B", 3)
    run.archive("C", 0, "total", [60])
    run.record("C", 1)
    return run


@pytest.fixture
def flow(run: OlderRun) -> OldFlow:
    return OldFlow(datastore=datastores.Local(root=str(run.root)), executor=executors.Thread())


def test_plain_values_are_read(flow: OldFlow) -> None:
    execution = flow.execution(RUN)
    assert execution.layer(A).foo == "bar"
    assert execution.layer(A).nested == {"a": [1.0, 2.0]}
    assert execution.layer(C).total == 60
    assert execution.layer(Parameters).rate == 0.5


def test_sharded_values_are_read_one_by_one(flow: OldFlow) -> None:
    xs = flow.execution(RUN).layer(A).xs
    assert len(xs) == 3
    assert list(xs) == [1, 2, 3]
    assert xs[-1] == 3
    assert xs[1:] == [2, 3]


def test_layers_with_splits_are_read_whole_and_by_split(flow: OldFlow) -> None:
    execution = flow.execution(RUN)
    assert list(execution.layer(B).y) == [10, 20, 30]
    assert execution.layer(B, index=1).y == 20
    assert list(execution.layer(B, index=2).pairs) == [3, -3]


def test_splits_that_were_never_joined_are_joined_when_read(flow: OldFlow) -> None:
    assert list(flow.execution(RUN).layer(B).pairs) == [1, -1, 2, -2, 3, -3]


def test_executions_layers_and_artifacts_are_listed(flow: OldFlow, run: OlderRun) -> None:
    later = OlderRun(run.root, "OldFlow", "3MTZZZ9dwQlsyOapNr9poru7z2S")
    later.archive("A", 0, "foo", ["later"])
    datastore = flow.configuration.datastore
    executions = datastore.list_executions(flow=flow)
    assert [execution.id for execution in executions] == [RUN, later.run]
    assert [layer.name for layer in datastore.list_layers(execution=executions[0])] == ["A", "B", "C", "Parameters"]
    assert datastore.list_artifacts(layer=executions[0].layer(A)) == ["foo", "nested", "xs"]
    assert datastore.list_artifacts(layer=executions[0].layer(B)) == ["pairs", "y"]
    assert executions[1].layer(A).foo == "later"


def test_a_run_without_a_record_of_its_state_is_judged_by_its_layers(flow: OldFlow, run: OlderRun) -> None:
    execution = flow.execution(RUN)
    assert execution.finished
    assert not execution.running
    assert execution.status is State.SUCCEEDED
    assert execution.layer(B).state.finished
    assert (execution.started, execution.ended, execution.error) == (None, None, None)
    (run.root / "OldFlow" / ".cache" / RUN / "C" / ".record.json").unlink()
    assert not execution.finished
    assert execution.status is State.CANCELLED


def test_an_artifact_that_an_older_run_lacks_is_told_with_those_it_has(flow: OldFlow) -> None:
    with pytest.raises(AttributeError, match=r"Layer A of execution .* has no artifact 'fooo'.*'foo'"):
        _ = flow.execution(RUN).layer(A).fooo  # type: ignore[attr-defined]


def test_an_older_run_that_was_left_unfinished_is_resumed_with_what_it_had(flow: OldFlow, run: OlderRun) -> None:
    for name in (".record.json", "y.json"):
        (run.root / "OldFlow" / ".cache" / RUN / "B" / name).unlink()
    (run.root / "OldFlow" / ".cache" / RUN / "C" / ".record.json").unlink()
    execution = flow.execution(RUN).resume()
    assert execution.layer(A).foo == "bar", "a finished layer was run again"
    assert list(execution.layer(B).y) == [100, 200, 300]
    assert execution.layer(C).total == 600
    assert execution.finished


def test_a_finished_older_run_is_resumed_without_running_anything(flow: OldFlow) -> None:
    execution = flow.execution(RUN).resume()
    assert execution.layer(C).total == 60
    assert execution.layer(A).foo == "bar"


def test_a_new_run_stands_beside_the_older_ones(flow: OldFlow) -> None:
    execution = flow(rate=0.1)
    assert execution.layer(C).total == 2400
    assert flow.execution(RUN).layer(C).total == 60
    found = flow.configuration.datastore.list_executions(flow=flow)
    assert [each.id for each in found] == sorted([RUN, execution.id])
