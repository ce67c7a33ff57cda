"""Guards and the ways a program can be started, with real processes: each does its own part and nothing else.

``journal`` is an append-only file that user code writes; a line says what ran and in which process.
"""

from typing import Any

import pytest

HEAD = """
import os, sys
from laminar import Flow, Layer, Parameters
from laminar.configurations import datastores, executors, hooks, layers

def note(text):
    with open("journal", "a") as file:
        file.write(f"{text} {'here' if os.getpid() == int(os.environ['SCHEDULER']) else 'there'}\\n")

class F(Flow): ...

@F.register
class A(Layer):
    def __call__(self):
        note("A")
        self.foo = "a"

@F.register
class B(Layer):
    def __call__(self, a: A):
        note("B")
        self.foo = a.foo + "b"

os.environ.setdefault("SCHEDULER", str(os.getpid()))
executor = executors.Process(method=os.environ.get("METHOD", "fork"))
"""


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest) -> str:
    """Gives each way to start processes."""
    name: str = request.param
    return name


def test_a_guarded_flow_runs_each_layer_once_in_a_process_of_its_own(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
if flow := F(executor=executor):
    print(flow().layer(B).foo)
    note("guarded")
note("unguarded") if os.getpid() == int(os.environ["SCHEDULER"]) else None
"""
    )
    assert program.run(METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there", "guarded here", "unguarded here"]


def test_an_unguarded_flow_with_code_after_it_runs_each_layer_once_and_the_rest_only_here(
    program: Any, method: str
) -> None:
    program.write(
        HEAD
        + """
execution = F(executor=executor)()
note("after")
print(execution.layer(B).foo)
"""
    )
    assert program.run(METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there", "after here"]


def test_the_ordinary_main_guard_works(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
def main():
    execution = F(executor=executor)()
    note("after")
    print(execution.layer(B).foo)

if __name__ == "__main__":
    main()
"""
    )
    assert program.run(METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there", "after here"]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_file_may_hold_several_flows_and_each_process_does_only_its_own_part(
    program: Any, method: str, guarded: bool
) -> None:
    second = """
class G(Flow): ...

@G.register
class C(Layer):
    def __call__(self):
        note("C")
"""
    calls = """
if flow := F(executor=executor):
    flow()
if other := G(executor=executor):
    other()
"""
    bare = """
F(executor=executor)()
G(executor=executor)()
"""
    program.write(HEAD + second + (calls if guarded else bare))
    program.run(METHOD=method)
    assert program.journal() == ["A there", "B there", "C there"]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_chain_finds_its_way_to_the_right_layer_of_the_right_flow(program: Any, method: str, guarded: bool) -> None:
    flows = """
class G(Flow): ...

@G.register
class C(Layer):
    def __call__(self, parameters: Parameters):
        note("C")
        self.foo = parameters.foo + "c"

class H(Flow): ...

@H.register
class D(Layer):
    def __call__(self, parameters: Parameters):
        note("D")
        self.foo = parameters.foo + "d"

def link(layer):
    def linker(execution):
        note("link")
        return Parameters(foo=execution.layer(layer).foo)
    return linker
"""
    chain = "flow().next(flow=G(executor=executor), linker=link(B)).next(flow=H(executor=executor), linker=link(C))"
    show = "note(f'end {last.layer(D).foo} {last.id == flow.execution.id}')"
    if guarded:
        body = f"\nif flow := F(executor=executor):\n    last = {chain}\n    {show}\n"
    else:
        body = f"\nflow = F(executor=executor)\nlast = {chain}\n{show}\n"
    program.write(HEAD + flows + body)
    program.run(METHOD=method)
    assert program.journal() == [
        *("A there", "B there", "link here", "C there", "link here", "D there", "end abcd True here")
    ]


def test_a_flow_inherited_from_two_runs_in_processes(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
class G(Flow): ...

@G.register
class C(Layer):
    def __call__(self):
        note("C")

class Both(F, G): ...

if flow := Both(executor=executor):
    flow()
"""
    )
    program.run(METHOD=method)
    assert sorted(program.journal()) == ["A there", "B there", "C there"]


# Where the code is


def test_a_module_of_a_package_can_be_started_by_name(program: Any, method: str) -> None:
    program.write("", "pkg/__init__.py")
    program.write("SUFFIX = '!'", "pkg/other.py")
    program.write(
        HEAD
        + """
from .other import SUFFIX

@F.register
class C(Layer):
    def __call__(self, b: B):
        self.foo = b.foo + SUFFIX

if flow := F(executor=executor):
    print(flow().layer(C).foo)
""",
        "pkg/mod.py",
    )
    assert program.run("-m", "pkg.mod", METHOD=method).stdout == "ab!\n"
    assert program.journal() == ["A there", "B there"]


def test_a_package_can_be_started_by_name(program: Any, method: str) -> None:
    program.write("", "pkg/__init__.py")
    program.write(HEAD + "\nprint(F(executor=executor)().layer(B).foo)\n", "pkg/__main__.py")
    assert program.run("-m", "pkg", METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there"]


def test_a_flow_in_an_imported_module_can_be_run_by_a_script(program: Any, method: str) -> None:
    program.write(HEAD, "flows.py")
    program.write(
        """
        from flows import F, B, executor, note
        execution = F(executor=executor)()
        note("after")
        print(execution.layer(B).foo)
        """
    )
    assert program.run(METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there", "after here"]


def test_a_flow_called_at_the_top_of_an_imported_module_runs_once(program: Any, method: str) -> None:
    program.write(HEAD + "\nexecution = F(executor=executor)()\n", "flows.py")
    program.write("from flows import B, execution\nprint(execution.layer(B).foo)")
    assert program.run(METHOD=method).stdout == "ab\n"
    assert program.journal() == ["A there", "B there"]


def test_layers_of_a_script_can_be_added_to_a_flow_of_a_module(program: Any, method: str) -> None:
    program.write(HEAD, "flows.py")
    program.write(
        """
        from laminar import Layer
        from flows import F, B, executor, note

        @F.register
        class C(Layer):
            def __call__(self, b: B):
                note("C")
                self.foo = b.foo + "c"

        if flow := F(executor=executor):
            print(flow().layer(C).foo)
        """
    )
    assert program.run(METHOD=method).stdout == "abc\n"
    assert program.journal() == ["A there", "B there", "C there"]


def test_a_flow_defined_inside_a_function_travels_with_its_definition(program: Any, method: str) -> None:
    program.write(
        """
        import os
        from laminar import Flow, Layer
        from laminar.configurations import executors, layers

        SUFFIX = "!"

        def main():
            shout = lambda text: text.upper() + SUFFIX

            class F(Flow): ...

            @F.register
            class A(Layer):
                default = "a"

                def __call__(self):
                    self.shard(foo=[shout(self.default), shout("b")])

            @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(A, "foo")]), retry=layers.Retry(attempts=2))
            class B(Layer):
                def __call__(self, a: A):
                    self.foo = a.foo * 2

            print(list(F(executor=executors.Process(method=os.environ["METHOD"]))().layer(B).foo))

        main()
        """
    )
    assert program.run(METHOD=method).stdout == "['A!A!', 'B!B!']\n"


def test_a_flow_inside_a_function_that_cannot_travel_says_what_to_do(program: Any) -> None:
    program.write(
        """
        import threading
        from laminar import Flow, Layer

        def main():
            lock = threading.Lock()

            class F(Flow): ...

            @F.register
            class A(Layer):
                def __call__(self):
                    with lock:
                        pass

            F()()

        main()
        """
    )
    done = program.run(check=False)
    assert done.returncode == 1
    assert "FlowError: Flow F is defined where other processes cannot find it" in done.stderr
    assert "Define it and its layers at the top of a module, or use executors.Thread()" in done.stderr


def test_layers_registered_where_other_processes_do_not_see_it_are_named(program: Any, method: str) -> None:
    program.write(HEAD, "flows.py")
    program.write(
        """
        from laminar import Layer

        class Late(Layer):
            def __call__(self): ...
        """,
        "more.py",
    )
    program.write(
        """
        import sys
        from flows import F, executor, note
        from more import Late
        if len(sys.argv) == 1:
            sys.argv.append("seen")
            F.register(Late)
            F(executor=executor)()
        """
    )
    done = program.run(METHOD=method, check=False)
    assert done.returncode == 1
    assert "Flow F has no layer Late in a process that loads its code anew. Register layers at the top" in done.stderr
    assert program.journal() == []


def test_code_that_cannot_be_loaded_a_second_time_shows_its_own_traceback(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
if os.getpid() != int(os.environ["SCHEDULER"]):
    raise RuntimeError("only once")

if flow := F(executor=executor):
    flow()
"""
    )
    done = program.run(METHOD=method, check=False)
    assert done.returncode == 1
    assert 'raise RuntimeError("only once")' in done.stderr
    assert "RuntimeError: only once" in done.stderr
    assert program.journal() == []


def test_future_annotations_and_dataclasses_of_a_script_travel(program: Any, method: str) -> None:
    program.write(
        """
        from __future__ import annotations

        import os
        from dataclasses import dataclass
        from enum import Enum
        from typing import NamedTuple

        from laminar import Flow, Layer, Parameters
        from laminar.configurations import executors, hooks

        class Color(Enum):
            RED = 1

        class Pair(NamedTuple):
            left: int
            right: int

        @dataclass(frozen=True)
        class Row:
            pair: Pair
            color: Color

        class F(Flow): ...

        @F.register
        class A(Layer):
            def __call__(self, parameters: Parameters) -> None:
                assert type(parameters.row) is Row
                self.row = Row(parameters.row.pair, Color.RED)

        @F.register
        class B(Layer):
            @hooks.entry
            def same(self, a: A) -> bool:
                return a.row == Row(Pair(1, 2), Color.RED)

            def __call__(self, a: A) -> None:
                assert type(a.row) is Row
                self.row = a.row

        if flow := F(executor=executors.Process(method=os.environ["METHOD"])):
            row = flow(row=Row(Pair(1, 2), Color.RED)).layer(B).row
            print(type(row) is Row, row.color is Color.RED, row)
        """
    )
    expected = "True True Row(pair=Pair(left=1, right=2), color=<Color.RED: 1>)\n"
    assert program.run(METHOD=method).stdout == expected


# Where the call is


def test_a_flow_runs_inside_a_running_event_loop_and_from_a_thread(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
import asyncio, threading

async def main():
    print(F(executor=executor)().layer(B).foo)

if F(executor=executor):
    asyncio.run(main())
    thread = threading.Thread(target=lambda: print(F(executor=executor)().layer(B).foo))
    thread.start()
    thread.join()
"""
    )
    assert program.run(METHOD=method).stdout == "ab\nab\n"
    assert program.journal() == ["A there", "B there"] * 2


def test_several_flows_run_at_the_same_time_from_threads(program: Any) -> None:
    program.write(
        HEAD
        + """
from concurrent.futures import ThreadPoolExecutor

if F(executor=executor):
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda number: F(executor=executor)(execution=f"run-{number}").layer(B).foo, range(3))
        print(*found)
"""
    )
    assert program.run().stdout == "ab ab ab\n"
    assert sorted(program.journal()) == ["A there"] * 3 + ["B there"] * 3


NOTEBOOK = """
import os
from laminar import Flow, Layer, Parameters
from laminar.configurations import executors, hooks, layers
# %%
SUFFIX = "!"
class F(Flow): ...
# %%
def helper(text):
    return text + SUFFIX
# %%
class Thing:
    def __init__(self, text):
        self.text = text
# %%
@F.register
class A(Layer):
    def __call__(self, parameters: Parameters):
        self.shard(foo=[Thing(helper(item)) for item in parameters.items])
# %%
@F.register(foreach=layers.ForEach(parameters=[layers.Parameter(layer=A, attribute="foo")]))
class B(Layer):
    @hooks.execution
    def hook(self, a: A):
        self.hooked = a.foo.text

    def __call__(self, a: A):
        self.foo = Thing(a.foo.text * 2)
# %%
flow = F(executor=executors.Process(method=os.environ["METHOD"]))
execution = flow(items=["a", "b"])
print([thing.text for thing in execution.layer(B).foo], all(type(thing) is Thing for thing in execution.layer(B).foo))
# %%
SUFFIX = "?"
found = flow.configuration.datastore.list_executions(flow=flow)
print([thing.text for thing in flow(items=["c"]).layer(B).foo], len(found))
"""
SAID = "['a!a!', 'b!b!'] True\n['c?c?'] 1\n"


def test_a_program_read_from_standard_input_runs(program: Any, method: str) -> None:
    assert program.run("-", stdin=NOTEBOOK, METHOD=method).stdout == SAID


def test_a_program_typed_at_the_prompt_runs(program: Any, method: str) -> None:
    typed = "".join(f"exec({cell!r}, globals())\n" for cell in NOTEBOOK.split("# %%\n"))
    done = program.run("-i", "-q", stdin=typed, METHOD=method)
    assert done.stdout == SAID, done.stderr


def test_a_program_given_as_an_argument_runs(program: Any, method: str) -> None:
    assert program.run("-c", NOTEBOOK, METHOD=method).stdout == SAID


def test_cells_executed_in_a_main_module_without_file_run_as_in_a_notebook(program: Any, method: str) -> None:
    program.write(NOTEBOOK, "cells.txt")
    kernel = """
import sys, types
main = sys.modules["__main__"] = types.ModuleType("__main__")
for cell in open("cells.txt").read().split("# %%\\n"):
    exec(compile(cell, "<cell>", "exec"), main.__dict__)
"""
    program.write(kernel, "kernel.py")
    assert program.run("kernel.py", METHOD=method).stdout == SAID


def test_ipython_runs_cells(program: Any, method: str) -> None:
    pytest.importorskip("IPython")
    program.write(NOTEBOOK, "cells.txt")
    kernel = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in open("cells.txt").read().split("# %%\\n"):
    shell.run_cell(cell).raise_error()
html = shell.display_formatter.format(shell.user_ns["execution"])[0]["text/html"]
print("<svg" in html)
"""
    program.write(kernel, "kernel.py")
    assert program.run("kernel.py", METHOD=method, IPYTHONDIR=str(program.folder)).stdout == SAID + "True\n"


# Other calls that start something must start nothing in a layer's process


def test_parameters_schedule_and_execute_outside_of_a_guard_do_only_their_part(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
@F.register
class C(Layer):
    def __call__(self, b: B, parameters: Parameters):
        note("C")
        self.foo = b.foo + parameters.suffix

flow = F(executor=executor)
execution = flow.execution("mine").parameters(suffix=str(os.getpid()))
execution.execute(layer=flow.layer(A))
execution.schedule(dependencies={"B": set(), "C": {"B"}})
print(execution.layer(C).foo == f"ab{os.getpid()}")
"""
    )
    assert program.run(METHOD=method).stdout == "True\n"
    assert program.journal() == ["A here", "B there", "C there"]


def test_resume_outside_of_a_guard_runs_only_what_is_missing(program: Any, method: str) -> None:
    text = (
        HEAD
        + """
@F.register
class C(Layer):
    def __call__(self, b: B):
        note("C")
        if sys.argv[1] == "run":
            raise ValueError("broken")
        self.foo = b.foo + "c"

flow = F(executor=executor)
if sys.argv[1] == "run":
    flow(execution="mine")
print(flow.execution("mine").resume().layer(C).foo)
note("after")
"""
    )
    program.write(text)
    assert "broken" in program.run("main.py", "run", METHOD=method, check=False).stderr
    assert program.run("main.py", "resume", METHOD=method).stdout == "abc\n"
    assert program.journal() == ["A there", "B there", "C there", "C there", "after here"]


def test_a_layer_may_call_another_flow(program: Any) -> None:
    program.write(
        HEAD
        + """
class Inner(Flow): ...

@Inner.register
class I(Layer):
    def __call__(self):
        note("I")
        self.foo = "inner"

class Outer(Flow): ...

@Outer.register
class O(Layer):
    def __call__(self):
        inner = Inner(executor=executors.Thread())
        self.foo = inner().layer(I).foo

if flow := Outer(executor=executor):
    print(flow().layer(O).foo)
"""
    )
    done = program.run(check=False)
    assert done.stdout == "inner\n", done.stderr
    assert program.journal() == ["I there"]


# Exceptions and ends of processes


def test_an_exception_of_the_script_s_own_type_reaches_the_caller_from_a_process(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
class MyError(Exception): ...

@F.register(catch=layers.Catch(MyError))
class C(Layer):
    def __call__(self, b: B):
        self.before = 1
        raise MyError("caught")

@F.register
class D(Layer):
    def __call__(self, c: C):
        raise MyError(f"not caught {c.before}")

if flow := F(executor=executor):
    try:
        flow(execution="mine")
    except MyError as error:
        print(error, "Raised in layer D, attempt 1" in error.__notes__[0], "raise MyError" in error.__notes__[0])
"""
    )
    assert program.run(METHOD=method).stdout == "not caught 1 True True\n"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("os._exit(3)", "AttemptExitedError Layer A, attempt 1 ended without a result: its process exited with code 3"),
        ("sys.exit(4)", "AttemptExitedError it called sys.exit(4)"),
        (
            "os.kill(os.getpid(), 9)",
            "AttemptKilledError Layer A, attempt 1 ended without a result: its process was killed",
        ),
        (
            "os.abort()",
            "AttemptKilledError Layer A, attempt 1 ended without a result: its process was killed by SIGABRT",
        ),
    ],
)
def test_each_end_of_a_process_is_reported_as_what_it_is(program: Any, method: str, what: str, said: str) -> None:
    program.write(
        f"""
        import os, sys
        from laminar import Flow, Layer
        from laminar.configurations import executors

        class F(Flow): ...

        @F.register
        class A(Layer):
            def __call__(self):
                {what}

        if flow := F(executor=executors.Process(method=os.environ["METHOD"])):
            try:
                flow()
            except Exception as error:
                print(type(error).__name__, error)
        """
    )
    assert program.run(METHOD=method).stdout.startswith(said)


def test_a_time_out_kills_the_whole_tree_of_a_process(program: Any, method: str) -> None:
    program.write(
        """
        import os, subprocess, sys, time
        from laminar import Flow, Layer
        from laminar.configurations import executors, layers, schedulers

        class F(Flow): ...

        @F.register(timeout=layers.Timeout(float(os.environ["SECONDS"])))
        class A(Layer):
            def __call__(self):
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
                with open("journal", "a") as file:
                    file.write(f"{child.pid}\\n")
                time.sleep(600)

        if flow := F(executor=executors.Process(method=os.environ["METHOD"]), scheduler=schedulers.Scheduler(grace=0)):
            try:
                flow()
            except TimeoutError as error:
                print(type(error).__name__)
        """
    )
    for seconds in ("1", "5", "30"):  # a machine that is busy may need more than one to get so far
        assert program.run(METHOD=method, SECONDS=seconds).stdout == "AttemptTimeoutError\n"
        if program.journal():
            break
    (child,) = map(int, program.journal())
    with pytest.raises(OSError):  # noqa: PT011
        _stat_of(child)


@pytest.mark.parametrize("attempts", ["1", "3"])
def test_what_a_stopped_split_raises_is_no_failure_and_not_tried_again(
    program: Any, method: str, attempts: str
) -> None:
    program.write(
        """
        import os, signal, time
        from laminar import Flow, Layer
        from laminar.configurations import executors, layers, schedulers

        class F(Flow): ...

        def wait_for(name):
            while not os.path.exists(name):
                time.sleep(0.01)

        @F.register
        class A(Layer):
            def __call__(self):
                wait_for("running")
                raise KeyError("first")

        @F.register(retry=layers.Retry(attempts=int(os.environ["ATTEMPTS"]), delay=0))
        class B(Layer):
            def __call__(self):
                def stop(number, frame):
                    raise ValueError("told to stop")

                signal.signal(signal.SIGTERM, stop)
                with open("journal", "a") as file:
                    file.write(f"{self.attempt}\\n")
                open("running", "w").close()
                wait_for("never")

        executor = executors.Process(concurrency=2, method=os.environ["METHOD"])
        if flow := F(executor=executor, scheduler=schedulers.Scheduler(on_failure="cancel", grace=30)):
            flow()
        """
    )
    done = program.run(METHOD=method, ATTEMPTS=attempts, check=False)
    assert "KeyError: 'first'" in done.stderr
    assert "told to stop" not in done.stderr
    assert program.journal() == ["1"]


def _stat_of(pid: int) -> None:
    """Raise if there is no such process, or only its remains."""
    with open(f"/proc/{pid}/stat") as file:
        if file.read().rpartition(")")[2].split()[0] in "ZX":
            raise OSError


def test_what_a_layer_prints_is_shown_with_its_name_in_front(program: Any, method: str) -> None:
    program.write(
        HEAD
        + """
@F.register
class C(Layer):
    def __call__(self, b: B):
        print("hello from C")
        os.system("echo hello from a child")

if flow := F(executor=executor):
    flow()
"""
    )
    done = program.run(METHOD=method, LAMINAR_QUIET="0")
    assert "C | hello from C\n" in done.stdout
    assert "C | hello from a child\n" in done.stdout
