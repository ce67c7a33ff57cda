"""Twenty layers, one of them an eight-way foreach, that note in the journal when they start and end.

Usage: ``twenty.py ROOT RUN [resume]``
"""

import os
import subprocess
import sys

from journal import note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.settings import current


class Twenty(Flow): ...


class Noted(Layer):
    """What all of them do: note the start, make something of what came before, note the end."""

    def work(self, *values: object) -> None:
        note("start", current.layer.name, current.layer.index)
        self.value = [current.layer.name, current.layer.index, list(values)]
        self.payload = os.urandom(0) + b"".join(repr(value).encode() for value in values) * 50
        note("end", current.layer.name, current.layer.index)


@Twenty.register
class Start(Noted):
    def __call__(self) -> None:
        self.shard(items=list(range(8)))
        self.work()


@Twenty.register
class A1(Noted):
    def __call__(self, start: Start) -> None:
        self.work(start.value)


@Twenty.register
class A2(Noted):
    def __call__(self, a1: A1) -> None:
        self.work(a1.value)


@Twenty.register
class A3(Noted):
    def __call__(self, a2: A2) -> None:
        self.work(a2.value)


@Twenty.register
class A4(Noted):
    def __call__(self, a3: A3) -> None:
        self.work(a3.value)


@Twenty.register
class A5(Noted):
    def __call__(self, a4: A4) -> None:
        self.work(a4.value)


@Twenty.register(foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]))
class Fan(Noted):
    def __call__(self, start: Start, a1: A1) -> None:
        # A grandchild that leads a session and has no variables of ours must not outlive this split.
        stray = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True, env={})
        note("stray", stray.pid)
        self.work(start.items, len(a1.value))


@Twenty.register
class Join(Noted):
    def __call__(self, fan: Fan) -> None:
        self.work(list(fan.value))


@Twenty.register
class B1(Noted):
    def __call__(self, join: Join) -> None:
        self.work(len(join.payload))


@Twenty.register
class B2(Noted):
    def __call__(self, b1: B1) -> None:
        self.work(b1.value)


@Twenty.register
class B3(Noted):
    def __call__(self, b2: B2) -> None:
        self.work(b2.value)


@Twenty.register
class B4(Noted):
    def __call__(self, b3: B3) -> None:
        self.work(b3.value)


@Twenty.register
class B5(Noted):
    def __call__(self, b4: B4) -> None:
        self.work(b4.value)


@Twenty.register
class C1(Noted):
    def __call__(self, join: Join) -> None:
        self.work(len(join.value))


@Twenty.register
class C2(Noted):
    def __call__(self, c1: C1) -> None:
        self.work(c1.value)


@Twenty.register
class C3(Noted):
    def __call__(self, c2: C2) -> None:
        self.work(c2.value)


@Twenty.register
class C4(Noted):
    def __call__(self, c3: C3, a5: A5) -> None:
        self.work(c3.value, a5.value)


@Twenty.register
class D1(Noted):
    def __call__(self, b5: B5, c4: C4) -> None:
        self.work(b5.value, c4.value)


@Twenty.register
class D2(Noted):
    def __call__(self, d1: D1) -> None:
        self.work(d1.value)


@Twenty.register
class End(Noted):
    def __call__(self, d2: D2, fan: Fan) -> None:
        self.work(d2.value, len(fan.payload))


if __name__ == "__main__":
    root, run = sys.argv[1:3]
    if flow := Twenty(datastore=datastores.Local(root=root), executor=executors.Process(concurrency=4)):
        if sys.argv[3:] == ["resume"]:
            flow.execution(run).resume()
        else:
            flow(execution=run)
