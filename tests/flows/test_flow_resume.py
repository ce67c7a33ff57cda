"""Resume: split by split, in this process and in another, with code that has changed, and with blobs that are gone."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks, layers
from laminar.exceptions import RunHeldError
from laminar.model.ids import ActionKey


class Switch:
    """What layers of these tests look at, and where they note that they ran."""

    def __init__(self) -> None:
        self.broken: set[Any] = set()
        self.ran: list[Any] = []
        self.values: dict[str, Any] = {}


def flow_of(switch: Switch) -> type[Flow]:
    class F(Flow): ...

    @F.register
    class Items(Layer):
        def __call__(self, parameters: Parameters) -> None:
            switch.ran.append("Items")
            self.shard(item=switch.values.get("items", parameters.items))

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Items, "item")]))
    class Double(Layer):
        def __call__(self, items: Items) -> None:
            item: Any = items.item  # type: ignore[attr-defined]
            switch.ran.append(("Double", item))
            if item in switch.broken:
                raise ValueError(f"broken {item}")
            self.item = item * 2

    @F.register
    class Sum(Layer):
        def __call__(self, double: Double) -> None:
            switch.ran.append("Sum")
            if "Sum" in switch.broken:
                raise ValueError("broken Sum")
            self.total = sum(double.item)  # type: ignore[arg-type]

    return F


@pytest.fixture
def switch() -> Switch:
    return Switch()


def test_resume_runs_only_the_splits_that_did_not_finish(local: Any, switch: Switch) -> None:
    flow = local(flow_of(switch))
    switch.broken = {2}
    with pytest.raises(ValueError, match="broken 2"):
        flow(execution="mine", items=[1, 2, 3])
    switch.broken.clear()
    done = {item for item in switch.ran if item in {("Double", 1), ("Double", 3)}}
    switch.ran.clear()
    execution = local(flow_of(switch)).execution("mine").resume()
    assert execution.layer("Sum").total == 12
    assert execution.retry
    assert execution.finished
    assert set(switch.ran) == {("Double", 1), ("Double", 2), ("Double", 3), "Sum"} - done
    assert switch.ran.count(("Double", 2)) == 1


def test_resuming_what_has_finished_runs_nothing(local: Any, switch: Switch) -> None:
    flow = local(flow_of(switch))
    flow(execution="mine", items=[1, 2])
    started = flow.execution.started
    switch.ran.clear()
    execution = local(flow_of(switch)).execution("mine").resume()
    assert switch.ran == []
    assert execution.layer("Sum").total == 6
    assert execution.started == started


def test_resume_can_be_repeated_until_it_works(local: Any, switch: Switch) -> None:
    flow = local(flow_of(switch))
    switch.broken = {"Sum"}
    with pytest.raises(ValueError, match="broken Sum"):
        flow(execution="mine", items=[1])
    for _ in range(2):
        with pytest.raises(ValueError, match="broken Sum"):
            flow.execution("mine").resume()
    switch.broken.clear()
    assert flow.execution("mine").resume().layer("Sum").total == 2
    assert [entry for entry in switch.ran if entry != "Sum"] == ["Items", ("Double", 1)]


def test_resume_keeps_the_parameters(local: Any, switch: Switch) -> None:
    switch.broken = {"Sum"}
    with pytest.raises(ValueError, match="broken Sum"):
        local(flow_of(switch))(execution="mine", items=[4, 5])
    switch.broken.clear()
    execution = local(flow_of(switch)).execution("mine").resume()
    assert execution.layer(Parameters).items == [4, 5]
    assert execution.layer("Sum").total == 18


def test_code_of_a_failed_layer_may_have_changed_in_between(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = 1

    class B(Layer):
        def __call__(self, a: A) -> None:
            raise NotImplementedError

    class Mended(Layer):
        def __call__(self, a: A) -> None:
            self.foo = a.foo + 1

    Mended.__name__ = "B"

    class G(F): ...

    F.register(B)
    G.register(type("Other", (Layer,), {}))
    with pytest.raises(NotImplementedError):
        local(F)(execution="mine")

    class New(Flow): ...

    New.__name__ = "F"
    New.register(A)
    New.register(Mended)
    assert local(New).execution("mine").resume().layer("B").foo == 2


def test_splits_are_kept_by_the_elements_they_were_given(local: Any) -> None:
    ran: list[str] = []
    broken = [True]

    def flow_over(attribute: str) -> Any:
        class F(Flow): ...

        @F.register
        class Items(Layer):
            def __call__(self) -> None:
                self.shard(first=["a", "b", "z"], second=["a", "c", "z"])

        @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Items, attribute)]))
        class Each(Layer):
            def __call__(self, items: Items) -> None:
                item = getattr(items, attribute)
                ran.append(item)
                if item == "z" and broken:
                    raise ValueError("broken z")
                self.item = item

        return local(F, on_failure="drain", concurrency=1)

    with pytest.raises(ValueError, match="broken z"):
        flow_over("first")(execution="mine")
    assert ran == ["a", "b", "z"]
    broken.clear()
    ran.clear()
    execution = flow_over("second").execution("mine").resume()
    assert list(execution.layer("Each").item) == ["a", "c", "z"]
    assert "c" in ran, "the second split was given another element"


def test_a_layer_added_since_runs_on_resume(local: Any, switch: Switch) -> None:
    flow = flow_of(switch)
    local(flow)(execution="mine", items=[1])
    switch.ran.clear()

    @flow.register
    class Late(Layer):
        def __call__(self, parameters: Parameters) -> None:
            switch.ran.append("Late")

    assert local(flow).execution("mine").resume().finished
    assert switch.ran == ["Late"]


@pytest.mark.parametrize("damage", ["missing", "nonsense", "empty"])
def test_a_layer_whose_blob_is_gone_or_damaged_runs_again(local: Any, switch: Switch, damage: str) -> None:
    flow = local(flow_of(switch))
    execution = flow(execution="mine", items=[10, 20])
    digest = execution.layer("Sum")
    total = flow.configuration.datastore.archives.output(_key("mine", "Sum"), "total").refs[0].hexdigest
    blob = Path(flow.configuration.datastore.root) / "F" / "artifacts" / f"{total}.gz"
    if damage == "missing":
        blob.unlink()
    else:
        blob.write_bytes(b"" if damage == "empty" else b"\x1f\x8bnonsense")
        with pytest.raises(AttributeError):
            digest.total  # noqa: B018
    switch.ran.clear()
    assert local(flow_of(switch)).execution("mine").resume().layer("Sum").total == 60
    assert switch.ran == ["Sum"]


def test_a_split_whose_blob_is_gone_runs_again_and_what_follows_only_if_it_changed(local: Any, switch: Switch) -> None:
    flow = local(flow_of(switch))
    flow(execution="mine", items=[10, 20])
    archives = flow.configuration.datastore.archives
    blob = archives.output(_key("mine", "Double", 1), "item").refs[0].hexdigest
    (Path(flow.configuration.datastore.root) / "F" / "artifacts" / f"{blob}.gz").unlink()
    switch.ran.clear()
    assert local(flow_of(switch)).execution("mine").resume().layer("Sum").total == 60
    assert switch.ran == [("Double", 20)]


def test_what_follows_a_layer_that_gives_something_else_this_time_runs_again(local: Any, switch: Switch) -> None:
    flow = local(flow_of(switch))
    flow(execution="mine", items=[10, 20])
    archives = flow.configuration.datastore.archives
    for ref in archives.output(_key("mine", "Items"), "item").refs:
        (Path(flow.configuration.datastore.root) / "F" / "artifacts" / f"{ref.hexdigest}.gz").unlink()
    switch.ran.clear()
    switch.values["items"] = [10, 30, 40]
    execution = local(flow_of(switch)).execution("mine").resume()
    assert list(execution.layer("Double").item) == [20, 60, 80]
    assert execution.layer("Sum").total == 160
    assert {"Items", ("Double", 30), ("Double", 40), "Sum"} <= set(switch.ran)


def test_what_follows_a_change_runs_again_also_if_the_resume_that_made_it_failed_on_the_way(local: Any) -> None:
    value, broken = [1], [False]

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = value[0]

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            if broken[0]:
                raise ValueError("broken")
            self.foo = a.foo * 10

    @F.register
    class C(Layer):
        def __call__(self, b: B) -> None:
            self.foo = b.foo + 1

    flow = local(F)
    flow(execution="mine")
    digest = flow.configuration.datastore.archives.output(_key("mine", "A"), "foo").refs[0].hexdigest
    (Path(flow.configuration.datastore.root) / "F" / "artifacts" / f"{digest}.gz").unlink()
    value[0], broken[0] = 2, True
    with pytest.raises(ValueError, match="broken"):
        flow.execution("mine").resume()
    broken[0] = False
    execution = flow.execution("mine").resume()
    assert [execution.layer(kind).foo for kind in (A, B, C)] == [2, 20, 21]


def test_what_a_layer_no_longer_makes_is_gone_after_a_resume(local: Any, switch: Switch) -> None:
    def flow_now(first: bool) -> Any:
        class F(Flow): ...

        @F.register
        class Items(Layer):
            def __call__(self) -> None:
                self.shard(item=[1, 2] if first else [])
                if first:
                    self.extra = 1

        @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Items, "item")]))
        class Double(Layer):
            def __call__(self, items: Items) -> None:
                self.item: Any = items.item  # type: ignore[attr-defined]

        @F.register
        class Branch(Layer):
            @hooks.entry
            def wanted(self, double: Double) -> bool:
                return len(double.item) > 0

            def __call__(self) -> None:
                self.foo = 1

        @F.register
        class After(Layer):
            def __call__(self, branch: Branch) -> None: ...

        return local(F)

    execution = flow_now(first=True)(execution="mine")
    archives = execution.flow.configuration.datastore.archives
    extra = archives.output(_key("mine", "Items"), "extra").refs[0].hexdigest
    (Path(execution.flow.configuration.datastore.root) / "F" / "artifacts" / f"{extra}.gz").unlink()
    execution = flow_now(first=False).execution("mine").resume()
    assert list(execution.layer("Double").item) == []
    assert not hasattr(execution.layer("Items"), "extra")
    assert not hasattr(execution.layer("Double", index=1), "item")
    assert not hasattr(execution.layer("Branch"), "foo")
    assert [execution.layer(name).state.finished for name in ("Items", "Double", "Branch", "After")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_a_failed_attempt_had_assigned_is_gone_once_the_layer_succeeds_without_it(local: Any) -> None:
    broken = [True]

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            if broken:
                self.debug = 1
                raise ValueError("broken")

    flow = local(F)
    with pytest.raises(ValueError, match="broken"):
        flow(execution="mine")
    assert flow.execution.layer(A).debug == 1
    broken.clear()
    assert not hasattr(flow.execution("mine").resume().layer(A), "debug")


def test_a_skipped_layer_is_asked_again_on_resume(local: Any) -> None:
    answers = [False, True]
    asked: list[str] = []

    class F(Flow): ...

    @F.register
    class A(Layer):
        @hooks.entry
        def condition(self) -> bool:
            asked.append("A")
            return answers.pop(0)

        def __call__(self) -> None:
            self.foo = 1

    @F.register
    class B(Layer):
        def __call__(self) -> None:
            if len(asked) == 1:
                raise ValueError("broken")

    flow = local(F)
    with pytest.raises(ValueError, match="broken"):
        flow(execution="mine")
    assert flow.execution("mine").resume().layer(A).foo == 1


def test_resume_says_what_it_keeps_and_what_it_runs_and_why(
    local: Any, switch: Switch, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = local(flow_of(switch))
    switch.broken = {2}
    with pytest.raises(ValueError, match="broken 2"):
        flow(execution="mine", items=[1, 2])
    switch.broken.clear()
    monkeypatch.delenv("LAMINAR_QUIET")
    capfd.readouterr()
    flow.execution("mine").resume()
    said = capfd.readouterr().err
    assert "F mine resumes" in said
    assert "keeps: Items" in said
    assert "splits of Double" in said
    assert "runs: Sum" in said


def test_values_of_memory_can_be_resumed_in_the_same_process(memory: Any, switch: Switch) -> None:
    flow = memory(flow_of(switch))
    switch.broken = {"Sum"}
    with pytest.raises(ValueError, match="broken Sum"):
        flow(items=[1])
    switch.broken.clear()
    switch.ran.clear()
    assert flow.execution.resume().layer("Sum").total == 2
    assert switch.ran == ["Sum"]


def test_a_run_can_be_resumed_by_another_process_with_changed_code(program: Any) -> None:
    text = """
        import sys
        from laminar import Flow, Layer, Parameters
        from laminar.configurations import layers

        class F(Flow): ...

        def note(text):
            with open("journal", "a") as file:
                file.write(text + "\\n")

        @F.register
        class A(Layer):
            def __call__(self, parameters: Parameters):
                note("A")
                self.shard(foo=parameters.items)

        @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
        class B(Layer):
            def __call__(self, a: A):
                note(f"B{a.foo}")
                BODY
                self.foo = a.foo * 2

        @F.register
        class C(Layer):
            def __call__(self, b: B):
                note("C")
                print(sum(b.foo))

        if flow := F():
            if sys.argv[1] == "run":
                flow(execution="mine", items=[1, 2, 3])
            else:
                flow.execution("mine").resume()
        """
    program.write(text.replace("BODY", "assert a.foo != 3"))
    failed = program.run("main.py", "run", check=False)
    assert failed.returncode == 1
    assert "AssertionError" in failed.stderr
    assert sorted(program.journal()) == ["A", "B1", "B2", "B3"]
    program.write(text.replace("BODY", "pass"))
    (program.folder / "journal").unlink()
    program.run("main.py", "resume")
    assert set(program.journal()) - {"B1", "B2"} == {"B3", "C"}


def _key(run: str, layer: str, index: int = 0) -> Any:
    from laminar.model.ids import ActionKey

    return ActionKey("F", run, layer, index)


def held_from_elsewhere(root: Path, run: str, lease: float) -> None:
    """Let a scheduler of another machine hold a failed run, for so many seconds."""
    with contextlib.closing(sqlite3.connect(root / "ledger.db")) as ledger, ledger:
        ledger.execute("DROP TRIGGER IF EXISTS runs_final")
        ledger.execute(
            "UPDATE runs SET place = 'another/machine', host = 'another', state = 'RUNNING', lease = ? WHERE run = ?",
            (time.time() + lease, run),
        )


def failed(local: Callable[..., Any], kind: type[Flow], run: str) -> Any:
    flow = local(kind)
    with pytest.raises(ValueError, match="broken"):
        flow(execution=run, items=[1])
    return flow


def test_a_holder_that_cannot_be_seen_is_outwaited(local, tmp_path) -> None:
    switch = Switch()
    switch.broken = {1}
    flow = failed(local, flow_of(switch), "run")
    held_from_elsewhere(tmp_path / "store", "run", 0.5)
    switch.broken = set()
    flow.execution("run").resume()
    assert flow.execution("run").finished


def test_a_holder_that_cannot_be_seen_but_extends_its_lease_keeps_the_run(local, tmp_path) -> None:
    switch = Switch()
    switch.broken = {1}
    flow = failed(local, flow_of(switch), "run")
    held_from_elsewhere(tmp_path / "store", "run", 100)
    beat = threading.Timer(0.3, held_from_elsewhere, (tmp_path / "store", "run", 200))
    beat.start()
    with pytest.raises(RunHeldError, match="held by process"):
        flow.execution("run").resume()
    beat.join()


def test_what_follows_a_changed_layer_runs_again_whatever_happened_between(local, tmp_path) -> None:
    value: dict[str, Any] = {"value": 1}
    ran: list[str] = []

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            if value["value"] is None:
                raise ValueError("no value")
            self.number = value["value"]

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            ran.append("B")
            self.number = a.number + 1  # type: ignore[attr-defined]

    @F.register
    class C(Layer):
        def __call__(self, b: B) -> None:
            ran.append("C")
            self.number = b.number + 1  # type: ignore[attr-defined]

    flow = local(F)
    flow(execution="run")
    [blob] = [path for path in (tmp_path / "store/F/artifacts").iterdir() if path.name.startswith(digest_of(flow, A))]
    blob.unlink()
    value["value"] = None
    with pytest.raises(ValueError, match="no value"):
        local(F).execution("run").resume()
    value["value"] = 10
    again = local(F)
    again.execution("run").resume()
    assert ran == ["B", "C", "B", "C"]
    assert again.execution("run").layer(C).number == 12
    again.execution("run").resume()
    assert ran == ["B", "C", "B", "C"]


def digest_of(flow: Any, layer: type[Layer]) -> str:
    archives = flow.configuration.datastore.archives
    output = archives.output(ActionKey("F", "run", layer.__name__), "number")
    return str(output.refs[0].hexdigest)
