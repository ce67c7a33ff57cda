"""25 right programs: each runs, and no type checker complains of any."""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, BinaryIO, assert_type

from laminar import Accessor, Execution, Flow, Layer, Parameters
from laminar.configurations import datastores, executors, hooks, schedulers, serde
from laminar.configurations.layers import Catch, Container, ForEach, Parameter, Resources, Retry, Timeout
from laminar.exceptions import FlowError, LaminarError
from laminar.settings import current
from laminar.types import accessor, unwrap


def here() -> tuple[datastores.DataStore, executors.Executor]:
    return datastores.Memory(), executors.Thread(concurrency=2)


class Hello(Flow):
    def __init__(self) -> None:
        datastore, executor = here()
        super().__init__(datastore=datastore, executor=executor, scheduler=schedulers.Scheduler(quiet=True))


class Shared(Hello): ...


@Shared.register
class Load(Layer):
    files: Accessor[str]
    count: int
    note = "nothing said"

    def __call__(self, parameters: Parameters) -> None:
        self.shard(files=[f"{name}.csv" for name in "abc"])
        self.count = 3
        self.megabytes = float(parameters.megabytes or 0)


@Shared.register(foreach=ForEach(parameters=[Parameter(layer=Load, attribute="files")]))
class Score(Layer):
    score: float

    def __call__(self, load: Load) -> None:
        self.score = len(str(load.files)) / 2


@Shared.register
class Best(Layer):
    def __call__(self, load: Load, score: Score) -> None:
        self.best = max(accessor(score.score)) * load.count


def shared() -> Execution:
    return Shared()(megabytes=2)


# right: 1 - a layer got by its class is of that class
def layer_by_class() -> None:
    load = shared().layer(Load)
    assert_type(load, Load)
    assert_type(load.count, int)
    assert_type(load.megabytes, float)
    assert_type(load.note, str)
    assert load.count == 3


# right: 2 - a layer got by an object is of its class; by its name, its artifacts are of any type
def layer_by_object_and_by_name() -> None:
    execution = shared()
    assert_type(execution.layer(Load()), Load)
    count: int = execution.layer("Load").count
    assert count == execution.layer(Load()).count
    name: str = execution.layer("Load").name
    assert name == "Load"


# right: 3 - the same of the flow, with a split
def layer_of_a_flow() -> None:
    flow = Shared()
    assert_type(flow(megabytes=1), Execution)
    score = flow.layer(Score, index=0, splits=3)
    assert_type(score, Score)
    assert score.score == 2.5
    assert unwrap(score.index) + 1 == 1


# right: 4 - registering keeps the class, with brackets and without, and with several flows
def registering_keeps_the_class() -> None:
    class One(Hello): ...

    class Two(Hello): ...

    @One.register
    @Two.register()
    class A(Layer):
        def __call__(self) -> None:
            self.foo = "bar"

    assert_type(A(), A)
    kind: type[A] = One.register(retry=Retry(2))(type("B", (A,), {}))
    assert issubclass(kind, A)
    assert_type(Two().execution, Execution)
    assert_type(Two()().layer(A).foo, str)


# right: 5 - everything that can be configured, at once
def every_configuration() -> None:
    class F(Hello): ...

    @F.register(
        container=Container("python:3.11", cpu=0.5, memory="2Gi", gpu="A100:1", env={"TZ": "UTC"}, shm=64),
        foreach=ForEach(parameters=()),
        retry=Retry(attempts=2, delay=0, backoff=1.5, jitter=0, memory=2, memory_max="4Gi"),
        catch=Catch(ValueError, KeyError),
        timeout=Timeout(60),
        resources=Resources(cpu=1, memory=512, gpu=1, disk="1Gi", shm="64Mi"),
    )
    class A(Layer):
        def __call__(self) -> None:
            self.seconds = unwrap(self.configuration.timeout).seconds
            raise ValueError("caught")

    assert_type(F()().layer(A).seconds, float)


# right: 6 - parameters are of any type
def parameters_are_of_any_type() -> None:
    class F(Hello): ...

    @F.register
    class A(Layer):
        def __call__(self, parameters: Parameters) -> None:
            person: str = parameters.person
            self.greeting = f"{person} {parameters.times + 1}"

    execution = F()(person="you", times=1)
    assert execution.layer(A).greeting == "you 2"
    times: int = execution.layer(Parameters).times
    assert times == 1


# right: 7 - hooks of all kinds, as plain functions
def hooks_of_all_kinds() -> None:
    class F(Shared): ...

    @F.register(retry=Retry(attempts=2, delay=0))
    class A(Layer):
        @hooks.entry
        def worthwhile(self, load: Load) -> bool:
            return load.count > 0

        @hooks.submission
        def size(self, load: Load) -> None:
            self.configuration.container.memory = load.megabytes * 3

        @hooks.execution
        def announce(self) -> None:
            assert current.layer.name == self.name

        @hooks.retry
        def more(self) -> None:
            self.configuration.container.memory *= 2

        def __call__(self, load: Load) -> None:
            self.attempted = unwrap(self.attempt)
            if self.attempted == 1:
                raise ValueError(load.count)

    assert F()(megabytes=100).layer(A).attempted == 2
    assert_type(A().worthwhile(Load(count=1)), bool)


# right: 8 - hooks that are generators
def hooks_that_are_generators() -> None:
    class F(Hello): ...

    @F.register
    class A(Layer):
        @hooks.entry
        def worthwhile(self) -> Generator[bool, None, None]:
            yield True

        @hooks.submission
        def around_submission(self) -> Iterator[None]:
            yield

        @hooks.execution
        def around(self) -> Generator[None, None, None]:
            self.before = 1
            yield
            self.after = self.before + 1

        @hooks.retry
        def around_retry(self) -> Iterator[None]:
            yield

    layer = F()().layer(A)
    assert layer.before + layer.after == 3


# right: 9 - a hook of all layers of a flow
def announce(layer: Layer) -> Iterator[None]:
    layer.configuration.container.cpu = 2
    yield


def hooks_of_a_flow() -> None:
    class F(Hello):
        announced = hooks.submission(announce)

        @hooks.execution
        def around(self) -> None:
            assert current.flow.name == "F"

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.cpu = self.configuration.container.cpu

    assert F()().layer(A).cpu == 2


# right: 10 - a sharded artifact
def sharded_artifact() -> None:
    files = shared().layer(Load).files
    assert_type(files, Accessor[str])
    assert_type(files[-1], str)
    assert_type(files[:2], list[str])
    assert_type(len(files), int)
    assert sorted(files, key=str.upper) == [name.lower() for name in files]


# right: 11 - an artifact of a foreach layer, downstream
def artifact_of_a_foreach_layer() -> None:
    execution = shared()
    scores = accessor(execution.layer(Score).score)
    assert_type(scores, Accessor[float])
    assert_type([score * 2 for score in scores], list[float])
    assert_type(scores.available, list[int])
    assert execution.layer(Best).best == sum(scores[:3]) == 7.5


# right: 12 - a grid over two artifacts, and a chained foreach
def grid() -> None:
    class F(Shared): ...

    @F.register(
        foreach=ForEach(
            parameters=[
                Parameter(layer=Load, attribute="files", index=0),
                Parameter(layer=Score, attribute="score", index=None),
            ]
        )
    )
    class Cell(Layer):
        def __call__(self, load: Load, score: Score) -> None:
            self.cell = (str(load.files), score.score)

    cells = accessor(F()(megabytes=1).layer(Cell).cell)
    assert_type(cells[0], tuple[str, float])
    assert len(cells) == 9


# right: 13 - a hook that changes the configuration of a split
def configuration_at_run_time() -> None:
    class F(Hello): ...

    @F.register
    class A(Layer):
        @hooks.submission
        def configure(self) -> None:
            self.configuration.container.memory = "2Gi"
            self.configuration.container.gpu = None
            self.configuration.retry.attempts = 3
            self.configuration.catch = Catch(OSError)
            self.configuration.timeout = Timeout(seconds=30.5)

        def __call__(self) -> None:
            self.attempts = self.configuration.retry.attempts

    assert_type(F()().layer(A).attempts, int)


# right: 14 - datastores of all kinds
def every_datastore() -> None:
    makers: Mapping[str, Callable[[], datastores.DataStore]] = {
        "folder": datastores.Local,
        "another": lambda: datastores.Local(root="there"),
        "memory": datastores.Memory,
        "s3": lambda: datastores.S3(root="s3://bucket/laminar", region="eu-central-1"),
        "aws": lambda: datastores.AWS.S3(root="s3://bucket/laminar"),
        "gcs": lambda: datastores.GCS(root="gs://bucket/laminar"),
        "azure": lambda: datastores.Azure(root="az://container/laminar", account_name="me"),
    }
    assert_type(makers["memory"]().root, str)


# right: 15 - executors of all kinds
def every_executor() -> None:
    kinds: list[executors.Executor] = [
        executors.Thread(),
        executors.Thread(concurrency=8, timeout=60),
        executors.Process(),
        executors.Process(concurrency=2, timeout=0.5, method="spawn"),
    ]
    assert all(kind.concurrency >= 1 for kind in kinds)
    flow = Flow(executor=executors.Process(concurrency=2))
    assert_type(flow.configuration.executor, executors.Executor)


# right: 16 - schedulers
def every_scheduler() -> None:
    flow = Flow(scheduler=schedulers.Scheduler(on_failure="cancel", grace=1, quiet=True))
    assert_type(flow.configuration.scheduler, schedulers.Scheduler)
    assert_type(flow.configuration.datastore, datastores.DataStore)
    assert flow.configuration.scheduler.grace == 1


# right: 17 - a chain of flows
def chain() -> None:
    class Report(Hello): ...

    @Report.register
    class Page(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.text = f"best: {parameters.best}"

    def link(execution: Execution) -> Parameters:
        return Parameters(best=execution.layer(Best).best)

    last = shared().next(flow=Report(), linker=link)
    assert_type(last, Execution)
    again = shared().next(flow=Report(), linker=lambda execution: Parameters(best=execution.layer(Best).best))
    assert last.layer(Page).text == again.layer(Page).text == "best: 7.5"


# right: 18 - going on with an execution
def resume() -> None:
    flow = Shared()
    first = flow(execution="mine", megabytes=1)
    again = flow.execution("mine").resume()
    assert_type(again, Execution)
    assert_type(unwrap(again.id).upper(), str)
    assert (again.id, again.retry) == (first.id, True)
    assert_type(again.retry, bool)


# right: 19 - values that may be None
def unwrapping() -> None:
    maybe: dict[str, int] = {"a": 1}
    assert_type(unwrap(maybe.get("a")), int)
    assert_type(unwrap(maybe.get("b"), 2), int)
    assert unwrap(maybe.get("b"), 2) + 1 == 3


# right: 20 - where the running code is, in a layer with an asynchronous body
def where_code_runs() -> None:
    class F(Hello): ...

    @F.register
    class A(Layer):
        async def __call__(self) -> None:
            assert_type(current.execution.retry, bool)
            self.place = f"{current.execution.id} {current.flow.name} {unwrap(current.layer.name)}"
            self.left = unwrap(current.layer.splits) - unwrap(current.layer.index) + unwrap(current.layer.attempt)

    assert F()(execution="x").layer(A).place == "x F A"


# right: 21 - a protocol of the user's own
class Table:
    def __init__(self, rows: list[str]) -> None:
        self.rows = rows


def protocols() -> None:
    datastore = datastores.Memory()

    @datastore.protocol(Table)
    class Lines(serde.Protocol):
        def dumps(self, value: Table) -> bytes:
            return "\n".join(value.rows).encode()

        def loads(self, stream: bytes) -> Table:
            return Table(stream.decode().split("\n"))

    @datastore.protocol(bytes, bytearray)
    class Raw(serde.Protocol):
        def dump(self, value: bytes, file: BinaryIO) -> None:
            file.write(value)

        def load(self, file: BinaryIO) -> bytes:
            return file.read()

    assert_type(Raw().wants_files(), bool)
    assert Lines().loads(Lines().dumps(Table(["a", "b"]))).rows == ["a", "b"]


# right: 22 - calling layers directly, as in tests
def direct_calls() -> None:
    class A(Layer):
        foo: str

    class B(Layer):
        def __call__(self, a: A) -> "B":
            self.foo = a.foo.upper()
            return self

    class C(Layer):
        def __call__(self, b: B) -> None:
            self.size = len(b.foo)

    b = B()(A(foo="bar"))
    assert_type(b.foo, str)
    c = C(size=0)
    assert_type(c.size, int)
    c(b)
    assert (b.foo, c.size) == ("BAR", 3)


# right: 23 - flows and layers that inherit
def inheritance() -> None:
    class Other(Hello): ...

    class Base(Layer):
        factor: int = 2

        def times(self, value: int) -> int:
            return value * self.factor

    @Other.register
    class Tenfold(Base):
        factor = 10

        def __call__(self) -> None:
            self.result = self.times(3)

    class Combined(Shared, Other): ...

    if flow := Combined():
        execution = flow(megabytes=1)
        assert_type(execution.layer(Tenfold).result, int)
        assert execution.layer(Tenfold).result * execution.layer(Load).count == 90
    needs: dict[str, set[str]] = flow.dependencies
    assert needs["Best"] == {"Load", "Score"}
    assert flow.graph() != flow.name


# right: 24 - what is found in a datastore
def discovery() -> None:
    flow = Shared()
    flow(execution="found", megabytes=1)
    datastore = flow.configuration.datastore
    executions = datastore.list_executions(flow=flow)
    assert_type(executions, list[Execution])
    layers = datastore.list_layers(execution=executions[0])
    assert [layer.name for layer in layers if layer.state.finished] == ["Best", "Load", "Parameters", "Score"]
    best: float = layers[0].best
    artifacts = datastore.list_artifacts(layer=flow.layer(Load))
    assert_type(artifacts, list[str])
    assert best == 7.5
    assert datastore.list_artifacts(layer=layers[0]) == ["best"]


# right: 25 - how an execution went, and parts of one
def course_of_an_execution() -> None:
    class F(Hello): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.foo = 1

    @F.register
    class Broken(Layer):
        def __call__(self, a: A) -> None:
            raise FlowError(f"foo is {a.foo}")

    flow = F()
    try:
        flow(execution="one")
    except LaminarError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert refusal == "foo is 1"
    execution = flow.execution
    assert unwrap(execution.ended) - unwrap(execution.started) >= 0
    assert_type(execution.finished, bool)
    assert execution.error is not None
    assert (execution.error.layer, execution.error.index) == ("Broken", 0)
    assert execution.error.traceback.count("FlowError")
    assert unwrap(execution.status).terminal
    assert execution.status == "FAILED"

    part = flow.execution("two").parameters(bar=2).schedule(dependencies={"A": set()})
    part.execute(layer=flow.layer(A, index=0, splits=1))
    state = part.layer(A).state
    assert_type(state.finished, bool)
    assert_type(part.running, bool)
    assert part.layer(A).foo == 1


PROGRAMS: list[Callable[[], Any]] = [
    layer_by_class,
    layer_by_object_and_by_name,
    layer_of_a_flow,
    registering_keeps_the_class,
    every_configuration,
    parameters_are_of_any_type,
    hooks_of_all_kinds,
    hooks_that_are_generators,
    hooks_of_a_flow,
    sharded_artifact,
    artifact_of_a_foreach_layer,
    grid,
    configuration_at_run_time,
    every_datastore,
    every_executor,
    every_scheduler,
    chain,
    resume,
    unwrapping,
    where_code_runs,
    protocols,
    direct_calls,
    inheritance,
    discovery,
    course_of_an_execution,
]
