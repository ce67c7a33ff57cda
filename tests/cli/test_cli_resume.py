"""``laminar resume``."""

from __future__ import annotations

import os
import signal

import pytest


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_run_whose_scheduler_was_killed_goes_on_where_it_was(hello, executor):
    hello.hold("second-2")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "--executor", executor)
    hello.reached("second-2")
    hello.until(lambda: {"second-0", "second-1"} <= set(hello.journal()), "two splits done")
    hello.until(lambda: hello.layers()["Second"]["done"] == 2, "two splits committed")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    hello.release("second-2")
    answer = hello.laminar("resume", "main.py", "one", "-o", "json")
    assert answer.code == 0, answer.err
    assert answer.plain["run"] == "one"
    assert [flow["state"] for flow in answer.plain["flows"]] == ["SUCCEEDED"]
    assert "laminar: keeps 2 splits of Second; runs the others" in answer.err
    assert "Third | total 120\n" in answer.err
    assert sorted(hello.journal()) == ["second-0", "second-1", "second-2"]


def test_what_is_changed_in_a_layer_that_failed_holds_when_its_run_goes_on(hello):
    (hello.folder / "fail-second-1").touch()
    assert hello.python("main.py").code == 1
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", text.replace('reached(f"second-{self.index}")', "pass"))
    answer = hello.laminar("resume", "main.py", hello.newest())
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "Third | total 120")


def test_an_id_may_be_abbreviated(hello):
    (hello.folder / "fail-second-1").touch()
    assert hello.python("main.py").code == 1
    (hello.folder / "fail-second-1").unlink()
    run = hello.newest()
    assert hello.laminar("resume", "main.py", run[:20], "-o", "json").plain["run"] == run


def test_a_run_that_the_file_names_goes_on(hello):
    text = (hello.folder / "main.py").read_text().replace("    flow()", "    flow(execution='mine')")
    hello.write("main.py", text)
    (hello.folder / "fail-second-1").touch()
    assert hello.python("main.py").code == 1
    (hello.folder / "fail-second-1").unlink()
    assert hello.laminar("resume", "main.py", "mine").code == 0
    assert hello.laminar("get", "runs", "-o", "json").plain[0]["state"] == "SUCCEEDED"


def test_a_file_without_a_call_is_resumed_by_the_flow_in_it_that_has_the_run(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", text.replace("if flow := Hello():\n    flow()\n", "class Other(Flow): ...\n"))
    (hello.folder / "fail-second-1").touch()
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one").code == 1
    (hello.folder / "fail-second-1").unlink()
    answer = hello.laminar("resume", "main.py", "one", "-o", "json")
    assert answer.code == 0, answer.err
    assert [flow["flow"] for flow in answer.plain["flows"]] == ["Hello"]
    assert answer.plain["flows"][0]["state"] == "SUCCEEDED"


def test_a_run_that_fails_again_exits_with_1(hello):
    (hello.folder / "fail-second-1").touch()
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one").code == 1
    answer = hello.laminar("resume", "main.py", "one", "-o", "json")
    assert (answer.code, answer.plain["flows"][0]["state"]) == (1, "FAILED")
    assert answer.err.count("Traceback") == 1
    assert "laminar: resume with: laminar resume main.py one\n" in answer.err


def test_a_run_that_is_finished_is_kept_whole(hello):
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one").code == 0
    before = hello.journal()
    answer = hello.laminar("resume", "main.py", "one")
    assert (answer.code, answer.out) == (0, "")
    assert "laminar: keeps: First, Second, Third\n" in answer.err
    assert hello.journal() == before


def test_an_unknown_run_is_told_with_the_nearest(hello):
    assert hello.laminar("run", "main.py", "Hello", "--execution", "nightly", "-q").code == 0
    answer = hello.laminar("resume", "main.py", "nigthly")
    assert answer == (
        2,
        "",
        "laminar: No flow of main.py has a run 'nigthly'. Did you mean 'nightly'?\n",
    )


def test_an_unknown_run_is_told_also_where_the_file_then_fails_for_want_of_results(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", text.replace("    flow()", "    print(flow().layer(Third).total)"))
    assert hello.python("main.py", LAMINAR_QUIET="1").out == "120\n"
    answer = hello.laminar("resume", "main.py", "never")
    assert answer.code == 2
    assert "No flow of main.py has a run 'never'." in answer.err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("man.py", None, "There is no file man.py. Did you mean 'main.py'?"),
        ("empty.py", "x = 1\n", "empty.py defines no flow, so it has no run to go on with."),
        ("bad.py", "1 / 0\n", "ZeroDivisionError: division by zero"),
        ("worse.py", "def broken(:\n", "SyntaxError: invalid syntax"),
    ],
)
def test_a_file_with_nothing_to_resume_exits_with_2(hello, name, text, said):
    if text is not None:
        hello.write(name, text)
    answer = hello.laminar("resume", name, "one")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_the_file_is_executed_as_python_would_with_its_arguments_and_what_follows_the_run(shell):
    shell.write("beside.py", "WORD = 'beside'\n")
    shell.write(
        "main.py",
        """
        import sys
        from beside import WORD
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                self.value = WORD

        if __name__ == "__main__":
            print(__name__, __file__, sys.argv)
            if flow := F():
                print(flow(execution="one").layer(Here).value)
            sys.exit(len(sys.argv) - 1)
        """,
    )
    path = str(shell.folder / "main.py")
    plain = shell.python(path, "--x", "1", LAMINAR_QUIET="1", LAMINAR_EXECUTOR="thread")
    answer = shell.laminar("resume", "-q", "main.py", "one", "--", "--x", "1")
    assert plain == (2, f"__main__ {path} {[path, '--x', '1']}\nbeside\n", "")
    assert answer == plain


def test_a_file_that_fails_after_its_run_shows_its_own_traceback_and_exits_with_1(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", text.replace("    flow()", "    flow()\n    raise KeyError('after all')"))
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one").code == 0
    answer = hello.laminar("resume", "main.py", "one", "-q")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines()[-1] == "KeyError: 'after all'"
    assert f'  File "{hello.folder}/main.py", line ' in answer.err


CHAIN = """
    from pathlib import Path

    from laminar import Flow, Layer, Parameters


    class One(Flow): ...


    @One.register
    class First(Layer):
        def __call__(self) -> None:
            if Path("fail-one").exists():
                raise ValueError("one")
            self.value = 2
            open("journal", "a").write("first\\n")


    class Two(Flow): ...


    @Two.register
    class Second(Layer):
        def __call__(self, parameters: Parameters) -> None:
            if Path("fail-two").exists():
                raise ValueError("two")
            self.value = parameters.value + 1
            open("journal", "a").write("second\\n")


    class Three(Flow): ...


    @Three.register
    class Third(Layer):
        def __call__(self, parameters: Parameters) -> None:
            print(parameters.value)


    if one := One():
        one().next(
            flow=Two(), linker=lambda execution: Parameters(value=execution.layer(First).value)
        ).next(
            flow=Three(), linker=lambda execution: Parameters(value=execution.layer(Second).value)
        )
"""


@pytest.mark.parametrize("failing", ["one", "two"])
def test_a_chain_goes_on_in_the_flow_where_it_stopped_and_then_with_the_next(shell, failing):
    shell.write("main.py", CHAIN)
    (shell.folder / f"fail-{failing}").touch()
    assert shell.python("main.py").code == 1
    (shell.folder / f"fail-{failing}").unlink()
    run = shell.newest()
    answer = shell.laminar("resume", "main.py", run, "-o", "json")
    assert answer.code == 0
    assert [(flow["flow"], flow["state"]) for flow in answer.plain["flows"]] == [
        ("One", "SUCCEEDED"),
        ("Two", "SUCCEEDED"),
        ("Three", "SUCCEEDED"),
    ]
    assert shell.journal() == ["first", "second"]
    assert "Third | 3\n" in answer.err
    parts = shell.laminar("get", "run", run, "-o", "json").plain["flows"]
    assert [part["flow"] for part in parts] == ["One", "Two", "Three"]


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_values_of_classes_that_the_file_defines_come_back_in_a_run_that_the_command_line_began(shell, executor):
    shell.write(
        "main.py",
        """
        from pathlib import Path

        from laminar import Flow, Layer
        from laminar.configurations import hooks

        class Row:
            def __init__(self, number):
                self.number = number

        class F(Flow): ...

        @F.register
        class Make(Layer):
            def __call__(self):
                self.row = Row(3)
                open("journal", "a").write("made\\n")

        @F.register
        class Use(Layer):
            @hooks.entry
            def look(self, make: Make):
                return isinstance(make.row, Row)

            def __call__(self, make: Make):
                if Path("fail").exists():
                    raise ValueError("not yet")
                print(isinstance(make.row, Row), make.row.number)

        if flow := F():
            flow()
        """,
    )
    (shell.folder / "fail").touch()
    assert shell.laminar("run", "main.py", "F", "--execution", "one", "--executor", executor).code == 1
    (shell.folder / "fail").unlink()
    answer = shell.laminar("resume", "main.py", "one", LAMINAR_EXECUTOR=executor)
    assert (answer.code, answer.out) == (0, "Use | True 3\n")
    assert shell.journal() == ["made"]
    assert len(shell.laminar("get", "runs", "-o", "json").plain) == 1


def test_a_script_keeps_its_own_future_imports_in_the_processes_of_its_layers(shell):
    shell.write(
        "main.py",
        """
        from laminar import Flow, Layer

        class Typed:
            number: int

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                print(Typed.__annotations__)

        if flow := F():
            flow()
        """,
    )
    assert shell.python("main.py").out == "Here | {'number': <class 'int'>}\n"


def test_a_script_may_end_by_sys_exit(shell):
    shell.write(
        "main.py",
        """
        import sys
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                print("here")

        def main():
            if flow := F():
                flow(execution="one")

        if __name__ == "__main__":
            sys.exit(main())
        """,
    )
    answer = shell.python("main.py")
    assert (answer.code, answer.out) == (0, "Here | here\n")
    assert shell.laminar("resume", "main.py", "one", "-o", "json").plain["flows"][0]["state"] == "SUCCEEDED"


def test_a_run_of_the_same_id_in_another_place_is_left_alone(hello):
    (hello.folder / "fail-second-2").touch()
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one", "-q").code == 1
    (hello.folder / "fail-second-2").unlink()
    hello.hold("second-0")
    other = hello.start("run", "main.py", "Hello", "--execution", "one", "--datastore", "other")
    hello.reached("second-0")
    assert hello.laminar("resume", "main.py", "one").code == 0
    hello.release("second-0")
    _, err = other.communicate()
    assert other.returncode == 0, err


FLOW = """
    from pathlib import Path
    from laminar import Flow, Layer

    class F(Flow): ...

    @F.register
    class Here(Layer):
        def __call__(self):
            if Path("fail").exists():
                raise ValueError("not yet")
            print("here")
"""
CALL = """
    from laminar.configurations.datastores import Local

    if flow := F(datastore=Local(root="elsewhere")):
        flow()
"""


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({"main.py": FLOW + CALL}, ["python", "main.py"]),
        ({"main.py": FLOW + CALL}, ["laminar", "run", "main.py", "F"]),
        ({"a b/it's.py": FLOW + CALL}, ["python", "a b/it's.py"]),
        ({"mine.py": FLOW, "main.py": "    from mine import F" + CALL}, ["python", "main.py"]),
        ({"mine.py": FLOW, "main.py": "    from mine import F" + CALL}, ["laminar", "run", "main.py", "F"]),
        ({"own/__init__.py": "", "own/main.py": FLOW + CALL}, ["python", "-m", "own.main"]),
        (
            {"own/__init__.py": "", "own/mine.py": FLOW, "own/__main__.py": "    from .mine import F" + CALL},
            ["python", "-m", "own"],
        ),
    ],
)
def test_the_command_that_a_failed_run_names_goes_on_with_it(shell, files, start):
    for name, text in files.items():
        shell.write(name, text)
    (shell.folder / "fail").touch()
    program, *arguments = start
    failed = (shell.python if program == "python" else shell.laminar)(*arguments)
    assert failed.code == 1
    command = next(line for line in failed.err.splitlines() if line.startswith("laminar: resume with: "))
    command = command.removeprefix("laminar: resume with: laminar ")
    (shell.folder / "fail").unlink()
    answer = shell.laminar("-c", f"{shell.program} {command}", program="/bin/sh")
    assert (answer.code, answer.out) == (0, "Here | here\n"), answer.err


def test_the_command_that_get_names_for_a_run_whose_scheduler_died_goes_on_with_it(shell):
    die = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"  # on threads, that is the scheduler
    shell.write("own/__init__.py", "")
    shell.write("own/mine.py", FLOW.replace('raise ValueError("not yet")', die))
    shell.write("own/__main__.py", "    from .mine import F" + CALL)
    (shell.folder / "fail").touch()
    assert shell.python("-m", "own", LAMINAR_EXECUTOR="thread", LAMINAR_QUIET="1").code == -9
    (shell.folder / "fail").unlink()
    run = shell.laminar("get", "runs", "--root", "elsewhere", "-o", "json").plain[0]["run"]
    out = shell.laminar("get", "run", run, "--root", "elsewhere").out
    assert f"died. Go on with: laminar resume -m own {run}\n" in out
    assert shell.laminar("resume", "-m", "own", run).out == "Here | here\n"
