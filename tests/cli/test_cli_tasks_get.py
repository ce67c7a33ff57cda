"""``laminar get``, ``logs``, ``abort`` and ``why`` with runs of tasks."""

from __future__ import annotations

import shutil

import pytest

CALC = """
    import asyncio
    import time
    from pathlib import Path

    import laminar

    env = laminar.TaskEnvironment("calc")
    FACTOR = 3


    def helper(n):
        return n * FACTOR


    def reached(place):
        if Path(f"hold-{place}").exists():
            Path(f"at-{place}").touch()
            while Path(f"hold-{place}").exists():
                time.sleep(0.01)


    @env.task(cache="auto")
    async def triple(n: int, note: str = "") -> int:
        print(f"triple has {n}")
        if Path(f"fail-{n}").exists():
            raise ValueError(f"told to fail at {n}")
        return helper(n)


    @env.task
    async def half(count: int) -> int:
        with laminar.group("triples"):
            return sum(await asyncio.gather(*(triple(n) for n in range(count))))


    @env.task
    async def main(count: int = 2) -> int:
        print("main speaks")
        return await half(count)


    @env.task
    def waits() -> str:
        print("waits", flush=True)
        reached("waits")
        return "done"


    @env.task(cache="auto")
    def large() -> bytes:
        return bytes(100_000)
"""


@pytest.fixture
def calc(shell):
    shell.write("calc.py", CALC)
    return shell


def begin(calc, name, *words, code=0):
    answer = calc.laminar("run", "--local", "-q", "--name", name, "calc.py", *words)
    assert answer.code == code, answer.err
    return answer


def actions(calc, run, *words):
    return calc.laminar("get", "run", run, "--actions", "-o", "json", *words).plain["actions"]


def only(calc, run, task="triple"):
    """Give the name of a run's only call of a task."""
    (found,) = {action["action"] for action in actions(calc, run, "--task", task)}
    return found


def test_runs_of_tasks_and_flows_are_listed_together(calc):
    calc.write("main.py")
    calc.laminar("run", "main.py", "Hello", "-q", "--name", "first")
    begin(calc, "second", "main")
    lines = [line.split("  ") for line in calc.laminar("get", "runs").out.splitlines()]
    assert [next(filter(None, line)) for line in lines] == ["RUN", "second", "first"]
    plain = calc.laminar("get", "runs", "-o", "json").plain
    assert [(run.get("task"), run.get("flow")) for run in plain] == [("calc.main", None), (None, "Hello")]


def test_runs_are_found_by_their_labels(calc):
    begin(calc, "one", "main", "--label", "team=blue", "--label", "use=a=b")
    begin(calc, "two", "main", "--label", "team=red")
    begin(calc, "three", "main")
    assert [run["run"] for run in calc.laminar("get", "runs", "--label", "team=red", "-o", "json").plain] == ["two"]
    both = calc.laminar("get", "runs", "--label", "team=blue", "--label", "use=a=b", "-o", "json").plain
    assert [run["run"] for run in both] == ["one"]
    assert calc.laminar("get", "runs", "--label", "team=green", "-o", "json").plain == []
    assert "\nLabels: team=blue, use=a=b\n" in calc.laminar("get", "run", "one").out
    plain = calc.laminar("get", "run", "one", "-o", "json").plain
    assert (plain["labels"], plain["project"]) == ({"team": "blue", "use": "a=b"}, "default")


def test_a_run_belongs_to_the_project_and_domain_that_were_named(calc):
    answer = calc.laminar("run", "--project", "p", "--domain", "staging", "--name", "one", "-q", "calc.py", "main")
    assert answer.code == 0
    plain = calc.laminar("get", "run", "one", "-o", "json").plain
    assert (plain["project"], plain["domain"]) == ("p", "staging")


def test_a_run_is_counted_by_task(calc):
    begin(calc, "one", "main", "--count", "3")
    (calc.folder / "fail-3").touch()
    begin(calc, "two", "main", "--count", "4", code=1)
    tasks = {task["task"]: task for task in calc.laminar("get", "run", "two", "-o", "json").plain["tasks"]}
    counted = {name: [task[each] for each in ("calls", "done", "cached", "failed")] for name, task in tasks.items()}
    assert counted == {"calc.main": [1, 0, 0, 1], "calc.half": [1, 0, 0, 1], "calc.triple": [4, 3, 3, 1]}
    (reason,) = tasks["calc.triple"]["reasons"]
    assert (reason["state"], reason["count"]) == ("FAILED", 1)
    assert "ValueError: told to fail at 3" in reason["reason"]
    lines = calc.laminar("get", "run", "two").out.splitlines()
    assert lines[0].startswith("calc.main two: FAILED, started ")
    assert lines[2].split() == ["TASK", "CALLS", "DONE", "CACHED", "RUNNING", "FAILED", "CANCELLED", "TOOK", "WHY"]
    (row,) = [line for line in lines if line.startswith("calc.triple")]
    assert row.split()[1:5] == ["4", "3", "3", "1"]
    assert "told to fail at 3" in row


def test_the_tree_shows_who_has_called_whom(calc):
    begin(calc, "one", "main")
    lines = calc.laminar("get", "run", "one", "--tree").out.splitlines()[1:]
    assert [line.partition(": ")[0].rpartition(" ")[0] for line in lines if "group" not in line] == [
        "calc.main",
        "└─ calc.half",
        "      ├─ calc.triple",
        "      └─ calc.triple",
    ]
    assert lines[2] == "   └─ group triples"
    (root,) = calc.laminar("get", "run", "one", "--tree", "-o", "json").plain["tree"]
    (half,) = root["below"]
    assert (root["task"], half["task"], half["calls"]) == ("calc.main", "calc.half", 2)
    assert {(leaf["task"], leaf["group"]) for leaf in half["below"]} == {("calc.triple", "triples")}


def test_many_calls_are_one_line_of_the_tree_and_those_that_failed_have_their_own(calc):
    (calc.folder / "fail-7").touch()
    begin(calc, "one", "main", "--count", "20", code=1)
    lines = calc.laminar("get", "run", "one", "--tree").out.splitlines()
    folded = next(place for place, line in enumerate(lines) if "calc.triple ×20: " in line)
    assert "1 failed" in lines[folded]
    assert "told to fail at 7" in lines[folded + 1]
    assert len(lines) == folded + 2
    shallow = calc.laminar("get", "run", "one", "--tree", "--depth", "2").out.splitlines()
    assert shallow[-1] == "   └─ … 20 calls below: --depth shows more"


def test_calls_are_listed_by_task_and_state_and_in_pages(calc):
    begin(calc, "one", "main", "--count", "5")
    assert len(actions(calc, "one")) == 7
    assert len(actions(calc, "one", "--task", "calc.triple")) == 5
    assert {action["task"] for action in actions(calc, "one", "--task", "half")} == {"calc.half"}
    assert actions(calc, "one", "--status", "failed") == []
    pages = [actions(calc, "one", "--limit", "3", "--offset", str(start)) for start in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({action["action"] for page in pages for action in page}) == 7
    shown = calc.laminar("get", "run", "one", "--actions", "--limit", "3")
    assert len(shown.out.splitlines()) == 5
    assert "go on with --offset 3" in shown.err
    wrong = calc.laminar("get", "run", "one", "--task", "tripel")
    assert wrong == (2, "", "laminar: Run one has called no task 'tripel'. Did you mean 'triple'?\n")


def test_a_view_of_tasks_is_refused_for_a_flow(shell):
    shell.write("main.py")
    shell.laminar("run", "main.py", "Hello", "-q", "--name", "one")
    answer = shell.laminar("get", "run", "one", "--tree")
    assert answer.code == 2
    assert "--tree is an option for tasks" in answer.err


def test_a_run_of_a_flow_also_counts_the_tasks_that_its_layers_call(shell):
    shell.write(
        "main.py",
        """
        import laminar
        from laminar import Flow, Layer

        @laminar.TaskEnvironment("e").task
        def twice(n: int) -> int:
            return 2 * n

        class Mixed(Flow): ...

        @Mixed.register
        class Here(Layer):
            def __call__(self) -> None:
                self.value = twice(3)
        """,
    )
    assert shell.laminar("run", "main.py", "Mixed", "-q", "--name", "one").code == 0
    flow = shell.laminar("get", "run", "one", "-o", "json").plain["flows"][0]
    assert [(task["task"], task["done"]) for task in flow["tasks"]] == [("e.twice", 1)]
    assert "\ne.twice  1" in shell.laminar("get", "run", "one").out


# Logs


def test_logs_are_of_all_of_one_task_or_of_one_action(calc):
    begin(calc, "one", "main")
    everything = calc.laminar("logs", "one").out.splitlines()
    assert everything[0] == "calc.main | main speaks"
    names = [action["action"] for action in actions(calc, "one", "--task", "triple")]
    assert sorted(everything[1:]) == sorted(f"calc.triple[{name[:6]}] | triple has {n}" for n, name in enumerate(names))
    of_task = calc.laminar("logs", "one", "triple").out.splitlines()
    assert sorted(of_task) == sorted(everything[1:])
    assert calc.laminar("logs", "one", names[1][:6]).out == "triple has 1\n"
    (plain,) = [calc.laminar("logs", "one", "a0", "-o", "json").plain]
    assert plain == {"task": "calc.main", "action": "a0", "attempt": 1, "text": "main speaks"}


def test_a_place_that_a_run_does_not_have_is_told(calc):
    begin(calc, "one", "main")
    answer = calc.laminar("logs", "one", "tripel")
    assert (answer.code, answer.out) == (2, "")
    assert "Run one has called no task 'tripel'. Did you mean 'triple'?" in answer.err


def test_logs_of_a_run_that_goes_on_can_be_followed(calc):
    calc.hold("waits")
    calc.start("run", "calc.py", "waits", "--name", "one")
    calc.reached("waits")
    follower = calc.start("logs", "one", "--follow")
    assert follower.stdout.readline() == "calc.waits | waits\n"
    calc.release("waits")
    assert follower.communicate()[0] == ""
    assert follower.returncode == 0


# Abort


def test_a_run_that_goes_on_is_aborted(calc):
    calc.hold("waits")
    run = calc.start("run", "calc.py", "waits", "--name", "one", "--executor", "process")
    calc.reached("waits")
    seen = calc.laminar("get", "run", "one", "-o", "json").plain
    assert (seen["state"], seen["tasks"][0]["running"]) == ("RUNNING", 1)
    answer = calc.laminar("abort", "one", "--reason", "enough", "-o", "json")
    assert (answer.code, answer.plain["task"], answer.plain["state"]) == (0, "calc.waits", "CANCELLED")
    _, err = run.communicate()
    assert run.returncode == 1
    assert "enough" in err
    calc.release("waits")
    assert calc.laminar("resume", "calc.py", "one", "-q").out == "done\n"


def test_a_run_whose_scheduler_died_is_aborted(calc):
    calc.hold("waits")
    run = calc.start("run", "calc.py", "waits", "--name", "one", "--executor", "process")
    calc.reached("waits")
    run.kill()
    run.communicate()
    died = calc.laminar("get", "run", "one")
    assert "calc.waits one: DIED" in died.out
    assert "Go on with: laminar resume calc.py one" in died.out
    answer = calc.laminar("abort", "one")
    assert answer.code == 0
    assert "had died: what it had left was ended" in answer.err
    assert calc.laminar("get", "run", "one", "-o", "json").plain["state"] == "CANCELLED"
    code = "import laminar; print(laminar.Run.get('one').status)"
    assert calc.python("-c", code).out == "CANCELLED\n"


def test_what_is_heavy_is_loaded_only_by_who_uses_it(calc):
    code = (
        "import sys; sys.argv = ['laminar', 'run', '--local', 'calc.py', 'main', '-q']\n"
        "from laminar.cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)\n"
    )
    loaded = calc.python("-c", code).err
    assert "'laminar.tasks.running'" in loaded
    for heavy in (
        "laminar.flows",
        "laminar.engine.flow",
        "rich",
        "numpy",
        "pandas",
        "yaml",
        "obstore",
        "httpx",
    ):
        assert f"'{heavy}'" not in loaded


# Why


def why(calc, run, action, *words):
    answer = calc.laminar("why", run, action, *words)
    assert answer.code == 0, answer.err
    return answer


def test_the_first_of_its_kind_ran_because_nothing_was_kept(calc):
    begin(calc, "one", "triple", "--n", "1")
    assert "It ran because no earlier result of the task is kept: it is the first." in why(calc, "one", "a0").out
    plain = why(calc, "one", "triple", "-o", "json").plain
    assert (plain["cache"], plain["nearest"], plain["made"]) == ("miss", None, None)


def test_a_hit_names_the_run_that_made_the_result(calc):
    begin(calc, "one", "main")
    begin(calc, "two", "main")
    action = actions(calc, "two", "--task", "triple")[0]["action"]
    plain = why(calc, "two", action, "-o", "json").plain
    assert (plain["cache"], plain["cached"], plain["made"]["run"]) == ("hit", True, "one")
    made = {each["action"]: each for each in actions(calc, "one")}[plain["made"]["action"]]
    assert made["started"] <= plain["made"]["made"] <= plain["started"]
    assert "It did not run: its result was in the cache. Run one made it at " in why(calc, "two", action).out


def test_a_miss_names_the_inputs_that_differ_from_the_nearest_result(calc):
    begin(calc, "one", "triple", "--n", "1", "--note", "a")
    begin(calc, "two", "triple", "--n", "2", "--note", "b")
    begin(calc, "three", "triple", "--n", "2", "--note", "c")
    plain = why(calc, "three", "a0", "-o", "json").plain
    assert (plain["cache"], plain["nearest"]["run"], plain["nearest"]["inputs"]) == ("miss", "two", ["note"])
    assert (plain["nearest"]["code"], plain["nearest"]["interface"]) == ({}, False)
    assert "The nearest was made by run two at " in why(calc, "three", "a0").out
    assert "What differs: the input note." in why(calc, "three", "a0").out


def test_a_miss_names_the_parts_of_the_code_that_differ(calc):
    begin(calc, "one", "triple", "--n", "1")
    calc.write("calc.py", CALC.replace("FACTOR = 3", "FACTOR = 4").replace("return helper(n)", "return helper(n) + 0"))
    begin(calc, "two", "triple", "--n", "1")
    nearest = why(calc, "two", "a0", "-o", "json").plain["nearest"]
    assert nearest["code"] == {"constant calc.FACTOR": "changed", "function calc.triple": "changed"}
    assert (nearest["inputs"], nearest["interface"]) == ([], False)
    said = why(calc, "two", "a0").out
    assert "its code: constant calc.FACTOR (changed), function calc.triple (changed)." in said


def test_a_result_of_the_same_inputs_is_nearer_than_one_of_the_same_code(calc):
    begin(calc, "one", "triple", "--n", "1")
    calc.write("calc.py", CALC.replace("FACTOR = 3", "FACTOR = 4"))
    begin(calc, "two", "triple", "--n", "2")
    begin(calc, "three", "triple", "--n", "1")
    nearest = why(calc, "three", "a0", "-o", "json").plain["nearest"]
    assert (nearest["run"], nearest["code"]) == ("one", {"constant calc.FACTOR": "changed"})


def test_the_nearest_result_is_found_among_many(calc):
    begin(calc, "one", "main", "--count", "300")
    calc.write("calc.py", CALC.replace("FACTOR = 3", "FACTOR = 4"))
    begin(calc, "two", "main", "--count", "300")
    for action in (actions(calc, "two", "--task", "triple", "--limit", "300")[place]["action"] for place in (0, 299)):
        nearest = why(calc, "two", action, "-o", "json").plain["nearest"]
        assert (nearest["run"], nearest["action"], nearest["inputs"]) == ("one", action, [])
        assert nearest["code"] == {"constant calc.FACTOR": "changed"}


def test_a_result_whose_value_is_gone_is_told(calc):
    begin(calc, "one", "large")
    shutil.rmtree(calc.folder / ".laminar" / ".tasks" / "artifacts")
    begin(calc, "two", "large")
    assert "It ran although run one had made its result: the value is gone" in why(calc, "two", "a0").out
    assert why(calc, "two", "a0", "-o", "json").plain["cache"] == "gone"


def test_a_run_that_makes_its_results_anew_says_so(calc):
    begin(calc, "one", "triple", "--n", "1")
    begin(calc, "two", "triple", "--n", "1", "--overwrite-cache")
    assert "the run makes its results anew" in why(calc, "two", "a0").out
    assert why(calc, "two", "a0", "-o", "json").plain["cache"] == "not read"
    assert "A later run has made its result anew" in why(calc, "one", "a0").out


def test_a_task_without_cache_and_one_that_failed_are_explained(calc):
    (calc.folder / "fail-1").touch()
    begin(calc, "one", "main", code=1)
    assert "How it ended: ValueError: told to fail at 1" in why(calc, "one", "a0").out
    begin(calc, "two", "waits")
    assert "It ran because the task does not use the cache." in why(calc, "two", "waits").out


def test_a_call_that_is_not_told_apart_is_refused(calc):
    begin(calc, "one", "main")
    answer = calc.laminar("why", "one", "triple")
    assert (answer.code, answer.out) == (2, "")
    assert "Run one has called calc.triple 2 times. Name one of its actions: " in answer.err
    assert calc.laminar("why", "one", "nothing").code == 2
