"""``settings.current``: where running code is."""

from typing import Any

from laminar import Flow, Layer
from laminar.configurations import hooks, layers
from laminar.settings import current


def place() -> tuple[Any, ...]:
    layer = current.layer
    here = (layer.name, layer.index, layer.splits, layer.attempt)
    return (current.execution.id, current.execution.retry, current.flow.name, *here)


class Where(Flow): ...


@Where.register
class A(Layer):
    def __call__(self) -> None:
        self.place = place()
        self.shard(foo=[1, 2])


@Where.register(
    foreach=layers.ForEach(parameters=[layers.Parameter(A, "foo")]), retry=layers.Retry(attempts=2, delay=0)
)
class B(Layer):
    hooked: Any = None

    @hooks.execution
    def hook(self) -> None:
        self.hooked = place()

    def __call__(self) -> None:
        self.place = place()
        if self.index == 1 and self.attempt == 1:
            raise ValueError


def test_running_code_knows_execution_flow_layer_split_and_attempt(memory: Any) -> None:
    execution = memory(Where)(execution="mine")
    assert execution.layer(A).place == ("mine", False, "Where", "A", 0, 1, 1)
    expected = [("mine", False, "Where", "B", 0, 2, 1), ("mine", False, "Where", "B", 1, 2, 2)]
    assert list(execution.layer(B).place) == expected
    assert list(execution.layer(B).hooked) == expected


def test_outside_of_an_execution_there_is_no_place(memory: Any) -> None:
    nowhere = (None, False, None, None, None, None, None)
    assert place() == nowhere
    memory(Where)()
    assert place() == nowhere


def test_a_resumed_execution_says_that_it_is_a_retry(memory: Any) -> None:
    broken = [True]

    class F(Flow): ...

    @F.register
    class C(Layer):
        def __call__(self) -> None:
            self.retry = (current.execution.retry, self.execution.retry)
            if broken:
                raise ValueError

    flow = memory(F)
    try:
        flow(execution="mine")
    except ValueError:
        broken.clear()
    assert flow.execution("mine").layer(C).retry == (False, False)
    assert flow.execution("mine").resume().layer(C).retry == (True, True)


def test_a_process_of_its_own_knows_its_place_too(program: Any) -> None:
    program.write(
        """
        import os, subprocess, sys
        from laminar import Flow, Layer
        from laminar.configurations import layers
        from laminar.settings import current

        class F(Flow): ...

        @F.register(container=layers.Container(env={"MINE": "set"}))
        class A(Layer):
            def __call__(self):
                self.place = (current.execution.id, current.flow.name, current.layer.name, current.layer.index,
                              current.layer.splits, current.layer.attempt, os.environ["MINE"])
                code = "from laminar.settings import current; print(current.layer.name, current.execution.id)"
                self.child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

        if flow := F():
            layer = flow(execution="mine").layer(A)
            print(layer.place, layer.child.strip(), current.execution.id)
        """
    )
    assert program.run().stdout == "('mine', 'F', 'A', 0, 1, 1, 'set') A mine None\n"
