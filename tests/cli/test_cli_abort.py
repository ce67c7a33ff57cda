"""``laminar abort``."""

from __future__ import annotations

import os
import signal

import pytest


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_run_is_ended_from_another_process(hello, executor):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "--executor", executor)
    hello.reached("second-0")
    answer = hello.laminar("abort", "one", "--reason", "not needed")
    assert answer == (0, "", "laminar: Run one of Hello is aborted.\n")
    _, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "laminar: stopping: aborted: not needed\n" in err
    assert "laminar: Hello one CANCELLED in " in err
    assert "laminar: resume with: laminar resume main.py one\n" in err
    assert "Traceback" not in err
    found = hello.laminar("get", "run", "one", "-o", "json").plain["flows"][0]
    assert (found["state"], found["error"]) == ("CANCELLED", "aborted: not needed")
    hello.release("second-0")
    resumed = hello.laminar("resume", "main.py", "one")
    assert (resumed.code, resumed.out.splitlines()[-1]) == (0, "Third | total 120")


def test_the_answer_may_be_json(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    answer = hello.laminar("abort", "one", "-o", "json", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert answer.plain == {
        "run": "one",
        "flows": [{"flow": "Hello", "state": "CANCELLED", "message": "Run one of Hello is aborted."}],
    }
    run.communicate(timeout=30)


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_run_whose_scheduler_died_is_marked_as_cancelled(hello, executor):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "--executor", executor)
    hello.reached("second-0")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    answer = hello.laminar("abort", "one", "--reason", "left over")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith(f"laminar: Run one of Hello is aborted. Its scheduler, process {run.pid} on ")
    assert answer.err.endswith(", had died: what it had left was ended.\n")
    found = hello.laminar("get", "run", "one", "-o", "json").plain["flows"][0]
    assert (found["state"], found["error"]) == ("CANCELLED", "aborted: left over")
    status = hello.python(
        "-c",
        "from laminar.flows.datastores import Local\n"
        "state = Local().archives.state('Hello', 'one')\n"
        "print(state['state'], state['ended'] > state['started'])\n",
    )
    assert status.out == "CANCELLED True\n"
    hello.release("second-0")
    assert hello.laminar("resume", "main.py", "one").code == 0
    assert hello.laminar("get", "runs", "-o", "json").plain[0]["state"] == "SUCCEEDED"


def test_a_run_that_has_ended_is_told_how(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    assert hello.laminar("abort", "one") == (2, "", "laminar: Run one of Hello has ended already: SUCCEEDED.\n")
    (hello.folder / "fail-second-1").touch()
    hello.laminar("run", "main.py", "Hello", "--execution", "two")
    assert hello.laminar("abort", "two") == (2, "", "laminar: Run two of Hello has ended already: FAILED.\n")


def test_aborting_twice_is_no_error(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    assert hello.laminar("abort", "one").code == 0
    run.communicate(timeout=30)
    assert hello.laminar("abort", "one") == (0, "", "laminar: Run one of Hello has ended already: CANCELLED.\n")


def test_a_scheduler_that_does_not_answer_is_named_when_the_time_is_over(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    os.kill(run.pid, signal.SIGSTOP)
    answer = hello.laminar("abort", "one", "--timeout", "0")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"laminar: Run one of Hello was asked to stop, and has not yet: process {run.pid} on ")
    os.kill(run.pid, signal.SIGCONT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "laminar: stopping: aborted\n" in err


def test_a_layer_that_ignores_the_request_is_killed_after_its_grace(shell):
    shell.write(
        "main.py",
        """
        import signal
        import time
        from pathlib import Path
        from laminar import Flow, Layer
        from laminar.configurations.schedulers import Scheduler

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                Path("at").touch()
                while True:
                    time.sleep(60)

        flow = F(scheduler=Scheduler(grace=0.1))
        """,
    )
    run = shell.start("run", "main.py", "F", "--execution", "one", "-q")
    shell.until((shell.folder / "at").exists, "the layer runs")
    assert shell.laminar("abort", "one").code == 0
    run.communicate(timeout=30)
    assert run.returncode == 1


def test_only_what_still_runs_of_a_chain_is_aborted(shell):
    shell.write(
        "main.py",
        """
        import time
        from pathlib import Path
        from laminar import Flow, Layer, Parameters

        class One(Flow): ...

        @One.register
        class A(Layer): ...

        class Two(Flow): ...

        @Two.register
        class B(Layer):
            def __call__(self):
                Path("at").touch()
                while True:
                    time.sleep(0.01)

        if one := One():
            one(execution="both").next(flow=Two(), linker=lambda execution: Parameters(x=1))
        """,
    )
    run = shell.start("main.py", program=shell.python_program)
    shell.until((shell.folder / "at").exists, "the second flow runs")
    assert shell.laminar("abort", "both") == (0, "", "laminar: Run both of Two is aborted.\n")
    run.communicate(timeout=30)
    parts = shell.laminar("get", "run", "both", "-o", "json").plain["flows"]
    assert [(part["flow"], part["state"]) for part in parts] == [("One", "SUCCEEDED"), ("Two", "CANCELLED")]
