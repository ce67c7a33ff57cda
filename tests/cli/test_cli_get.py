"""``laminar get runs`` and ``laminar get run``."""

from __future__ import annotations

import os
import re
import signal

import pytest


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


def table(out):
    """Read a table into a list of rows by the names in its first line."""
    head, *lines = out.splitlines()
    names = re.split(r" {2,}", head)
    starts = [head.index(name) for name in names]
    return [
        {name: line[start:end].strip() for name, start, end in zip(names, starts, [*starts[1:], None], strict=True)}
        for line in lines
    ]


def test_runs_are_listed_the_newest_first(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    (hello.folder / "fail-second-1").touch()
    hello.laminar("run", "main.py", "Hello", "--execution", "two")
    answer = hello.laminar("get", "runs")
    rows = table(answer.out)
    assert (answer.code, answer.err) == (0, "")
    assert [(row["RUN"], row["TASK OR FLOW"], row["STATE"]) for row in rows] == [
        ("two", "Hello", "FAILED"),
        ("one", "Hello", "SUCCEEDED"),
    ]
    assert rows[0]["ERROR"] == "layer Second, split 1 of 3: ValueError: told to fail at second-1"
    assert rows[1]["ERROR"] == ""
    assert all(row["TOOK"].endswith("s") and row["STARTED"].count(":") == 2 for row in rows)
    plain = hello.laminar("get", "runs", "-o", "json").plain
    assert [(run["run"], run["state"]) for run in plain] == [("two", "FAILED"), ("one", "SUCCEEDED")]
    assert plain[1]["seconds"] == plain[1]["ended"] - plain[1]["started"]
    assert plain[1]["source"] == str(hello.folder / "main.py")
    assert len(table(hello.laminar("get", "runs", "--limit", "1").out)) == 1


def test_a_place_without_runs_is_told(hello):
    for arguments in (["get", "runs"], ["get", "run", "x"], ["logs", "x"], ["abort", "x"]):
        answer = hello.laminar(*arguments)
        assert (answer.code, answer.out) == (2, "")
        assert "laminar: There is no ledger at .laminar/ledger.db: no run was recorded there." in answer.err
        assert "--root" in answer.err
    assert not (hello.folder / ".laminar").exists()


def test_a_ledger_that_is_none_is_told(hello):
    (hello.folder / ".laminar").mkdir()
    (hello.folder / ".laminar" / "ledger.db").write_text("no database at all, whatever its name may say")
    answer = hello.laminar("get", "runs")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("laminar: The ledger at .laminar/ledger.db ")


def test_an_unknown_run_is_told_with_the_nearest(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "nightly")
    hello.laminar("run", "main.py", "Hello", "--execution", "night-2")
    for command in (["get", "run"], ["logs"], ["abort"]):
        answer = hello.laminar(*command, "nigthly")
        assert (answer.code, answer.out) == (2, "")
        assert "laminar: No run is known as 'nigthly'. Did you mean 'nightly'" in answer.err
        several = hello.laminar(*command, "nigh")
        assert several.code == 2
        assert "laminar: More than one run begins as 'nigh'." in several.err
    assert hello.laminar("get", "run", "nightl").out.startswith("Hello nightly: SUCCEEDED")


def test_a_finished_run_shows_its_layers(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    out = hello.laminar("get", "run", "one").out
    head, rest = out.split("\n", 1)
    assert head.startswith("Hello one: SUCCEEDED, started ")
    assert ", took " in head
    rows = table(rest)
    shown = ("LAYER", "STATE", "SPLITS", "DONE", "RUNNING", "FAILED", "WHY")
    assert [[row[name] for name in shown] for row in rows] == [
        ["First", "SUCCEEDED", "1", "1", "0", "0", ""],
        ["Second", "SUCCEEDED", "3", "3", "0", "0", ""],
        ["Third", "SUCCEEDED", "1", "1", "0", "0", ""],
    ]
    assert all(row["TOOK"].endswith("s") for row in rows)


def test_a_running_run_says_what_runs_and_what_waits_for_what(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", text.replace("[10, 20, 30]", "[10, 20, 30, 40, 50]"))
    hello.hold("second-1")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "--executor", "process", LAMINAR_QUIET="1")
    hello.reached("second-1")
    found = hello.layers()
    plain = hello.laminar("get", "run", "one", "-o", "json").plain["flows"][0]
    assert plain["state"] == "RUNNING"
    assert plain["scheduler"]["pid"] == run.pid
    assert (plain["ended"], plain["error"]) == (None, None)
    assert plain["seconds"] > 0
    assert (found["Second"]["state"], found["Second"]["splits"], found["Third"]["state"]) == ("RUNNING", 5, "WAITING")
    assert found["Second"]["running"] >= 1
    assert found["Third"]["reason"] == "waits for Second"
    assert "\nThird " in hello.laminar("get", "run", "one").out
    hello.release("second-1")
    run.communicate()
    assert hello.layers()["Third"]["state"] == "SUCCEEDED"


def test_splits_without_a_slot_say_what_they_wait_for(hello):
    text = (hello.folder / "main.py").read_text()
    given = "from laminar.configurations.executors import Process\nif flow := Hello(executor=Process(concurrency=1)):"
    hello.write("main.py", text.replace("if flow := Hello():", given))
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    second = hello.layers()["Second"]
    assert (second["done"], second["running"], second["failed"]) == (0, 1, 0)
    assert [(why["state"], why["count"], why["first"]) for why in second["reasons"]] == [("WAITING", 2, 1)]
    assert "waits for a slot of the executor" in second["reasons"][0]["reason"]
    assert "2 splits from [1] waits for a slot of the executor" in hello.laminar("get", "run", "one").out
    hello.release("second-0")
    run.communicate()


def test_a_failed_run_says_which_splits_failed_and_what_did_not_run(hello):
    (hello.folder / "fail-second-1").touch()
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    found = hello.layers()
    assert (found["Second"]["state"], found["Second"]["failed"]) == ("FAILED", 1)
    assert found["Second"]["reasons"] == [
        {"state": "FAILED", "count": 1, "first": 1, "reason": "ValueError: told to fail at second-1"}
    ]
    assert found["Third"]["state"] == "NOT RUN"
    out = hello.laminar("get", "run", "one").out
    assert "\nError: layer Second, split 1 of 3: ValueError: told to fail at second-1\n" in out
    row = next(line for line in out.splitlines() if line.startswith("Second"))
    assert row.endswith("[1] ValueError: told to fail at second-1")


def test_a_layer_that_was_skipped_says_why(shell):
    shell.write(
        "main.py",
        """
        from laminar import Flow, Layer
        from laminar.configurations import hooks

        class F(Flow): ...

        @F.register
        class No(Layer):
            @hooks.entry
            def decide(self):
                return False

        @F.register
        class After(Layer):
            def __call__(self, no: No): ...
        """,
    )
    shell.laminar("run", "main.py", "F", "--execution", "one")
    found = shell.layers()
    assert (found["No"]["state"], found["No"]["reason"]) == ("SKIPPED", "its entry hook said no")
    assert (found["After"]["state"], found["After"]["reason"]) == ("SKIPPED", "No was skipped")
    assert "No was skipped" in shell.laminar("get", "run", "one").out


def test_a_run_whose_scheduler_died_is_shown_as_such(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    plain = hello.laminar("get", "runs", "-o", "json").plain[0]
    assert (plain["state"], plain["ended"], plain["seconds"]) == ("DIED", None, None)
    assert table(hello.laminar("get", "runs").out)[0]["STATE"] == "DIED"
    out = hello.laminar("get", "run", "one").out
    assert out.startswith("Hello one: DIED, started ")
    assert f"\nIts scheduler, process {run.pid} on " in out
    assert "died. Go on with: laminar resume main.py one\n" in out
    found = hello.layers()
    assert (found["Second"]["state"], found["Second"]["running"]) == ("CANCELLED", 0)
    assert found["Third"]["state"] == "NOT RUN"


def test_a_chain_has_a_part_for_each_flow(shell):
    shell.write(
        "main.py",
        """
        from laminar import Flow, Layer, Parameters

        class One(Flow): ...

        @One.register
        class A(Layer): ...

        class Two(Flow): ...

        @Two.register
        class B(Layer): ...

        if one := One():
            one(execution="both").next(flow=Two(), linker=lambda execution: Parameters(x=1))
        """,
    )
    assert shell.python("main.py").code == 0
    out = shell.laminar("get", "run", "both").out
    first, second = out.split("\n\n")
    assert first.startswith("One both: SUCCEEDED")
    assert second.startswith("Two both: SUCCEEDED")


def test_names_and_errors_cannot_steer_the_terminal(shell):
    shell.write(
        "main.py",
        r"""
        from laminar import Flow, Layer

        class Rude(Flow): ...

        @Rude.register
        class Here(Layer):
            def __call__(self):
                raise ValueError("a\x1b[2Jb\x9bc")
        """,
    )
    shell.laminar("run", "main.py", "Rude", "--execution", "one")
    for arguments in (["get", "runs"], ["get", "run", "one"]):
        out = shell.laminar(*arguments).out
        assert "ValueError: ab c" in out
        assert not set(out) & {"\x1b", "\x9b"}
    assert shell.laminar("get", "runs", "-o", "json").plain[0]["error"] == "layer Here: ValueError: a\x1b[2Jb\x9bc"


def test_quiet_changes_nothing_of_an_answer(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    assert hello.laminar("get", "runs", "--quiet") == hello.laminar("get", "runs")
