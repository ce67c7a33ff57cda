"""``laminar run``."""

from __future__ import annotations

import signal

import pytest

PARAMETERS = """
    from laminar import Flow, Layer, Parameters


    class Told(Flow): ...


    @Told.register
    class Show(Layer):
        def __call__(self, parameters: Parameters) -> None:
            print(repr(parameters.value))


    Told()()
"""


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (["--value", "3"], "3"),
        (["--value", "-0.5"], "-0.5"),
        (["--value=1e3"], "1000.0"),
        (["--value", "true"], "True"),
        (["--value", "null"], "None"),
        (["--value", '{"a": [1, "x"]}'], "{'a': [1, 'x']}"),
        (["--value", '"3"'], "'3'"),
        (["--value", "three"], "'three'"),
        (["--value", "NaN"], "'NaN'"),
        (["--value", "-Infinity"], "'-Infinity'"),
        (["--value", "[1,"], "'[1,'"),
        (["--value", "[" * 100_000], repr("[" * 100_000)),
        (["--value", ""], "''"),
        (["--value="], "''"),
        (["--value=--x"], "'--x'"),
        (["--value", "a b=c"], "'a b=c'"),
        (["--", "--value", "3"], "3"),
    ],
)
def test_parameters_are_json_or_else_text(shell, given, got):
    shell.write("main.py", PARAMETERS)
    answer = shell.laminar("run", "main.py", "Told", "--executor", "thread", *given)
    assert (answer.code, answer.out) == (0, f"Show | {got}\n")


def test_hyphens_in_the_name_of_a_parameter_are_underscores(shell):
    shell.write("main.py", PARAMETERS.replace("parameters.value", "parameters.learning_rate"))
    assert shell.laminar("run", "main.py", "Told", "--learning-rate", "0.1").out == "Show | 0.1\n"


def test_what_follows_two_hyphens_is_a_parameter_even_if_laminar_has_an_option_of_that_name(shell):
    shell.write("main.py", PARAMETERS.replace("parameters.value", "(parameters.output, parameters.quiet)"))
    answer = shell.laminar("run", "main.py", "Told", "-o", "json", "--", "--output", "x", "--quiet=1")
    assert answer.code == 0
    assert "Show | ('x', 1)" in answer.err


def test_a_parameter_named_version_comes_after_the_file(shell):
    shell.write("main.py", PARAMETERS.replace("parameters.value", "parameters.version"))
    assert shell.laminar("run", "main.py", "Told", "--version", "2").out == "Show | 2\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--a"], "The parameter --a has no value. Write: --a value, or --a=value"),
        (["--a", "--b", "1"], "The parameter --a has no value."),
        (["--a", "1", "--a", "2"], "The parameter --a was given twice."),
        (["--a-b", "1", "--a_b", "2"], "The parameter --a_b was given twice."),
        (["--1st", "1"], "--1st cannot be a parameter: '1st' is no name in Python."),
        (["--exection", "x"], "Did you mean --execution? If --exection is a parameter of the flow, give it behind --"),
        (["--", "x"], "'x' is no parameter. Write: --name value"),
        (["--index", "x"], "the name 'index' is laminar's own"),
        (["--resume", "--a", "1"], "A resumed run keeps its parameters; a cannot be given to it."),
        (["--executor", "thraed"], "--executor thraed is no executor. Did you mean 'thread'?"),
        (["--datastore", "ftp://x"], "expects a folder"),
        (["--execution", "a/b"], "'a/b' is no id of an execution"),
    ],
)
def test_wrong_options_are_explained_before_anything_runs(hello, given, said):
    answer = hello.laminar("run", "main.py", "Hello", *given)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert hello.journal() == []
    assert not (hello.folder / ".laminar").exists()


def test_the_display_and_the_answer_go_apart(hello):
    answer = hello.laminar("run", "main.py", "Hello", "--execution", "one")
    lines = sorted(answer.out.splitlines())
    assert lines == [
        "First | first speaks",
        "Second[0] | second has 10",
        "Second[1] | second has 20",
        "Second[2] | second has 30",
        "Third | total 120",
    ]
    said = answer.err.splitlines()
    assert said[0] == "laminar: Hello one starts (3 layers)"
    assert said[-2].startswith("laminar: Hello one SUCCEEDED in ")
    assert said[-1] == f"laminar: results: {hello.folder / '.laminar'}"


def test_json_is_all_that_standard_output_holds(hello):
    answer = hello.laminar("run", "main.py", "Hello", "--execution", "one", "--output", "json")
    flow = answer.plain["flows"][0]
    assert answer.code == 0
    assert answer.plain["run"] == "one"
    assert (flow["flow"], flow["state"], flow["error"]) == ("Hello", "SUCCEEDED", None)
    assert flow["seconds"] == flow["ended"] - flow["started"] > 0
    assert flow["results"] == str(hello.folder / ".laminar")
    assert "Third | total 120" in answer.err


def test_quiet_prints_nothing_but_the_answer(hello):
    assert hello.laminar("run", "main.py", "Hello", "--quiet") == (0, "", "")
    assert hello.laminar("run", "main.py", "Hello", LAMINAR_QUIET="1") == (0, "", "")
    answer = hello.laminar("-q", "run", "main.py", "Hello", "-o", "json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.plain["flows"][0]["state"] == "SUCCEEDED"


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_failed_run_exits_with_1_and_shows_the_users_traceback_once(hello, executor):
    (hello.folder / "fail-second-1").touch()
    answer = hello.laminar("run", "main.py", "Hello", "--execution", "one", "--executor", executor)
    assert answer.code == 1
    assert "laminar: failed: layer Second, split 1 of 3, it was the only attempt\n" in answer.err
    assert "laminar:   ValueError: told to fail at second-1\n" in answer.err
    assert "laminar: resume with: laminar resume main.py one\n" in answer.err
    assert answer.err.count("Traceback") == 1
    trace = answer.err[answer.err.index("laminar: Raised in ") :].splitlines()
    assert trace[0] == "laminar: Raised in layer Second, split 1 of 3, attempt 1:"
    lines = (hello.folder / "main.py").read_text().splitlines()
    call = next(number for number, line in enumerate(lines, 1) if "reached(f" in line)
    assert trace[2] == f'  File "{hello.folder}/main.py", line {call}, in __call__'
    assert trace[-1] == "ValueError: told to fail at second-1"


def test_a_failed_run_says_in_json_what_failed(hello):
    (hello.folder / "fail-second-1").touch()
    answer = hello.laminar("run", "main.py", "Hello", "-q", "-o", "json")
    flow = answer.plain["flows"][0]
    assert (answer.code, flow["state"]) == (1, "FAILED")
    assert (flow["error"]["layer"], flow["error"]["index"]) == ("Second", 1)
    assert flow["error"]["exception"] == "ValueError: told to fail at second-1"
    assert flow["error"]["traceback"].startswith("Traceback")


def test_a_quiet_run_that_fails_still_says_how_and_how_to_resume(hello):
    (hello.folder / "fail-second-1").touch()
    answer = hello.laminar("run", "main.py", "Hello", "-q", "--execution", "one")
    assert (answer.code, answer.out) == (1, "")
    lines = answer.err.splitlines()
    assert lines[0] == "laminar: Raised in layer Second, split 1 of 3, attempt 1:"
    assert lines[-2:] == ["ValueError: told to fail at second-1", "Resume with: laminar resume main.py one"]


def test_a_flow_that_is_quiet_by_itself_still_says_how_it_failed(hello):
    text = (hello.folder / "main.py").read_text()
    quiet = "from laminar.configurations import schedulers as s\nif flow := Hello(scheduler=s.Scheduler(quiet=True)):"
    hello.write("main.py", text.replace("if flow := Hello():", quiet))
    (hello.folder / "fail-second-1").touch()
    answer = hello.laminar("run", "main.py", "Hello")
    assert (answer.code, answer.out) == (1, "")
    assert "ValueError: told to fail at second-1" in answer.err
    assert "Resume with: laminar resume main.py " in answer.err


def test_a_layer_whose_process_dies_is_a_failed_run_without_a_traceback(shell):
    shell.write(
        "main.py",
        """
        import os, signal
        from laminar import Flow, Layer

        class Dies(Flow): ...

        @Dies.register
        class Here(Layer):
            def __call__(self):
                os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    loud = shell.laminar("run", "main.py", "Dies")
    quiet = shell.laminar("run", "main.py", "Dies", "-q")
    for answer in (loud, quiet):
        assert answer.code == 1
        assert answer.err.count("its process was killed by SIGKILL") == 1
        assert "Traceback" not in answer.err


@pytest.mark.parametrize("more", [[], ["-q"]])
def test_a_hook_that_raises_is_shown_with_its_own_traceback_once(shell, more):
    shell.write(
        "main.py",
        """
        from laminar import Flow, Layer
        from laminar.configurations import hooks

        class Hooked(Flow): ...

        def fails():
            raise KeyError("in a hook")

        @Hooked.register
        class Here(Layer):
            @hooks.entry
            def decide(self):
                return fails()

            def __call__(self): ...
        """,
    )
    answer = shell.laminar("run", "main.py", "Hooked", *more)
    assert answer.code == 1
    assert answer.err.count("Traceback") == 1
    assert f'  File "{shell.folder}/main.py", line 14, in decide\n' in answer.err
    assert f'  File "{shell.folder}/main.py", line 8, in fails\n' in answer.err
    assert answer.err.lower().count("resume with: laminar resume main.py") == 1


def test_what_steers_a_terminal_is_taken_out_of_names_lines_and_errors(shell):
    shell.write(
        "main.py",
        r"""
        from laminar import Flow, Layer

        class Rude(Flow): ...

        @Rude.register
        class Here(Layer):
            def __call__(self):
                print("a\x1b[2Jb\x07c\x9b1md\x1b]0;title\x07e")
                raise ValueError("x\x1b[31my\rz")
        """,
    )
    answer = shell.laminar("run", "main.py", "Rude")
    assert answer.out == "Here | ab c 1mde\n"
    assert "ValueError: xy" in answer.err
    assert not set(answer.out + answer.err) & {"\x1b", "\x07", "\x9b", "\r"}


# The file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("man.py", "laminar: There is no file man.py. Did you mean 'main.py'?"),
        ("nowhere/main.py", "laminar: There is no folder {folder}/nowhere, so no file nowhere/main.py."),
        (".", "laminar: . is a folder. Name the Python file that defines what is to run."),
    ],
)
def test_a_file_that_is_not_there_is_told_with_the_nearest(hello, name, said):
    answer = hello.laminar("run", name, "Hello")
    assert answer == (2, "", f"{said.format(folder=hello.folder)}\n")


def test_a_flow_that_the_file_does_not_define_is_told_with_the_nearest(hello):
    answer = hello.laminar("run", "main.py", "Helo")
    assert answer == (2, "", "laminar: main.py has no flow 'Helo'. Did you mean 'Hello'?\n")


def test_a_file_that_raises_shows_its_own_traceback_and_exits_with_2(shell):
    shell.write("deep.py", 'def fall():\n    raise ValueError("no such thing")\n')
    shell.write("main.py", "import deep\n\n\ndeep.fall()\n")
    answer = shell.laminar("run", "main.py", "Hello")
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert lines[:3] == [
        "laminar: main.py could not be imported:",
        "Traceback (most recent call last):",
        f'  File "{shell.folder}/main.py", line 4, in <module>',
    ]
    assert lines[-1] == "ValueError: no such thing"
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{shell.folder}/main.py", line 4, in <module>',
        f'  File "{shell.folder}/deep.py", line 2, in fall',
    ]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit('not now')\n", "SystemExit: not now"),
        ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (
            "from laminar import Flow\nclass F(Flow): ...\nF.register(3)\n",
            "laminar.errors.FlowError: F.register expects a subclass of Layer, got 3.",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_exits_with_2(shell, text, last):
    shell.write("main.py", text)
    answer = shell.laminar("run", "main.py", "F")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("laminar: main.py could not be imported:\n")
    assert f'File "{shell.folder}/main.py", line ' in answer.err
    assert answer.err.splitlines()[-1] == last


@pytest.mark.parametrize("name", ["queue.py", "click.py"])
def test_a_file_that_bears_the_name_of_a_module_in_use_is_refused(shell, name):
    shell.write(name)
    answer = shell.laminar("run", name, "Hello")
    assert answer.code == 2
    assert f"{name} bears the name of a module that Python or laminar uses" in answer.err


@pytest.mark.parametrize("name", ["main.txt", "main.v2.py"])
def test_a_file_that_no_process_could_import_is_refused(shell, name):
    shell.write(name)
    answer = shell.laminar("run", name, "Hello")
    said = f"laminar: {name} cannot be imported by other processes. Name it like main.py.\n"
    assert answer == (2, "", said)


def test_a_file_may_bear_a_hyphen_and_lie_elsewhere_with_its_neighbours(shell):
    shell.write("sub/my-flow.py", "from neighbour import *\n")
    shell.write("sub/neighbour.py")
    answer = shell.laminar("run", "sub/my-flow.py", "Hello")
    assert (answer.code, len(answer.out.splitlines())) == (0, 5)


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_what_the_file_itself_would_run_is_not_run(shell, executor):
    shell.write(
        "main.py",
        """
        import sys
        from laminar import Flow, Layer

        class Other(Flow): ...

        @Other.register
        class Never(Layer):
            def __call__(self):
                print("the other flow runs")

        class Mine(Flow): ...

        @Mine.register
        class Here(Layer):
            def __call__(self):
                self.value = 3
                print("here", __name__, sys.argv[1:])

        Other()()
        execution = Mine()()
        print(execution.layer(Here).value + 1)
        if __name__ == "__main__":
            print("the main part runs")
        """,
    )
    answer = shell.laminar("run", "main.py", "Mine", "--executor", executor)
    assert (answer.code, answer.out) == (0, "Here | here main []\n")


def test_the_configuration_that_the_file_gives_its_flow_holds(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write(
        "main.py",
        text.replace(
            "if flow := Hello():",
            "from laminar.configurations.datastores import Local\n"
            "from laminar.configurations.executors import Thread\n"
            "if flow := Hello(datastore=Local(root='kept'), executor=Thread(concurrency=1)):",
        ),
    )
    answer = hello.laminar("run", "main.py", "Hello")
    assert answer.err.splitlines()[-1] == f"laminar: results: {hello.folder / 'kept'}"
    other = hello.laminar("run", "main.py", "Hello", "--datastore", "other")
    assert other.err.splitlines()[-1] == f"laminar: results: {hello.folder / 'other'}"
    assert len(hello.laminar("get", "runs", "--root", "kept", "-o", "json").plain) == 1
    assert len(hello.laminar("get", "runs", "--root", "other", "-o", "json").plain) == 1


def test_root_is_another_name_for_datastore(hello):
    answer = hello.laminar("run", "main.py", "Hello", "--root", "kept")
    assert answer.err.splitlines()[-1] == f"laminar: results: {hello.folder / 'kept'}"


def test_parts_that_cannot_work_together_are_refused(hello):
    text = (hello.folder / "main.py").read_text()
    given = (
        "from laminar.configurations.datastores import Memory\n"
        "from laminar.configurations.executors import Thread\n"
        "if flow := Hello(datastore=Memory(), executor=Thread()):"
    )
    hello.write("main.py", text.replace("if flow := Hello():", given))
    assert hello.laminar("run", "main.py", "Hello").code == 0
    answer = hello.laminar("run", "main.py", "Hello", "--executor", "process")
    assert answer.code == 2
    assert "Memory() cannot be seen from other processes" in answer.err


def test_a_flow_without_layers_is_refused_before_anything_runs(shell):
    shell.write("main.py", "from laminar import Flow\n\n\nclass Empty(Flow): ...\n")
    answer = shell.laminar("run", "main.py", "Empty")
    said = "laminar: Flow Empty has no layers. Register one: @Empty.register above a class of Layer.\n"
    assert answer == (2, "", said)


def test_a_datastore_that_cannot_be_written_is_told_with_the_reason(hello):
    (hello.folder / "taken").touch()
    answer = hello.laminar("run", "main.py", "Hello", "--datastore", "taken/root")
    assert answer.code == 1
    assert f"laminar: The datastore at {hello.folder}/taken/root cannot be written: Not a directory." in answer.err
    assert hello.journal() == []


def test_an_id_that_is_taken_is_refused(hello):
    assert hello.laminar("run", "main.py", "Hello", "--execution", "one").code == 0
    answer = hello.laminar("run", "main.py", "Hello", "--execution", "one")
    assert (answer.code, answer.out) == (2, "")
    assert "Run one of Hello exists already" in answer.err


def test_a_run_that_another_scheduler_drives_is_refused_and_says_who_does(hello):
    hello.hold("second-0")
    holder = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    answer = hello.laminar("run", "main.py", "Hello", "--execution", "one", "--resume")
    assert (answer.code, answer.out) == (1, "")
    assert f"Run one of Hello is held by process {holder.pid} on " in answer.err
    hello.release("second-0")
    holder.communicate()
    assert holder.returncode == 0


# Going on


def test_resume_goes_on_with_the_newest_run_that_is_not_finished(hello):
    (hello.folder / "fail-second-1").touch()
    assert hello.laminar("run", "main.py", "Hello", "--execution", "old").code == 1
    assert hello.laminar("run", "main.py", "Hello", "--execution", "new").code == 1
    (hello.folder / "fail-second-1").unlink()
    assert hello.laminar("run", "main.py", "Hello", "--execution", "done").code == 0
    before = len(hello.journal())
    answer = hello.laminar("run", "main.py", "Hello", "--resume", "-o", "json")
    assert (answer.code, answer.plain["run"], answer.plain["flows"][0]["state"]) == (0, "new", "SUCCEEDED")
    assert "laminar: keeps: First\n" in answer.err
    assert "second-1" in hello.journal()[before:]
    assert "second-0" not in hello.journal()[before:]


def test_resume_goes_on_with_the_run_that_is_named(hello):
    (hello.folder / "fail-second-1").touch()
    for name in ("old", "new"):
        hello.laminar("run", "main.py", "Hello", "--execution", name)
    (hello.folder / "fail-second-1").unlink()
    named = hello.laminar("run", "main.py", "Hello", "--resume", "--execution", "old", "-o", "json")
    assert named.plain["run"] == "old"
    answer = hello.laminar("run", "main.py", "Hello", "--resume", "--execution", "odl")
    assert answer.code == 2
    assert "Flow Hello has no execution 'odl'" in answer.err
    assert "Did you mean 'old'?" in answer.err


def test_resume_says_if_there_is_nothing_to_go_on_with(hello):
    never = hello.laminar("run", "main.py", "Hello", "--resume")
    root = hello.folder / ".laminar"
    assert never == (2, "", f"laminar: Flow Hello has no run in {root} to go on with. Run it without --resume.\n")
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    before = hello.journal()
    answer = hello.laminar("run", "main.py", "Hello", "--resume")
    assert answer == (0, "", f"laminar: Flow Hello has no unfinished run in {root}; the newest is one.\n")
    assert hello.laminar("run", "main.py", "Hello", "--resume", "-q", "-o", "json").plain["run"] == "one"
    assert hello.journal() == before


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_interrupt_stops_the_run_exits_with_130_and_tells_how_to_resume(hello, executor):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "--executor", executor)
    hello.reached("second-0")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate()
    assert run.returncode == 130
    assert "first speaks" in out
    assert "laminar: resume with: laminar resume main.py one\n" in err
    assert "Traceback" not in err
    hello.release("second-0")
    assert hello.laminar("resume", "main.py", "one").code == 0


def test_termination_is_a_stopped_run(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "-q")
    hello.reached("second-0")
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate()
    assert (run.returncode, out) == (1, "")
    assert "was stopped: SIGTERM was received. Resume with: laminar resume main.py " in err


@pytest.mark.parametrize("arguments", [["get", "runs"], ["get", "run", "one"], ["logs", "one"]])
def test_a_reader_that_leaves_early_is_no_error_to_speak_of(hello, arguments):
    hello.laminar("run", "main.py", "Hello", "--execution", "one", "-q")
    program = (
        "import subprocess, sys\n"
        "reader = subprocess.Popen(['true'], stdin=subprocess.PIPE); reader.wait()\n"
        "sys.exit(subprocess.run(sys.argv[1:], stdout=reader.stdin).returncode)\n"
    )
    assert hello.python("-c", program, hello.program, *arguments) == (1, "", "")
