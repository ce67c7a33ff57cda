"""What a split sees of where it runs is the same on every executor, as far as threads can."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from scripts import one_layer, run, told

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import Catch, Container, ForEach, Parameter
from laminar.settings import current

METHODS = ["fork", "spawn"]
EXECUTORS = [*METHODS, "thread"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_current_tells_where_the_code_is(tmp_path: Path, executor: str) -> None:
    body = """
        from laminar.settings import current
        if self.attempt == 1:
            raise ValueError
        self.here = [
            current.execution.id, current.execution.retry, current.flow.name,
            current.layer.name, current.layer.index, current.layer.splits, current.layer.attempt,
        ]
    """
    script = one_layer(tmp_path, body, registration="retry=Retry(attempts=2, delay=0)", artifacts=("here",))
    assert told(script, executor)["artifacts"]["here"] == ["run", False, "OneFlow", "Only", 0, 1, 2]


def test_current_is_nowhere_outside_of_a_run() -> None:
    assert (current.execution.id, current.flow.name, current.layer.name, current.layer.index) == (None,) * 4


@pytest.mark.parametrize("executor", EXECUTORS)
def test_folder_arguments_and_interpreter_are_those_of_the_scheduler(tmp_path: Path, executor: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    body = """
        self.seen = [os.getcwd(), sys.argv, sys.executable, sys.flags.optimize, sys.path[0], __name__, __file__]
    """
    script = one_layer(tmp_path, body, artifacts=("seen",))
    done = subprocess.run(
        [sys.executable, "-O", str(script), str(tmp_path / "root"), executor, "more"],
        cwd=elsewhere,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout.partition("TOLD ")[2])["artifacts"]["seen"]
    assert seen == [
        str(elsewhere),
        [str(script), str(tmp_path / "root"), executor, "more"],
        sys.executable,
        1,
        str(tmp_path),
        "__main__",
        str(script),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_variables_of_the_scheduler_and_of_the_container_are_set(tmp_path: Path, method: str) -> None:
    body = """
        self.seen = [os.environ.get("FROM_OUTSIDE"), os.environ.get("FROM_CONTAINER"), os.environ.get("SET_BEFORE")]
        os.environ["SET_BEFORE"] = "in the split"
    """
    script = one_layer(
        tmp_path,
        body,
        top='from laminar.configurations.layers import Container\nos.environ["SET_BEFORE"] = "at the top"',
        registration='container=Container(env={"FROM_CONTAINER": "b"})',
        artifacts=("seen",),
    )
    found = told(script, method, env={"FROM_OUTSIDE": "a"})
    assert found["artifacts"]["seen"] == ["a", "b", "at the top"]


@pytest.mark.parametrize("method", METHODS)
def test_there_is_nothing_to_read_from_standard_input(tmp_path: Path, method: str) -> None:
    script = one_layer(tmp_path, "self.read = sys.stdin.read()", artifacts=("read",))
    assert told(script, method, input="meant for the scheduler")["artifacts"] == {"read": ""}


@pytest.mark.parametrize("method", METHODS)
def test_what_a_split_changes_of_its_process_no_other_sees(tmp_path: Path, method: str) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, sys
        from laminar import Flow, Layer
        from laminar.configurations import datastores, executors

        seen = []

        class ApartFlow(Flow): ...

        @ApartFlow.register
        class First(Layer):
            def __call__(self):
                seen.append(1)
                os.chdir("/")
                os.environ["CHANGED"] = "yes"
                sys.path.clear()
                self.count = len(seen)

        @ApartFlow.register
        class Second(Layer):
            def __call__(self, first: First):
                seen.append(2)
                self.count = len(seen)
                self.cwd = os.getcwd()
                self.changed = os.environ.get("CHANGED")

        executor = executors.Process(method={method!r})
        if flow := ApartFlow(datastore=datastores.Local(root="root"), executor=executor):
            second = flow().layer(Second)
            print(second.count, second.cwd, second.changed, len(seen))
        """)
    )
    done = run(script)
    assert done.stdout == f"1 {tmp_path} None 0\n", done.stderr


RANDOM = """
    import random, sys
    import numpy
    from laminar import Flow, Layer
    from laminar.configurations import datastores, executors
    from laminar.configurations.layers import ForEach, Parameter

    {seed}

    class RandomFlow(Flow): ...

    @RandomFlow.register
    class Start(Layer):
        def __call__(self):
            self.shard(items=range(6))

    @RandomFlow.register(foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]))
    class Draw(Layer):
        def __call__(self, start: Start):
            self.numpy = float(numpy.random.rand())
            self.python = random.random()
            self.own = float(numpy.random.default_rng().random())

    executor = executors.Process(method=sys.argv[1], concurrency=2)
    if flow := RandomFlow(datastore=datastores.Local(root="root"), executor=executor):
        draw = flow().layer(Draw)
        print(*(len(set(values)) for values in (draw.numpy, draw.python, draw.own)))
"""


@pytest.mark.parametrize("method", METHODS)
def test_splits_draw_random_numbers_of_their_own(tmp_path: Path, method: str) -> None:
    pytest.importorskip("numpy")
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(RANDOM.format(seed="")))
    done = run(script, method)
    assert done.stdout == "6 6 6\n", done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_that_the_user_has_set_holds_in_every_split(tmp_path: Path, method: str) -> None:
    pytest.importorskip("numpy")
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(RANDOM.format(seed="numpy.random.seed(42)")))
    done = run(script, method)
    assert done.stdout == "1 6 6\n", done.stderr


def test_a_flow_made_in_a_function_runs_in_processes(tmp_path: Path) -> None:
    class LocalError(Exception): ...

    class LocalFlow(Flow): ...

    @LocalFlow.register
    class Make(Layer):
        def __call__(self) -> None:
            self.shard(items=[1, 2, 3])

    @LocalFlow.register(
        foreach=ForEach(parameters=[Parameter(layer=Make, attribute="items")]),
        catch=Catch(LocalError),
        container=Container(env={"A": "b"}),
    )
    class Take(Layer):
        def __call__(self, make: Make) -> None:
            self.item = make.items * 10
            self.pid = os.getpid()
            raise LocalError("caught by a class that is not to be imported")

    execution = LocalFlow(datastore=datastores.Local(root=str(tmp_path)), executor=executors.Process())()
    assert list(execution.layer(Take).item) == [10, 20, 30]
    assert len({*execution.layer(Take).pid, os.getpid()}) == 4


def test_a_flow_runs_in_processes_from_another_thread(tmp_path: Path) -> None:
    script = one_layer(tmp_path, "self.value = os.getpid()", artifacts=("value",))
    source = script.read_text()
    head, _, tail = source.partition("if flow:\n")
    script.write_text(
        f"{head}def main():\n{tail}\nif flow:\n"
        "    thread = threading.Thread(target=main)\n    thread.start()\n    thread.join()\n"
    )
    assert told(script, "fork")["artifacts"]["value"] > 0


def test_signals_are_answered_as_before_once_a_flow_has_ended(tmp_path: Path) -> None:
    class QuietFlow(Flow): ...

    @QuietFlow.register
    class Only(Layer):
        def __call__(self) -> None:
            self.value = 1

    assert threading.current_thread() is threading.main_thread()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    QuietFlow(datastore=datastores.Memory(), executor=executors.Thread())()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
