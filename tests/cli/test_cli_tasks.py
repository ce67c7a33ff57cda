"""``laminar run`` and ``laminar resume`` with tasks."""

from __future__ import annotations

import signal

import pytest

TASKS = """
    import asyncio
    import enum
    import os
    import sys
    import time
    from dataclasses import dataclass
    from pathlib import Path

    import laminar

    env = laminar.TaskEnvironment("etl")
    other = laminar.TaskEnvironment("other")


    class Color(enum.Enum):
        RED = 1
        BLUE = 2


    @dataclass
    class Point:
        x: int
        y: int


    def reached(place):
        if Path(f"hold-{place}").exists():
            Path(f"at-{place}").touch()
            while Path(f"hold-{place}").exists():
                time.sleep(0.01)
        with open("journal", "a") as journal:
            journal.write(f"{place}\\n")
        if Path(f"fail-{place}").exists():
            raise ValueError(f"told to fail at {place}")


    @env.task
    def square(n: int) -> int:
        print(f"square has {n}")
        reached(f"square-{n}")
        return n * n


    @env.task(short_name="sum")
    async def total(count: int = 3) -> int:
        \"\"\"Adds squares.

        Args:
            count: How many of them.
        \"\"\"
        with laminar.group("squares"):
            squares = [await square(n) for n in range(count)]
        reached("total")
        return sum(squares)


    @env.task
    def show(
        input_path: str,
        fast: bool = False,
        safe: bool = True,
        sizes: list[int] = [],
        point: Point = Point(0, 0),
        color: Color = Color.RED,
        rate: float = 0.5,
        limit: int | None = None,
        name: str = "World",
        output: str = "screen",
    ) -> None:
        print(repr((input_path, fast, safe, sizes, point, color.name, rate, limit, name, output)))


    @other.task
    def variable(name: str) -> str | None:
        return os.environ.get(name)


    @other.task
    def several() -> tuple[int, Point]:
        return 1, Point(2, 3)


    @other.task(retries=1)
    def flaky() -> int:
        print("tries", file=sys.stderr)
        tried = Path("tried").exists()
        Path("tried").touch()
        if not tried:
            raise OSError("the first time")
        return 7


    if __name__ == "__main__":
        run = laminar.with_runcontext(name="script").run(total, count=3)
        print(run.result())
"""
SHOWN = "('p', False, True, [], Point(x=0, y=0), 'RED', 0.5, None, 'World', 'screen')"


@pytest.fixture
def tasks(shell):
    shell.write("tasks.py", TASKS)
    return shell


def shown(tasks, *words):
    answer = tasks.laminar("run", "--local", "tasks.py", "show", *words)
    assert answer.code == 0, answer.err
    return answer.out


@pytest.mark.parametrize(
    ("given", "old", "new"),
    [
        (["--input_path", "p"], "", ""),
        (["--input-path", "p"], "", ""),
        (["--input-path=p"], "", ""),
        (["--", "--input-path", "p"], "", ""),
        (["--input_path", "p", "--fast"], "'p', False", "'p', True"),
        (["--fast", "--input_path", "p"], "'p', False", "'p', True"),
        (["--input_path", "p", "--fast", "true"], "'p', False", "'p', True"),
        (["--input_path", "p", "--no-safe"], "False, True", "False, False"),
        (["--input_path", "p", "--safe", "no"], "False, True", "False, False"),
        (["--input_path", "p", "--safe=false"], "False, True", "False, False"),
        (["--input_path", "p", "--sizes", "[1, 2]"], "[]", "[1, 2]"),
        (["--input_path", "p", "--point", '{"x": 1, "y": 2}'], "x=0, y=0", "x=1, y=2"),
        (["--input_path", "p", "--color", "BLUE"], "RED", "BLUE"),
        (["--input_path", "p", "--rate", "-1e3"], "0.5", "-1000.0"),
        (["--input_path", "p", "--limit", "-3"], "None", "-3"),
        (["--input_path", "p", "--limit", "null"], "", ""),
        (["--input_path", "3"], "'p'", "'3'"),
        (["--input_path=--x"], "'p'", "'--x'"),
        (["--input_path", ""], "'p'", "''"),
        (["--input_path", "p", "--name", "Bern"], "World", "Bern"),
        (["--input_path", "p", "--output", "paper"], "screen", "paper"),
    ],
)
def test_inputs_are_read_as_their_types_ask_for(tasks, given, old, new):
    assert shown(tasks, *given) == f"etl.show | {SHOWN.replace(old, new, 1)}\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "Task etl.show needs --input_path TEXT (str). Add --help to see all that it takes."),
        (["--input_path"], "--input_path has no value. Write: --input_path value, or --input_path=value"),
        (["--input_path", "p", "--input-path", "q"], "--input_path was given twice."),
        (["--inptu_path", "p"], "has no parameter --inptu_path. Did you mean '--input_path'?"),
        (["--input_path", "p", "--sizes", "[1, two]"], "--sizes expects list[int] as JSON, got '[1, two]' (it is no"),
        (["--input_path", "p", "--sizes", '[1, "x"]'], "at [1], where int is needed"),
        (["--input_path", "p", "--fast", "perhaps"], "--fast expects bool, got 'perhaps' (write true or false)."),
        (["--input_path", "p", "--no-fast", "--fast"], "--fast was given twice."),
        (["--input_path", "p", "--no-rate"], "has no parameter --no-rate."),
        (["--input_path", "p", "--color", "GREEN"], "--color expects one of RED, BLUE, got 'GREEN'"),
        (["--input_path", "p", "--limit", "x"], "--limit expects int | null, got 'x'"),
        (["p"], "'p' stands there without a name. Write: --input_path value"),
        (["--input_path", "p", "--", "--quiet"], "has no parameter --quiet."),
        (["--input_path", "p", "--executor", "thraed"], "--executor thraed is no executor. Did you mean 'thread'?"),
        (["--input_path", "p", "--root", "s3://bucket/x"], "--root s3://bucket/x: the runs of tasks lie in a folder."),
    ],
)
def test_wrong_inputs_are_told_in_one_line_before_anything_runs(tasks, given, said):
    answer = tasks.laminar("run", "--local", "tasks.py", "show", *given)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.startswith("laminar: ")
    assert len(answer.err.splitlines()) == 1
    assert not (tasks.folder / ".laminar").exists()


def test_all_inputs_that_are_missing_are_named(shell):
    shell.write(
        "main.py",
        """
        import laminar

        @laminar.TaskEnvironment("pair").task
        def both(left: int, right: list[str]) -> None: ...
        """,
    )
    answer = shell.laminar("run", "main.py", "both")
    assert answer.code == 2
    assert "Task pair.both needs --left INTEGER (int) and --right JSON (list[str] as JSON)." in answer.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--env", "PLACE"], "'PLACE' is no pair. Write: --env NAME=VALUE"),
        (["--nmae", "x"], "No such option --nmae. Did you mean '--name'"),
        (["--resume"], "--resume is an option for flows, and total is a task."),
    ],
)
def test_wrong_options_of_laminars_own_are_told(tasks, given, said):
    answer = tasks.laminar("run", *given, "tasks.py", "total")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not (tasks.folder / ".laminar").exists()


def test_an_option_of_tasks_is_refused_for_a_flow(shell):
    shell.write("main.py")
    answer = shell.laminar("run", "--overwrite-cache", "main.py", "Hello")
    assert answer.code == 2
    assert "--overwrite-cache is an option for tasks, and Hello is a flow." in answer.err
    assert shell.journal() == []


@pytest.mark.parametrize("name", ["total", "sum", "etl.total"])
def test_a_task_is_found_by_its_variable_its_short_name_or_its_full_name(tasks, name):
    answer = tasks.laminar("run", "--local", "tasks.py", name, "--count", "2")
    assert answer.code == 0
    assert answer.out == "etl.square | square has 0\netl.square | square has 1\n1\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("totla", "tasks.py has no task 'totla'. Did you mean 'total'?"),
        ("elt.total", "tasks.py has no environment 'elt'. Did you mean 'etl'?"),
        ("reached", "reached in tasks.py is neither a task nor a flow. Make a function a task by @env.task."),
        ("etl.totla", "tasks.py has no task 'etl.totla'. Did you mean 'etl.total'?"),
    ],
)
def test_a_task_that_the_file_does_not_define_is_told_with_the_nearest(tasks, name, said):
    assert tasks.laminar("run", "tasks.py", name) == (2, "", f"laminar: {said}\n")


def test_a_short_name_of_several_tasks_is_refused(shell):
    shell.write(
        "main.py",
        """
        import laminar

        @laminar.TaskEnvironment("one").task(short_name="load")
        def first() -> None: ...

        @laminar.TaskEnvironment("two").task(short_name="load")
        def second() -> None: ...
        """,
    )
    answer = shell.laminar("run", "main.py", "load")
    assert answer == (2, "", "laminar: 'load' is short for one.first and two.second. Give the full name.\n")


def test_one_file_may_define_tasks_and_flows(shell):
    shell.write("main.py")
    with (shell.folder / "main.py").open("a") as file:
        file.write("import laminar\n@laminar.TaskEnvironment('e').task\ndef twice(n: int) -> int:\n    return 2 * n\n")
    text = (shell.folder / "main.py").read_text().replace("if flow := Hello():\n    flow()\n", "")
    (shell.folder / "main.py").write_text(text)
    assert shell.laminar("run", "main.py", "twice", "--n", "4").out == "8\n"
    assert shell.laminar("run", "main.py", "Hello", "-q").code == 0
    listed = shell.laminar("run", "main.py", "--help").out
    assert listed.index("Tasks:\n  twice") < listed.index("Flows:\n  Hello")
    wrong = shell.laminar("run", "main.py", "Helo")
    assert wrong.err == "laminar: main.py has no task or flow 'Helo'. Did you mean 'Hello'?\n"


def test_help_describes_the_task_and_its_inputs(tasks):
    answer = tasks.laminar("run", "tasks.py", "total", "--help")
    assert answer.code == 0
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert lines[0] == "Usage: laminar run [OPTIONS] tasks.py total [--INPUT VALUE]..."
    assert "Adds squares." in lines
    assert "--count INTEGER How many of them. (int) [default: 3]" in lines
    assert any(line.startswith("--overwrite-cache") for line in lines)
    of_show = " ".join(tasks.laminar("run", "tasks.py", "show", "-h").out.split())
    assert "--input_path TEXT (str) [required]" in of_show
    assert "--fast / --no-fast [default: false]" in of_show
    assert "--sizes JSON (list[int] as JSON) [default: []]" in of_show
    assert "--color [RED|BLUE] (one of RED, BLUE) [default: RED]" in of_show
    assert not (tasks.folder / ".laminar").exists()


def test_help_without_a_name_lists_what_the_file_defines(tasks):
    answer = tasks.laminar("run", "tasks.py", "--help")
    assert answer.code == 0
    assert "\nTasks:\n  square\n  total     Adds squares.\n" in answer.out
    empty = tasks.folder / "empty.py"
    empty.touch()
    assert "The file defines no task and no flow." in tasks.laminar("run", "empty.py", "-h").out
    unnamed = tasks.laminar("run", "tasks.py")
    assert unnamed.code == 2
    assert "Missing argument 'NAME'. tasks.py defines task square, task total, task show," in unnamed.err


def test_json_is_all_that_standard_output_holds(tasks):
    answer = tasks.laminar("run", "--local", "--name", "one", "-o", "json", "tasks.py", "total")
    plain = answer.plain
    assert (answer.code, plain["run"], plain["task"], plain["status"]) == (0, "one", "etl.total", "SUCCEEDED")
    assert (plain["outputs"], plain["error"]) == ([5], None)
    assert plain["seconds"] == plain["ended"] - plain["started"] > 0
    assert "etl.square | square has 2" in answer.err


def test_results_are_answered_as_json_can_say_them(tasks):
    answer = tasks.laminar("run", "--local", "tasks.py", "several", "-q")
    assert (answer.code, answer.plain) == (0, [1, {"x": 2, "y": 3}])
    plain = tasks.laminar("run", "--local", "tasks.py", "several", "-o", "json").plain
    assert plain["outputs"] == [1, {"x": 2, "y": 3}]
    text = tasks.laminar("run", "--env", "PLACE=here\x1b[31m", "tasks.py", "variable", "--name", "PLACE", "-q")
    assert text.out == "here\n"


def test_a_task_that_returns_nothing_answers_nothing(tasks):
    answer = tasks.laminar("run", "tasks.py", "variable", "--name", "NOT_SET_ANYWHERE", "-q")
    assert answer == (0, "", "")


@pytest.mark.parametrize("executor", [[], ["--executor", "thread"], ["--executor", "process"]])
def test_environment_variables_reach_tasks_wherever_they_run(tasks, executor):
    answer = tasks.laminar("run", *executor, "--env", "PLACE=a=b", "tasks.py", "variable", "--name", "PLACE", "-q")
    assert answer.out == "a=b\n"


def test_a_failed_run_exits_with_1_and_shows_the_users_traceback_once(tasks):
    (tasks.folder / "fail-square-1").touch()
    answer = tasks.laminar("run", "tasks.py", "total", "--name", "one")
    assert (answer.code, answer.out) == (1, "etl.square | square has 0\netl.square | square has 1\n")
    assert answer.err.count("Traceback") == 1
    assert "ValueError: told to fail at square-1" in answer.err
    assert "laminar: resume with: laminar resume tasks.py one\n" in answer.err
    plain = tasks.laminar("run", "tasks.py", "total", "-o", "json").plain
    assert (plain["status"], plain["outputs"]) == ("FAILED", [])
    assert plain["error"]["exception"] == "ValueError: told to fail at square-1"
    assert plain["error"]["traceback"].startswith("Traceback")


def test_a_task_is_tried_again_as_its_settings_say(tasks):
    answer = tasks.laminar("run", "tasks.py", "flaky", "--name", "one")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "7")
    assert "laminar: other.flaky: again in " in answer.err
    why = tasks.laminar("why", "one", "flaky", "-o", "json").plain
    assert [attempt["outcome"] for attempt in why["tries"]] == ["OSError: the first time", "succeeded"]


def test_an_id_that_is_taken_or_wrong_is_refused(tasks):
    assert tasks.laminar("run", "--name", "one", "tasks.py", "total", "-q").code == 0
    taken = tasks.laminar("run", "--name", "one", "tasks.py", "total")
    assert (taken.code, taken.out) == (2, "")
    assert "Run one of etl.total exists already" in taken.err
    assert tasks.laminar("run", "--name", "a/b", "tasks.py", "total").code == 2


def test_a_configured_server_is_passed_by_with_local(tasks):
    away = tasks.laminar("run", "tasks.py", "square", "--n", "2", LAMINAR_SERVER_ENDPOINT="http://localhost:9")
    assert away.code != 0
    assert "http://localhost:9" in away.err
    here = tasks.laminar(
        "run", "--local", "tasks.py", "square", "--n", "2", "-q", LAMINAR_SERVER_ENDPOINT="http://localhost:9"
    )
    assert (here.code, here.out) == (0, "4\n")


def test_what_the_file_prints_while_it_is_loaded_is_no_answer(shell):
    shell.write(
        "main.py",
        """
        import laminar

        print("loading")

        @laminar.TaskEnvironment("e").task
        def one() -> int:
            return 1

        print(laminar.run(one).result() + 100)
        """,
    )
    answer = shell.laminar("run", "main.py", "one", "-o", "json")
    assert (answer.code, answer.plain["outputs"]) == (0, [1])
    assert "loading" in answer.err
    assert "never" not in answer.out + answer.err


# Going on


@pytest.mark.parametrize("executor", [[], ["--executor", "process"]])
def test_a_failed_run_goes_on_where_it_failed_and_as_it_was_begun(tasks, executor):
    (tasks.folder / "fail-square-1").touch()
    begun = tasks.laminar("run", *executor, "--name", "one", "tasks.py", "total", "-q")
    assert begun.code == 1
    (tasks.folder / "fail-square-1").unlink()
    answer = tasks.laminar("resume", "tasks.py", "on", "-o", "json")
    assert (answer.code, answer.plain["run"], answer.plain["outputs"]) == (0, "one", [5])
    assert tasks.journal() == ["square-0", "square-1", "square-1", "square-2", "total"]


def test_a_resumed_run_keeps_its_environment_variables(shell):
    shell.write(
        "main.py",
        """
        import os
        import laminar

        @laminar.TaskEnvironment("e").task
        def place() -> str:
            if not os.path.exists("ready"):
                raise RuntimeError("not ready")
            return os.environ["PLACE"]
        """,
    )
    assert shell.laminar("run", "--env", "PLACE=here", "--name", "one", "main.py", "place", "-q").code == 1
    (shell.folder / "ready").touch()
    assert shell.laminar("resume", "main.py", "one", "-q").out == "here\n"


def test_a_run_that_a_script_has_begun_goes_on(tasks):
    (tasks.folder / "fail-total").touch()
    assert tasks.python("tasks.py").code == 1
    (tasks.folder / "fail-total").unlink()
    answer = tasks.laminar("resume", "tasks.py", "script", "-q")
    assert (answer.code, answer.out) == (0, "5\n")
    assert tasks.journal().count("square-0") == 1


def test_interrupt_stops_the_run_exits_with_130_and_tells_how_to_resume(tasks):
    tasks.hold("square-1")
    run = tasks.start("run", "--name", "one", "--executor", "process", "tasks.py", "total")
    tasks.reached("square-1")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate()
    assert run.returncode == 130, err
    assert "laminar: resume with: laminar resume tasks.py one\n" in err
    assert "Traceback" not in err
    tasks.release("square-1")
    answer = tasks.laminar("resume", "tasks.py", "one", "-q")
    assert (answer.code, answer.out) == (0, "5\n")
    assert tasks.journal().count("square-0") == 1
