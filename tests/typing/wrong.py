"""25 wrong programs, never run: each has one line that every type checker must refuse, and no other."""

from laminar import Execution, Flow, Layer, Parameters
from laminar.configurations import datastores, executors, hooks, schedulers, serde
from laminar.configurations.layers import Catch, Container, ForEach, Parameter, Resources, Retry, Timeout
from laminar.settings import current
from laminar.types import accessor, unwrap


class F(Flow): ...


class Other(Flow): ...


@F.register
class A(Layer):
    count: int

    def __call__(self, parameters: Parameters) -> None:
        self.count = parameters.count
        self.text = "three"


datastore = datastores.Local()
flow = F(datastore=datastore)
execution = flow.execution("mine")
maybe: str | None = current.execution.id

print(execution.layer(A).cuont)  # wrong: 1 - no such artifact


class Assigns(Layer):
    count: int

    def __call__(self, a: A) -> None:
        self.count = a.text  # wrong: 2 - a str for an int


@F.register(foreach=Retry())  # wrong: 3 - a retry is no foreach
class Fans(Layer): ...


F.register(3)  # wrong: 4 - an int is no layer

Retry(attempts="3")  # wrong: 5 - attempts is an int

Timeout()  # wrong: 6 - the seconds are missing

Catch("x")  # wrong: 7 - a str is no exception type

ForEach(parameters=[Parameter(layer="A", attribute="count")])  # wrong: 8 - a str is no layer class

ForEach(parameters=Parameter(layer=A, attribute="count"))  # wrong: 9 - a list is expected

Container(memory=[1500])  # wrong: 10 - a list is no amount

Resources(cpus=2)  # wrong: 11 - no such field

F(datastore=executors.Thread())  # wrong: 12 - an executor is no datastore

F(executor=datastores.Local())  # wrong: 13 - a datastore is no executor

executors.Process(method="thread")  # wrong: 14 - no such method

schedulers.Scheduler(on_failure="stop")  # wrong: 15 - no such choice

hooks.entry("worthwhile")  # wrong: 16 - a str is no function


class Hooked(Layer):
    @hooks.submission  # wrong: 17 - only an entry hook answers
    def size(self) -> bool: return True  # fmt: skip


flow.execution(3)  # wrong: 18 - an id is a str

execution.layer(3)  # wrong: 19 - an int is no layer

execution.id = "yours"  # wrong: 20 - an id stays

datastore.list_layers(flow=flow)  # wrong: 21 - layers are those of an execution


def link(execution: Execution) -> dict[str, int]:
    return {"count": execution.layer(A).count}


execution.next(flow=Other(), linker=link)  # wrong: 22 - a linker gives Parameters

unwrap(maybe) + 1  # wrong: 23 - a str and an int

unwrap(current.layer.index) + "x"  # wrong: 24 - an int and a str


@datastore.protocol(A)
class Lines(serde.Protocol):
    def dumps(self, value: A) -> str:  # wrong: 25 - bytes are expected
        return accessor(value.text)[0]
