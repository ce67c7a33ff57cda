"""Layers: artifacts, accessors, reserved names, defaults, and direct calls."""

import asyncio
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from laminar import Accessor, Flow, Layer, Parameters
from laminar.configurations import datastores, layers
from laminar.exceptions import FlowError, UnpicklableArtifactError

RESERVED = (
    "name index splits attempt configuration execution state shard artifacts".split()  # noqa: SIM905
)


# Direct calls: testing without a flow


class Source(Layer):
    def __call__(self) -> None:
        self.foo = "made"


class Sink(Layer):
    def __call__(self, source: Source) -> None:
        self.foo = source.foo.upper()


def test_a_layer_can_be_made_and_called_without_a_flow() -> None:
    source = Source(foo="bar")
    sink = Sink()
    assert sink(source) is sink
    assert sink.foo == "BAR"
    assert Sink()(Source(foo="bar")).foo == "BAR"
    assert Source()().foo == "made"
    assert source.artifacts == {"foo": "bar"}
    assert repr(source) == "Source(foo='bar')"


def test_a_layer_without_a_body_gives_itself() -> None:
    class A(Layer): ...

    assert A()().name == "A"
    assert A(x=1)(Source()).x == 1  # type: ignore[attr-defined]


def test_a_direct_call_can_shard_and_reads_the_items_back() -> None:
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=range(3))

    assert list(A()().foo) == [0, 1, 2]


def test_a_layer_outside_of_an_execution_says_so_where_it_is_asked_for_one() -> None:
    source = Source()
    assert (source.name, source.index, source.splits, source.attempt) == ("Source", None, None, None)
    for name in ("execution", "configuration", "state"):
        with pytest.raises(AttributeError, match=rf"Source\.{name}: this layer belongs to no execution"):
            getattr(source, name)
    with pytest.raises(AttributeError, match=r"Source has no attribute 'bar'. Make it with Source\(bar=…\)"):
        source.bar  # type: ignore[attr-defined]  # noqa: B018


class Later(Layer):
    async def __call__(self, source: Source) -> None:
        await asyncio.sleep(0)
        self.foo = source.foo


def test_an_asynchronous_body_runs_to_its_end_in_a_direct_call() -> None:
    assert Later()(Source(foo=1)).foo == 1


def test_an_asynchronous_body_can_be_called_directly_inside_a_running_event_loop() -> None:
    async def main() -> Any:
        return Later()(Source(foo=2)).foo

    assert asyncio.run(main()) == 2


def test_an_asynchronous_body_runs_in_a_flow(memory: Any) -> None:
    class F(Flow): ...

    F.register(Source)
    F.register(Later)
    assert memory(F)().layer(Later).foo == "made"


def test_what_an_asynchronous_body_raises_reaches_the_caller(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        async def __call__(self) -> None:
            raise KeyError("deep")

    with pytest.raises(KeyError, match="deep"):
        A()()
    with pytest.raises(KeyError, match="deep"):
        memory(F)()


# Artifacts


def test_what_is_assigned_to_self_can_be_read_downstream_and_afterwards(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.number = 1
            self.number += 1
            self.nothing = None
            self.many = {"a": [1, 2, {"b": (3,)}]}
            self._private = "kept too"

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            self.seen = (a.number, a.nothing, a.many, a._private)

    execution = memory(F)()
    assert execution.layer(B).seen == (2, None, {"a": [1, 2, {"b": (3,)}]}, "kept too")
    assert execution.layer(A).nothing is None


def test_an_artifact_is_loaded_when_it_is_read_and_only_once(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        preset: Any = None

        def __call__(self) -> None:
            self.foo = [1]
            self.preset = [2]

    flow = local(F)
    layer = flow().layer(A)
    assert layer.foo is layer.foo
    assert layer.preset is layer.preset
    again = flow.execution.layer(A)
    for blob in (Path(flow.configuration.datastore.root) / "F" / "artifacts").iterdir():
        blob.unlink()
    assert layer.foo == [1], "it was loaded already"
    with pytest.raises(AttributeError, match="missing"):
        again.foo  # noqa: B018
    with pytest.raises(AttributeError, match="missing"):
        again.preset  # noqa: B018


def test_a_damaged_blob_is_never_given_as_data_nor_as_a_default(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        foo = "default"

        def __call__(self) -> None:
            self.foo = "assigned"

    flow = local(F)
    execution = flow()
    for blob in (Path(flow.configuration.datastore.root) / "F" / "artifacts").iterdir():
        blob.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(AttributeError, match=r"damaged.*Resume the run"):
        execution.layer(A).foo  # noqa: B018
    assert execution.resume().layer(A).foo == "assigned"


def test_a_missing_artifact_names_layer_and_artifact_and_the_nearest_name(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.accuracy = 1

    layer = memory(F)().layer(A)
    with pytest.raises(
        AttributeError, match=r"Layer A of execution \w{27} has no artifact 'acuracy'. Did you mean 'acc"
    ):
        layer.acuracy  # noqa: B018
    assert not hasattr(layer, "nothing")
    assert getattr(layer, "nothing", 3) == 3


def test_a_missing_artifact_of_a_layer_that_has_not_finished_says_so(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            raise RuntimeError

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    flow = memory(F)
    with pytest.raises(RuntimeError):
        flow()
    for layer in (A, B):
        with pytest.raises(AttributeError, match=f"Layer {layer.__name__} .* no artifact 'foo'.*has not finished"):
            flow.execution.layer(layer).foo  # noqa: B018


def test_a_parameter_that_was_not_given_is_named(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters) -> None:
            parameters.greting  # noqa: B018

    with pytest.raises(AttributeError, match=r"was given no parameter 'greting'. Did you mean 'greeting'"):
        memory(F)(greeting="hi")


def test_a_running_layer_says_that_it_has_not_assigned_what_it_reads(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo  # type: ignore[attr-defined]  # noqa: B018

    with pytest.raises(AttributeError, match="Layer A has not assigned 'foo'"):
        memory(F)()


def test_a_layer_downstream_cannot_change_what_another_has_made(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = [1]

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            a.foo.append(2)
            self.foo = a.foo

    execution = memory(F)()
    assert execution.layer(A).foo == [1]
    assert execution.layer(B).foo == [1, 2]


def test_what_is_deleted_from_self_is_no_artifact(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.lock = threading.Lock()
            self.foo = 1
            del self.lock

    execution = memory(F)()
    assert execution.flow.configuration.datastore.list_artifacts(layer=execution.layer(A)) == ["foo"]


def test_an_artifact_that_cannot_be_pickled_is_named_with_the_path_inside_it(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.model = {"parts": [1, {"lock": threading.Lock()}]}

    with pytest.raises(
        UnpicklableArtifactError, match=r"Layer A cannot save its artifact 'model'.*\['parts'\]\[1\]\['lock'\]"
    ):
        memory(F)()


def test_an_item_that_cannot_be_pickled_is_named_with_its_position(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(files=[1, threading.Lock()])

    with pytest.raises(UnpicklableArtifactError, match=r"Layer A cannot save its artifact 'files\[1\]'"):
        memory(F)()


# Names


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_cannot_be_assigned(name: str) -> None:
    message = rf"Source\.{name}: the name '{name}' is laminar's own and can be no artifact"
    with pytest.raises(FlowError, match=message):
        setattr(Source(), name, 1)
    with pytest.raises(FlowError, match=message):
        Source(**{name: 1})
    with pytest.raises(FlowError, match=message):
        Source().shard(**{name: [1]})


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("value", [1, lambda self: None, property(lambda self: 1)], ids=["value", "method", "property"])
def test_a_reserved_name_cannot_be_defined_in_the_class_of_a_layer(name: str, value: Any) -> None:
    with pytest.raises(FlowError, match=rf"A\.{name}: the name '{name}' is laminar's own"):
        type("A", (Layer,), {name: value})


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".record", "two words", "1st"])
def test_what_is_no_name_in_python_cannot_be_assigned(name: str) -> None:
    with pytest.raises(FlowError, match=r"cannot be the name of an artifact. Choose a Python name"):
        setattr(Source(), name, 1)
    with pytest.raises(FlowError, match="cannot be the name of an artifact"):
        Source().shard(**{name: [1]})


def test_a_reserved_name_assigned_in_a_run_fails_that_layer(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.index = 3  # type: ignore[misc]

    with pytest.raises(FlowError, match=r"A\.index: the name 'index' is laminar's own"):
        memory(F)()


def test_methods_properties_and_annotations_are_ordinary_python(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        foo: str

        def __call__(self) -> None:
            self.foo = self.made()
            self.twice = self.double

        def made(self) -> str:
            return self.constant() + self.kind()

        @property
        def double(self) -> str:
            return self.foo * 2

        @staticmethod
        def constant() -> str:
            return "x"

        @classmethod
        def kind(cls) -> str:
            return cls.__name__

    layer = memory(F)().layer(A)
    assert (layer.foo, layer.twice, layer.double, layer.made()) == ("xA", "xAxA", "xAxA", "xA")
    with pytest.raises(AttributeError):
        A().foo  # noqa: B018


def test_a_class_attribute_is_a_default_and_no_artifact_until_it_is_assigned(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        rate: float = 0.1
        depth = 3
        items: Sequence[int] = ()

        def __call__(self) -> None:
            assert (self.rate, self.depth, self.items) == (0.1, 3, ())
            self.depth = 4
            self.shard(items=[7, 8])
            assert list(self.items) == [7, 8]

    @F.register
    class B(A):
        def __call__(self, a: A) -> None:  # type: ignore[override]
            self.seen = (a.rate, a.depth, list(a.items), self.rate, self.depth, self.items)

    assert (A.rate, A.depth, A().depth, A(depth=9).depth) == (0.1, 3, 3, 9)
    execution = memory(F)()
    datastore = execution.flow.configuration.datastore
    assert datastore.list_artifacts(layer=execution.layer(A)) == ["depth", "items"]
    assert execution.layer(B).seen == (0.1, 4, [7, 8], 0.1, 3, ())
    assert execution.layer(A).rate == 0.1


def test_a_default_of_a_foreach_layer_gives_way_to_the_artifacts_of_its_splits(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=[1, 2])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
    class B(Layer):
        score: Any = -1
        other = "same"

        def __call__(self, a: A) -> None:
            self.score = a.foo

    layer = memory(F)().layer(B)
    assert list(layer.score) == [1, 2]
    assert layer.other == "same"


# What a running layer knows of itself


def test_a_running_layer_knows_its_place(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo="ab")

    @F.register(
        foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]),
        container=layers.Container(memory=7),
    )
    class B(Layer):
        def __call__(self, a: A) -> None:
            self.place = (self.name, self.index, self.splits, self.attempt, self.configuration.container.memory)
            self.run = self.execution.id
            self.states = (self.state.running, self.state.finished, a.state.running, a.state.finished)

    execution = memory(F)(execution="my-id")
    layer = execution.layer(B)
    assert list(layer.place) == [("B", 0, 2, 1, 7), ("B", 1, 2, 1, 7)]
    assert set(layer.run) == {"my-id"}
    assert set(layer.states) == {(True, False, False, True)}
    assert layer.state.finished
    assert not layer.state.running


# Shards and accessors


class Sharding(Flow): ...


@Sharding.register
class Shards(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.shard(foo=parameters.items, bar=iter([]), one=["only"])


@pytest.fixture
def foo(memory: Any) -> Any:
    return memory(Sharding)(items=list("abcde")).layer(Shards).foo


def test_an_accessor_has_a_length_and_is_iterated(foo: Any) -> None:
    assert isinstance(foo, Accessor)
    assert isinstance(foo, Sequence)
    assert len(foo) == 5
    assert list(foo) == list(foo) == ["a", "b", "c", "d", "e"]
    assert list(reversed(foo)) == ["e", "d", "c", "b", "a"]
    assert "c" in foo
    assert "z" not in foo
    assert foo.index("d") == 3
    assert repr(foo) == "Accessor(Shards.foo, 5 elements)"


@pytest.mark.parametrize("index", range(-5, 5))
def test_an_accessor_is_indexed_as_a_list_is(foo: Any, index: int) -> None:
    assert foo[index] == "abcde"[index]


@pytest.mark.parametrize("index", [5, -6, 100])
def test_an_index_past_the_end_is_an_index_error(foo: Any, index: int) -> None:
    with pytest.raises(IndexError, match=rf"Shards.foo has 5 elements; there is none at {index}"):
        foo[index]


@pytest.mark.parametrize("index", ["0", 1.0, None])
def test_what_is_no_index_is_a_type_error(foo: Any, index: Any) -> None:
    with pytest.raises(TypeError):
        foo[index]


@pytest.mark.parametrize("cut", [slice(None), slice(1, 3), slice(-2, None), slice(None, None, -2), slice(9, 12)])
def test_a_slice_of_an_accessor_is_a_list(foo: Any, cut: slice) -> None:
    assert foo[cut] == list("abcde")[cut]


def test_an_artifact_sharded_from_nothing_is_an_empty_accessor_and_one_of_one_is_not_plain(memory: Any) -> None:
    layer = memory(Sharding)(items=[]).layer(Shards)
    for name in ("foo", "bar"):
        empty = getattr(layer, name)
        assert isinstance(empty, Accessor)
        assert (len(empty), list(empty), empty[:]) == (0, [], [])
        with pytest.raises(IndexError):
            empty[0]
    assert isinstance(layer.one, Accessor)
    assert layer.one[:] == ["only"]


def test_an_accessor_loads_only_the_elements_that_are_asked_for(local: Any) -> None:
    flow = local(Sharding)
    execution = flow(items=["a" * 1000, "b"])
    foo = execution.layer(Shards).foo
    blobs = Path(flow.configuration.datastore.root) / "Sharding" / "artifacts"
    (blobs / f"{foo.refs[0].hexdigest}.gz").unlink()
    assert foo[1] == "b"
    assert foo[1:] == ["b"]
    with pytest.raises(AttributeError, match="missing"):
        foo[0]


def test_items_are_stored_as_they_come(local: Any) -> None:
    class F(Flow): ...

    blobs = []

    def items(folder: Path) -> Iterator[bytes]:
        for number in range(3):
            blobs.append(len(list(folder.iterdir())) if folder.exists() else 0)
            yield os.urandom(8) + bytes([number])

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            root = self.execution.flow.configuration.datastore.root
            self.shard(foo=items(Path(root) / "F" / "artifacts"))

    local(F)()
    assert blobs == [0, 1, 2]


def test_sharding_and_assigning_one_name_keeps_the_last(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(first=[1, 2], twice=[1])
            assert list(self.twice) == [1]
            self.first = "plain"
            self.second: Any = "plain"
            self.shard(second=[3], twice=[4, 5])
            self.read = list(self.second)

    layer = memory(F)().layer(A)
    assert layer.first == "plain"
    assert list(layer.second) == layer.read == [3]
    assert list(layer.twice) == [4, 5]


def test_an_accessor_handed_on_refers_to_the_same_blobs(local: Any) -> None:
    class F(Flow): ...

    F.register(Shards)

    @F.register
    class B(Layer):
        def __call__(self, shards: Shards) -> None:
            self.again = shards.foo
            self.part = shards.foo[1:]

    flow = local(F)
    layer = flow(items=list("abc")).layer(B)
    assert list(layer.again) == ["a", "b", "c"]
    assert layer.part == ["b", "c"]
    assert layer.again.refs == flow.execution.layer(Shards).foo.refs


def test_an_accessor_inside_another_value_is_kept_as_a_list(memory: Any) -> None:
    class F(Flow): ...

    F.register(Shards)

    @F.register
    class B(Layer):
        def __call__(self, shards: Shards) -> None:
            self.inside = {"all": shards.foo}

    assert memory(F)(items=list("abc")).layer(B).inside == {"all": ["a", "b", "c"]}


def test_an_accessor_of_another_flow_is_kept_by_its_values(memory: Any) -> None:
    class F(Flow): ...

    other = memory(Sharding)(items=[1, 2]).layer(Shards)

    @F.register
    class B(Layer):
        def __call__(self) -> None:
            self.foo = other.foo

    assert memory(F)().layer(B).foo == [1, 2]


def test_memory_keeps_pickled_copies_and_not_references(memory: Any) -> None:
    class F(Flow): ...

    value = [1]

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = value

    execution = memory(F)()
    value.append(2)
    assert execution.layer(A).foo == [1]
    execution.layer(A).foo.append(3)
    assert execution.layer(A).foo == [1]


def test_memory_is_not_shared_between_datastores(memory: Any) -> None:
    run = memory(Sharding)(items=[1]).id
    other = memory(Sharding)
    assert other.configuration.datastore.list_executions(flow=other) == []
    with pytest.raises(AttributeError):
        other.execution(run).layer(Shards).foo  # noqa: B018


def test_layers_given_by_the_flow_can_have_attributes_set(memory: Any) -> None:
    flow = memory(Sharding)
    assert flow.layer(Shards, foo=3).foo == 3
    assert flow.execution("an-id").layer("Shards", index=1, foo=4).foo == 4


def test_a_datastore_can_be_pickled_if_it_is_shared(tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(datastores.Local(root=tmp_path)))
    assert again.root == datastores.Local(root=tmp_path).root
