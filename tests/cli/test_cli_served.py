"""The command line with a server: runs there are begun, followed, looked at and stopped as those of this machine."""

from __future__ import annotations

import json
import signal

import pytest

TASKS = """
    import time
    from pathlib import Path

    import laminar
    from laminar import Flow, Layer, Parameters

    env = laminar.TaskEnvironment("{name}")


    @env.task
    def square(n: int) -> int:
        print(f"square has {{n}}")
        return n * n


    @env.task(short_name="sum")
    async def total(count: int = 3, loud: bool = False) -> int:
        \"\"\"Adds squares.

        Args:
            count: How many of them.
        \"\"\"
        return sum([await square(n) for n in range(count)])


    @env.task
    def fails(word: str) -> int:
        print("before")
        raise ValueError(word)


    @env.task
    def held(gate: str) -> int:
        print("at the gate", flush=True)
        while not Path(gate).exists():
            time.sleep(0.01)
        return 5


    class {flow}(Flow):
        \"\"\"Doubles.\"\"\"


    @{flow}.register
    class Double(Layer):
        def __call__(self, parameters: Parameters) -> None:
            print(f"doubles {{parameters.number}}")
            self.result = parameters.number * 2
"""


class Served:
    """A shell for which a server is configured, and names that no other test uses there."""

    def __init__(self, shell, address, name):
        self.shell = shell
        self.folder = shell.folder
        self.address = address
        self.name = name
        self.flow = f"Flow{name}"
        shell.write("work.py", TASKS.format(name=name, flow=self.flow))

    def laminar(self, *words):
        return self.shell.laminar(*words, LAMINAR_SERVER_ENDPOINT=self.address)

    def json(self, *words):
        answer = self.laminar(*words, "-o", "json")
        assert answer.code == 0, answer.err
        return answer.plain

    def start(self, *words):
        return self.shell.start(*words, LAMINAR_SERVER_ENDPOINT=self.address)

    def ran(self, *words):
        """Run something to its end, and give the name of the run."""
        answer = self.laminar("run", *words, "--follow", "-o", "json")
        return answer.plain["run"]


@pytest.fixture
def served(shell, server_address, request):
    return Served(shell, server_address, f"n{abs(hash(request.node.nodeid)) % 10**8}")


def test_a_task_is_deployed_and_begun(served):
    answer = served.laminar("run", "work.py", "total", "--count", "2")

    assert answer.code == 0
    run = answer.out.strip()
    assert f"Run {run} of {served.name}.total has begun: {served.address}/api/v1/" in answer.err
    assert f"Follow it: laminar logs -f {run}" in answer.err
    assert served.laminar("logs", "-f", run).code == 0
    assert served.json("get", "run", run)["state"] == "SUCCEEDED"


def test_what_is_to_be_typed_next_names_what_is_not_configured(served):
    words = ("run", "work.py", "square", "--n", "1", "--endpoint", served.address, "--domain", "staging")
    answer = served.shell.laminar(*words)
    run = answer.out.strip()
    following = ("logs", "-f", run, "--endpoint", served.address, "--domain", "staging")
    assert f"Follow it: laminar {' '.join(following)}    Stop it" in answer.err
    assert served.shell.laminar(*following).out == f"{served.name}.square | square has 1\n"


def test_a_server_is_named_before_the_file_or_behind_the_task(served):
    at = ("--endpoint", served.address)
    for words in (
        ("run", *at, "work.py", "square", "--n", "2"),
        ("run", "work.py", "square", "--n", "2", *at),
        ("run", "deployed-task", f"{served.name}.square", "--n", "2", *at),
        ("run", "work.py", served.flow, "--number", "4", *at),
        ("run", "deployed-flow", served.flow, "--number", "4", *at),
    ):
        assert "has begun" in served.shell.laminar(*words).err


def test_a_run_is_followed_to_its_end(served):
    answer = served.laminar("run", "work.py", "total", "--count", "2", "--follow")

    assert answer.code == 0
    assert answer.out.splitlines() == [
        f"{served.name}.square | square has 0",
        f"{served.name}.square | square has 1",
        "1",
    ]
    assert f"{served.name}.total[a0] running" in answer.err
    assert f"{served.name}.total[a0] succeeded" in answer.err


def test_a_run_that_fails_ends_with_its_error(served):
    answer = served.laminar("run", "work.py", "fails", "--word", "lost", "-f")

    assert answer.code == 1
    assert answer.out == f"{served.name}.fails | before\n"
    assert "laminar: ValueError: lost" in answer.err
    assert "raise ValueError(word)" in answer.err
    assert "Go on with it: laminar resume " in answer.err


def test_a_flow_that_fails_is_gone_on_with_by_its_run(served):
    answer = served.laminar("run", "work.py", served.flow, "--name", "unfed" + served.name, "-f")

    assert answer.code == 1
    assert f"resume with: laminar resume unfed{served.name}\n" in answer.out
    assert f"Go on with it: laminar resume unfed{served.name}\n" in answer.err


def test_json_tells_all_of_a_run(served):
    begun = served.json("run", "work.py", "square", "--n", "3")
    assert begun["task"] == f"{served.name}.square"
    assert begun["url"].endswith(f"/runs/{begun['run']}")

    answer = served.laminar("run", "work.py", "square", "--n", "3", "-f", "-o", "json")
    assert answer.plain["outputs"] == [9]
    assert answer.plain["status"] == "SUCCEEDED"


def test_a_run_stays_here_if_that_is_said(served):
    answer = served.laminar("run", "--local", "work.py", "square", "--n", "3")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "9")
    run = served.laminar("get", "runs", "--local", "-o", "json").plain[0]["run"]
    assert served.laminar("get", "run", run).code == 2
    assert served.laminar("get", "run", run, "--root", ".laminar").code == 0


def test_the_server_is_named_on_the_command_line(served):
    answer = served.shell.laminar("run", "--endpoint", served.address, "work.py", "square", "--n", "3", "-f")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "9")


def test_the_server_is_named_in_a_file(served):
    served.shell.write("config.yaml", f"server:\n  endpoint: {served.address}\n")
    answer = served.shell.laminar("run", "work.py", "square", "--n", "3", "-f")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "9")


def test_what_is_deployed_is_run_by_its_name(served):
    version = served.json("deploy", "work.py", "env")["deployments"][0]["version"]

    for name in (f"{served.name}.total", f"{served.name}.total:{version}"):
        answer = served.laminar("run", "deployed-task", name, "--count", "2", "--loud", "-f", "-q")
        assert (answer.code, answer.out.splitlines()[-1]) == (0, "1")


def test_the_options_of_what_is_deployed_are_made_from_its_interface(served):
    served.json("deploy", "work.py", "env")

    help_ = served.laminar("run", "deployed-task", f"{served.name}.total", "--help").out
    assert f"Usage: laminar run [OPTIONS] deployed-task {served.name}.total [--INPUT VALUE]..." in help_
    assert "Adds squares." in help_
    assert "--count INTEGER " in help_
    assert "How many of them. (int) [default: 3]" in help_
    assert "--loud / --no-loud " in help_


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("total", "--coutn", "2"), "has no parameter --coutn. Did you mean '--count'"),
        (("total", "--count", "two"), "--count expects int, got 'two'"),
        (("square",), "needs --n INTEGER (int). Add --help to see all that it takes."),
        (("totla", "--count", "2"), "Did you mean '{name}.total'"),
        (("total:v0", "--count", "2"), "{name}.total has no version 'v0' in default/development."),
    ],
)
def test_wrong_words_about_what_is_deployed_are_told_in_one_line(served, words, said):
    served.json("deploy", "work.py", "env")
    task, *rest = words

    answer = served.laminar("run", "deployed-task", f"{served.name}.{task}", *rest)

    assert (answer.code, answer.out) == (2, "")
    assert said.format(name=served.name) in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_flow_runs_on_the_server(served):
    answer = served.laminar("run", "work.py", served.flow, "--number", "21", "-f")
    assert answer.code == 0
    assert f"{served.flow}.Double | doubles 21" in answer.out

    again = served.laminar("run", "deployed-flow", served.flow, "--number", "4", "--label", "a=b", "-f")
    assert again.code == 0
    assert f"{served.flow}.Double | doubles 4" in again.out
    run = served.json("get", "runs", "--of", served.flow, "--label", "a=b")[0]
    assert (run["flow"], run["state"], run["labels"]) == (served.flow, "SUCCEEDED", {"a": "b"})


def test_runs_are_listed_and_shown(served):
    run = served.ran("work.py", "total", "--count", "2", "--label", "team=blue")
    failed = served.laminar("run", "work.py", "fails", "--word", "x", "-f", "-o", "json").plain["run"]

    listed = served.laminar("get", "runs").out
    assert run in listed
    assert [one["run"] for one in served.json("get", "runs", "--of", f"{served.name}.fails")] == [failed]
    assert [one["run"] for one in served.json("get", "runs", "--status", "failed", "--limit", "1")] == [failed]
    shown = served.json("get", "run", run[:20])
    assert [(task["task"], task["done"]) for task in shown["tasks"]] == [
        (f"{served.name}.total", 1),
        (f"{served.name}.square", 2),
    ]
    assert shown["labels"] == {"team": "blue"}
    assert len(served.json("get", "run", run, "--actions")["actions"]) == 3
    assert len(served.json("get", "run", run, "--task", "square")["actions"]) == 2
    tree = served.laminar("get", "run", run, "--tree").out
    assert f"├─ {served.name}.square" in tree
    assert "ValueError" in served.laminar("get", "run", failed).out


def test_logs_are_shown_by_task_and_by_action(served):
    run = served.ran("work.py", "total", "--count", "2")

    assert (
        served.laminar("logs", run).out == f"{served.name}.square | square has 0\n{served.name}.square | square has 1\n"
    )
    lines = served.laminar("logs", run, f"{served.name}.square", "-o", "json").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["square has 0", "square has 1"]
    action = json.loads(lines[1])["action"]
    assert served.laminar("logs", run, action).out == f"{served.name}.square | square has 1\n"
    assert "Nothing was printed." in served.laminar("logs", run, "a0").err


def test_logs_take_the_short_name_of_a_task_and_know_which_names_there_are(served):
    run = served.ran("work.py", "total", "--count", "2")

    assert len(served.laminar("logs", run, "square").out.splitlines()) == 2
    answer = served.laminar("logs", run, "sqare")
    assert (answer.code, answer.out) == (2, "")
    assert f"Run {run} has called no task 'sqare'. Did you mean 'square'?" in answer.err


def test_logs_of_a_flow_are_shown_by_layer_and_split(served):
    run = served.ran("work.py", served.flow, "--number", "4")

    for place in ("Double", f"{served.flow}.Double", "Double/0"):
        assert served.laminar("logs", run, place).out == f"{served.flow}.Double | doubles 4\n"
    answer = served.laminar("logs", run, "Double/1")
    assert (answer.code, answer.out) == (2, "")
    assert "has no split '1' that has begun" in answer.err


def test_a_flow_that_is_followed_names_its_splits_by_their_index(served):
    answer = served.laminar("run", "work.py", served.flow, "--number", "4", "--follow")

    assert answer.code == 0
    assert f"laminar: {served.flow}.Double[0] succeeded" in answer.err


def test_why_a_call_ran_is_told(served):
    run = served.ran("work.py", "total", "--count", "1")
    answer = served.laminar("why", run, "square")
    assert answer.code == 0
    assert "SUCCEEDED." in answer.out
    assert "It ran because the task does not use the cache." in answer.out


def test_a_run_that_is_left_goes_on_and_is_stopped_by_another_command(served):
    gate = served.folder / "gate"
    command = served.start("run", "work.py", "held", "--gate", str(gate), "--follow")
    assert command.stdout.readline() == f"{served.name}.held | at the gate\n"
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert command.returncode == 130
    run = served.json("get", "runs", "--of", f"{served.name}.held")[0]["run"]
    assert f"Run {run} goes on. Follow it: laminar logs -f {run}    Stop it: laminar abort {run}" in said
    assert served.json("get", "run", run)["state"] == "RUNNING"

    answer = served.laminar("abort", run, "--reason", "enough")
    assert (answer.code, answer.err) == (0, f"laminar: Run {run} of {served.name}.held is aborted.\n")
    shown = served.json("get", "run", run)
    assert shown["state"] == "CANCELLED"
    assert "enough" in shown["error"]
    assert "has ended already: CANCELLED." in served.laminar("abort", run).err

    gate.touch()
    again = served.laminar("resume", run, "--follow")
    assert (again.code, again.out.splitlines()[-1]) == (0, "5")


def test_a_run_is_repeated(served):
    run = served.ran("work.py", "square", "--n", "4")
    answer = served.laminar("rerun", run, "-f", "-o", "json")
    assert answer.code == 0
    assert answer.plain["outputs"] == [16]
    assert answer.plain["run"] != run
    assert served.json("get", "run", answer.plain["run"])["rerun_of"] == run


def test_what_is_deployed_is_listed(served):
    made = served.json("deploy", "work.py", "env", served.flow)["deployments"]

    tasks = {one["name"]: one for one in served.json("get", "tasks", "--limit", "1000")}
    assert tasks[f"{served.name}.total"]["version"] == made[0]["version"]
    assert tasks[f"{served.name}.total"]["doc"] == "Adds squares."
    assert served.flow in served.laminar("get", "flows", "--limit", "1000").out
    assert [one["kind"] for one in served.json("get", "deployments", served.name)] == ["environment"]


def test_projects_are_made_and_listed(served):
    assert "There is no project" in served.laminar("get", "runs", "--project", served.name).err
    assert "There is no domain 'producton'. Did you mean 'production'?" in (
        served.laminar("get", "runs", "--domain", "producton").err
    )
    assert "There is no project" in served.laminar("run", "work.py", "square", "--n", "1", "--project", served.name).err
    answer = served.laminar("create", "project", served.name, "--description", "for a test")
    assert (answer.code, answer.err) == (0, f"laminar: Project {served.name} is made.\n")
    found = {one["name"]: one["description"] for one in served.json("get", "projects")}
    assert found[served.name] == "for a test"
    again = served.laminar("create", "project", served.name)
    assert again.code != 0
    assert f"There is a project {served.name} already." in again.err
    answer = served.laminar(
        "run", "work.py", "square", "--n", "3", "--project", served.name, "--domain", "staging", "-f"
    )
    assert answer.out.splitlines()[-1] == "9"
    assert len(served.json("get", "runs", "--project", served.name, "--domain", "staging")) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("run", "work.py", "square", "--n", "1"),
        ("run", "deployed-task", "a.b"),
        ("get", "runs"),
        ("get", "tasks"),
        ("logs", "x"),
        ("abort", "x"),
        ("rerun", "x"),
        ("resume", "x"),
        ("why", "x", "a0"),
    ],
)
def test_a_server_that_does_not_answer_is_told_with_its_address(served, words):
    answer = served.shell.laminar(*words, LAMINAR_SERVER_ENDPOINT="http://127.0.0.1:9")
    assert (answer.code, answer.out) == (1, "")
    assert "No server answers at http://127.0.0.1:9" in answer.err
    assert "laminar serve" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        "run work.py square --n 1",
        "run deployed-task a.b",
        "run deployed-flow F",
        "deploy work.py env",
        "get runs",
        "get run x",
        "get tasks",
        "get flows",
        "get deployments",
        "get projects",
        "get triggers",
        "get firings a.b c",
        "get queues",
        "create project p",
        "trigger pause a.b c",
        "trigger resume a.b c",
        "queue create q --size 1",
        "queue delete q",
        "queue limit 1",
        "token create n --role viewer",
        "token list",
        "token revoke x",
        "logs x",
        "abort x",
        "rerun x",
        "resume x",
        "why x a0",
    ],
)
def test_the_address_of_a_server_is_given_to_each_command_that_asks_one(served, words):
    first, *rest = words.split()
    where = ("--endpoint", "http://127.0.0.1:9")
    words = (first, *where, *rest) if first == "run" else (first, *rest, *where)
    answer = served.shell.laminar(*words)
    assert (answer.code, answer.out) == (1, "")
    assert "No server answers at http://127.0.0.1:9" in answer.err


def test_a_server_is_not_named_in_two_ways(shell):
    answer = shell.laminar("token", "list", "--endpoint", "http://127.0.0.1:9", "--state", "here")
    assert answer.code == 2
    assert "--endpoint names a server to ask" in answer.err


@pytest.mark.parametrize("words", [("rerun", "x"), ("resume", "x")])
def test_what_only_a_server_can_do_says_so(shell, words):
    answer = shell.laminar(*words)
    assert answer.code == 2
    assert "--endpoint URL" in answer.err


def test_what_only_this_machine_can_do_is_refused_for_a_server(served):
    answer = served.laminar("run", "--executor", "thread", "work.py", "square", "--n", "1")
    assert answer.code == 2
    assert "executor=…) is for runs on this machine" in answer.err
    answer = served.laminar("run", "--resume", "work.py", served.flow)
    assert answer.code == 2
    assert "laminar resume ID" in answer.err
