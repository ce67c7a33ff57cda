"""Flow classes: registration, inheritance, configuration, and wrong programs."""

from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import datastores, executors, hooks, layers, schedulers
from laminar.exceptions import FlowError
from laminar.host.machine import cores


class Empty(Flow): ...


# Registration


def test_a_layer_is_registered_with_and_without_brackets_and_stays_the_class_it_was() -> None:
    class F(Flow): ...

    class A(Layer):
        def __call__(self) -> None: ...

    before = dict(vars(A))
    assert F.register(A) is A
    assert dict(vars(A)) == before

    @F.register()
    class B(Layer): ...

    @F.register(retry=layers.Retry(attempts=2))
    class C(Layer): ...

    assert [kind.__name__ for kind in (A, B, C)] == list(F().registry)[1:] == ["A", "B", "C"]
    assert isinstance(B, type)
    assert issubclass(C, Layer)


def test_every_configuration_can_be_given_at_once_and_is_kept_as_given() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer): ...

    given: dict[str, Any] = {
        "container": layers.Container("my/image", cpu=2, memory=3000),
        "foreach": layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]),
        "retry": layers.Retry(attempts=3),
        "catch": layers.Catch(ValueError),
        "timeout": layers.Timeout(60),
        "resources": layers.Resources(memory="4Gi", gpu=1),
    }

    @F.register(**given)
    class B(Layer): ...

    found = F().registry["B"].configuration
    assert found.container.image == "my/image"
    assert (found.container.cpu, found.container.memory, found.container.gpu) == (2, "4Gi", 1)
    assert found.foreach.parameters == (layers.Parameter(A, "foo", 0),)
    assert found.retry.attempts == 3
    assert found.catch.exceptions == (ValueError,)
    assert found.timeout == layers.Timeout(60)


def test_the_defaults_of_a_container_are_those_of_the_specification() -> None:
    container = layers.Container()
    assert (container.cpu, container.memory, container.workdir, container.command) == (1, 1500, "/laminar", None)
    assert layers.Retry() == layers.Retry(attempts=1, delay=0.1, backoff=2, jitter=0.1)


def test_one_layer_can_be_registered_with_many_flows_with_other_configurations() -> None:
    class First(Flow): ...

    class Second(Flow): ...

    @First.register(retry=layers.Retry(attempts=2))
    @Second.register(retry=layers.Retry(attempts=5))
    class A(Layer): ...

    assert First().registry["A"].configuration.retry.attempts == 2
    assert Second().registry["A"].configuration.retry.attempts == 5
    assert First().registry["A"].layer is Second().registry["A"].layer is A


def test_configurations_of_one_registration_are_not_shared_with_the_next() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer): ...

    @F.register
    class B(Layer): ...

    F().layer(A).configuration.container.memory = 1
    assert F().layer(A).configuration.container.memory == 1500
    assert F().layer(B).configuration.container.memory == 1500


def test_two_layers_of_one_name_are_refused() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer): ...

    other = type("A", (Layer,), {})
    with pytest.raises(FlowError, match="F has a layer named A already"):
        F.register(other)
    with pytest.raises(FlowError, match="F has a layer named A already"):
        F.register(A)


def test_two_layers_of_one_name_are_refused_through_inheritance() -> None:
    class First(Flow): ...

    class Second(Flow): ...

    @First.register
    class A(Layer): ...

    Second.register(type("A", (Layer,), {}))
    with pytest.raises(FlowError, match=r"Both would have two layers named A, from .* and .*"):

        class Both(First, Second): ...

    class Child(First): ...

    with pytest.raises(FlowError, match="Child has a layer named A already"):
        Child.register(type("A", (Layer,), {}))


def test_a_name_that_a_base_class_registers_later_is_refused_where_the_flows_meet() -> None:
    class First(Flow): ...

    class Child(First): ...

    Child.register(type("A", (Layer,), {}))
    First.register(type("A", (Layer,), {}))
    with pytest.raises(FlowError, match="Child would have two layers named A"):
        Child().registry  # noqa: B018


def test_inheritance_merges_the_registries_into_one_flow_that_runs_both(memory: Any) -> None:
    class First(Flow): ...

    class Second(Flow): ...

    @First.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = "a"

    @Second.register
    class B(Layer):
        def __call__(self) -> None:
            self.foo = "b"

    class Combined(First, Second): ...

    @Combined.register
    class C(Layer):
        def __call__(self, a: A, b: B) -> None:
            self.foo = a.foo + b.foo

    execution = memory(Combined)()
    assert execution.layer(C).foo == "ab"
    assert list(First().registry) == ["Parameters", "A"]
    assert list(Second().registry) == ["Parameters", "B"]
    assert Combined().dependencies == {"Parameters": set(), "A": set(), "B": set(), "C": {"A", "B"}}


def test_layers_that_nothing_ties_run_at_the_same_time(memory: Any) -> None:
    import threading

    meeting = threading.Barrier(2, timeout=30)

    class First(Flow): ...

    class Second(Flow): ...

    @First.register
    class A(Layer):
        def __call__(self) -> None:
            meeting.wait()

    @Second.register
    class B(Layer):
        def __call__(self) -> None:
            meeting.wait()

    class Combined(First, Second): ...

    assert memory(Combined)().finished


def test_a_flow_inherits_a_layer_shared_by_two_bases_once() -> None:
    class Base(Flow): ...

    @Base.register
    class A(Layer): ...

    class Left(Base): ...

    class Right(Base): ...

    class Both(Left, Right): ...

    assert list(Both().registry) == ["Parameters", "A"]


# The flow


def test_defaults_are_made_anew_for_each_flow() -> None:
    one, other = Empty(), Empty()
    for name in ("datastore", "executor", "scheduler"):
        assert getattr(one.configuration, name) is not getattr(other.configuration, name)
    assert isinstance(one.configuration.datastore, datastores.Local)
    assert isinstance(one.configuration.executor, executors.Process)
    assert isinstance(one.configuration.scheduler, schedulers.Scheduler)


def test_the_configuration_is_what_was_given() -> None:
    datastore, executor, scheduler = datastores.Memory(), executors.Thread(), schedulers.Scheduler(quiet=True)
    configuration = Empty(datastore=datastore, executor=executor, scheduler=scheduler).configuration
    assert configuration.datastore is datastore
    assert configuration.executor is executor
    assert configuration.scheduler is scheduler


def test_the_environment_names_the_default_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINAR_EXECUTOR", "thread")
    assert isinstance(Empty().configuration.executor, executors.Thread)
    monkeypatch.setenv("LAMINAR_EXECUTOR", "threat")
    with pytest.raises(FlowError, match=r"LAMINAR_EXECUTOR='threat' is no executor. Did you mean 'thread'"):
        Empty()


@pytest.mark.parametrize("kind", [executors.Thread, executors.Process])
def test_executors_take_concurrency_and_time_out_and_use_all_cores_by_default(kind: Any) -> None:
    assert (kind().concurrency, kind().timeout) == (cores(), None)
    assert (kind(concurrency=3, timeout=2.5).concurrency, kind(concurrency=3, timeout=2.5).timeout) == (3, 2.5)
    assert repr(kind(concurrency=3, timeout=2)) == f"{kind.__name__}(concurrency=3, timeout=2)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"datastore": "folder"}, r"Empty\(datastore=…\) expects a DataStore object, got 'folder' of type str"),
        ({"datastore": datastores.Memory}, r"Empty\(datastore=…\) expects a DataStore object, got .* of type type"),
        ({"executor": "thread"}, r"Empty\(executor=…\) expects a Executor object, got 'thread' of type str"),
        ({"scheduler": 3}, r"Empty\(scheduler=…\) expects a Scheduler object, got 3 of type int"),
        (
            {"datastore": datastores.Memory()},
            r"Memory\(\) cannot be seen.*Process\(\).*Use executors.Thread\(\).*datastores.Local\(\)",
        ),
    ],
)
def test_a_flow_that_cannot_work_is_refused_when_it_is_made(settings: Any, message: str) -> None:
    with pytest.raises(FlowError, match=message):
        Empty(**settings)


def test_a_flow_tells_its_name_registry_dependencies_and_dependents() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters) -> None: ...

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
    class C(Layer):
        @hooks.submission
        def size(self, b: B) -> None: ...

        def __call__(self) -> None: ...

    flow = F()
    assert flow.name == "F"
    assert repr(flow) == "F()"
    assert list(flow.registry) == ["Parameters", "A", "B", "C"]
    assert flow.dependencies == {"Parameters": set(), "A": {"Parameters"}, "B": {"A"}, "C": {"A", "B"}}
    assert flow.dependents == {"Parameters": {"A"}, "A": {"B", "C"}, "B": {"C"}, "C": set()}


def test_layer_gives_a_layer_of_the_flow_with_its_split() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer): ...

    flow = F()
    for asked in (A, "A", A()):
        layer = flow.layer(asked, index=0, splits=2)
        assert isinstance(layer, A)
        assert (layer.index, layer.splits, layer.name) == (0, 2, "A")
    with pytest.raises(FlowError, match=r"Flow F has no layer 'Aa'. Did you mean 'A'"):
        flow.layer("Aa")


def test_annotations_of_every_kind_of_hook_are_dependencies() -> None:
    class F(Flow): ...

    for name in "ABCDE":
        F.register(type(name, (Layer,), {}))
    a, b, c, d, _ = (F().registry[name].layer for name in "ABCDE")

    class G(F): ...

    def make(kind: Any, needed: type[Layer]) -> Any:
        def hook(self: Layer, layer: Any) -> None: ...

        hook.__annotations__["layer"] = needed
        return kind(hook)

    marks = {
        "one": make(hooks.entry, a),
        "two": make(hooks.submission, b),
        "three": make(hooks.execution, c),
        "four": make(hooks.retry, d),
    }
    G.register(type("Z", (Layer,), marks))
    assert G().dependencies["Z"] == {"A", "B", "C", "D"}


# Wrong programs: a FlowError before anything runs


def test_a_circle_is_refused_and_named() -> None:
    class F(Flow): ...

    class A(Layer): ...

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    @F.register
    class C(Layer):
        def __call__(self, b: B) -> None: ...

    A.__call__ = lambda self, c: None  # type: ignore[method-assign]
    A.__call__.__annotations__["c"] = C
    F.register(A)
    with pytest.raises(
        FlowError, match=r"Layers of flow F need each other in a circle: A needs C needs B needs A.*Take"
    ):
        Empty.__call__(F())


def test_a_layer_that_needs_itself_is_a_circle(memory: Any) -> None:
    class F(Flow): ...

    class A(Layer): ...

    A.__call__ = lambda self, a: None  # type: ignore[method-assign]
    A.__call__.__annotations__["a"] = A
    F.register(A)
    with pytest.raises(FlowError, match="circle: A needs A"):
        memory(F)()


def _refused(body: Any, memory: Any, message: str) -> None:
    """Register a layer with this ``__call__`` beside one named Known and expect that the flow refuses to run."""

    class F(Flow): ...

    ran = []

    @F.register
    class Known(Layer):
        def __call__(self) -> None:
            ran.append(self.name)

    F.register(type("Wrong", (Layer,), {"__call__": body}))
    with pytest.raises(FlowError, match=message):
        memory(F)()
    assert ran == []


class Stranger(Layer): ...


def test_a_dependency_that_is_not_registered_is_refused(memory: Any) -> None:
    def body(self: Any, stranger: Stranger) -> None: ...

    _refused(body, memory, r"body\(stranger\) of flow F: layer Stranger is not registered.*register")


def test_a_string_that_names_no_layer_is_refused_with_the_nearest_name(memory: Any) -> None:
    def body(self: Any, known: "Knwon") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    _refused(body, memory, r"body\(known\) of flow F: 'Knwon' is no layer.* Did you mean 'Known'")


@pytest.mark.parametrize("annotation", [int, "int", list[int], "int | None", None])
def test_an_annotation_that_is_no_layer_is_refused(annotation: Any, memory: Any) -> None:
    def body(self: Any, number: Any) -> None: ...

    body.__annotations__["number"] = annotation
    _refused(body, memory, r"body\(number\) of flow F: ")


def test_a_parameter_without_annotation_is_refused(memory: Any) -> None:
    def body(self, known):  # type: ignore[no-untyped-def]
        ...

    _refused(body, memory, r"body\(known\) of flow F: the parameter has no annotation. Annotate it")


def test_a_parameter_that_could_only_be_given_by_name_is_refused(memory: Any) -> None:
    def body(self: Any, *, known: "Known") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    _refused(body, memory, r"body\(known\) of flow F: .*by position")


def test_a_layer_behind_a_parameter_with_a_default_is_refused(memory: Any) -> None:
    def body(self: Any, verbose=False, known: "Known" = None) -> None: ...  # type: ignore  # noqa: F821

    _refused(body, memory, r"body\(known\) of flow F: layers come before parameters without an annotation")


def test_a_parameter_with_a_default_and_no_annotation_keeps_its_default(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters, factor=3) -> None:  # type: ignore[no-untyped-def]
            self.foo = parameters.x * factor

    assert memory(F)(x=2).layer(A).foo == 6


def test_a_layer_of_the_same_name_that_is_another_class_is_refused(memory: Any) -> None:
    other = type("Known", (Layer,), {})

    def body(self: Any, known: Any) -> None: ...

    body.__annotations__["known"] = other
    _refused(body, memory, "the flow's layer Known is another class than the one annotated")


def test_a_body_that_is_a_generator_is_refused(memory: Any) -> None:
    def body(self: Any) -> Any:
        yield 1

    with pytest.raises(FlowError, match="body is a generator: it has a yield"):
        _refused(body, memory, "")


def test_a_foreach_over_a_layer_that_is_not_registered_is_refused(memory: Any) -> None:
    class F(Flow): ...

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=Stranger, attribute="foo")]))
    class A(Layer): ...

    with pytest.raises(FlowError, match="ForEach of layer A of flow F: Stranger is not registered"):
        memory(F)()


def test_calling_a_flow_without_layers_is_refused(memory: Any) -> None:
    with pytest.raises(FlowError, match=r"Flow Empty has no layers. Register one: @Empty.register"):
        memory(Empty)()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"container": "image"}, r"container expects Container\(…\), got 'image' of type str"),
        ({"foreach": []}, r"foreach expects ForEach\(…\), got \[\] of type list"),
        ({"retry": 3}, r"retry expects Retry\(…\), got 3 of type int"),
        ({"catch": ValueError}, r"catch expects Catch\(…\), got <class 'ValueError'> of type type"),
        ({"timeout": 3}, r"timeout expects Timeout\(…\), got 3 of type int"),
        ({"resources": {"cpu": 1}}, r"resources expects Resources\(…\), got .* of type dict"),
    ],
)
def test_a_configuration_of_the_wrong_type_is_refused_when_it_is_registered(settings: Any, message: str) -> None:
    with pytest.raises(FlowError, match=r"Empty\.register: " + message):
        Empty.register(**settings)


def test_a_configuration_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="retries"):
        Empty.register(retries=3)  # type: ignore[call-overload]


@pytest.mark.parametrize("wrong", [3, "A", int, Layer(), Flow])
def test_what_is_no_layer_cannot_be_registered(wrong: Any) -> None:
    with pytest.raises(FlowError, match=r"Empty.register expects a subclass of Layer, got"):
        Empty.register(wrong)


def test_layers_are_registered_with_a_subclass_of_flow() -> None:
    with pytest.raises(FlowError, match="class MyFlow"):
        Flow.register(Stranger)


def test_parameters_are_part_of_every_flow_already() -> None:
    with pytest.raises(FlowError, match="Parameters is part of every flow"):
        Empty.register(Parameters)
    with pytest.raises(FlowError, match="Parameters is part of every flow"):
        Empty.register(type("Parameters", (Layer,), {}))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.ForEach(parameters=layers.Parameter(Stranger, "foo")), "expects a list; write parameters="),
        (lambda: layers.ForEach(parameters=[Stranger]), "expects Parameter objects, got"),
        (lambda: layers.ForEach(parameters=3), "expects a list"),
        (
            lambda: layers.Parameter(layer="Stranger", attribute="foo"),
            r"Parameter\(layer=…\): expects a subclass of Layer",
        ),
        (lambda: layers.Parameter(layer=Stranger, attribute=3), r"Parameter\(attribute=…\): expects"),
        (lambda: layers.Parameter(layer=Stranger, attribute="foo", index="0"), r"Parameter\(index=…\): expects"),
        (lambda: layers.Parameter(layer=Stranger, attribute="foo", index=-1), r"Parameter\(index=…\): expects"),
        (lambda: layers.Catch("ValueError"), "expects exception types"),
        (lambda: layers.Catch(ValueError()), "expects exception types"),
        (lambda: layers.Container(memory="much"), "memory='much' is no amount of memory"),
        (lambda: layers.Container(cpu=0), "cpu=0 must be more than 0"),
        (lambda: layers.Container(env={"A": 1}), r"Container\(env=…\): expects strings, got 'A': 1"),
        (lambda: schedulers.Scheduler(on_failure="stop"), "expects one of 'drain', 'cancel'"),
        (lambda: schedulers.Scheduler(grace=-1), "grace"),
        (lambda: executors.Thread(concurrency=0), r"Thread\(concurrency=0\): expects a whole number from 1"),
        (lambda: executors.Process(concurrency=1.5), r"Process\(concurrency=1.5\): expects a whole number"),
        (lambda: executors.Process(timeout=0), r"Process\(timeout\)=0 must be more than 0"),
        (lambda: executors.Process(method="thread"), r"Process\(method='thread'\): expects one of fork, spawn"),
        (lambda: datastores.Local(root="s3://bucket"), "expects a folder. For object stores use datastores.S3"),
        (lambda: datastores.S3(root="bucket"), r"S3\(root='bucket'\) expects an address that starts with s3://"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_they_are_made(make: Any, message: str) -> None:
    with pytest.raises(FlowError, match=message):
        make()


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a b", "x" * 129, "a/b"])
def test_an_id_that_a_path_cannot_have_is_refused(name: str, memory: Any) -> None:
    with pytest.raises(FlowError, match="is no id of an execution"):
        memory(Empty).execution(name)


def test_a_parameter_with_a_reserved_name_is_refused_before_anything_runs(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters) -> None: ...

    flow = local(F)
    with pytest.raises(FlowError, match=r"Parameters\.index: the name 'index' is laminar's own"):
        flow(index=3)
    assert flow.configuration.datastore.list_executions(flow=flow) == []
