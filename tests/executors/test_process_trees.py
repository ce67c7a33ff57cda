"""Whatever ends a split or its scheduler, all that the split has started ends too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from families import FOUND, members, strike, wait_until_gone
from scripts import log_of, one_layer, run, told

from laminar.host import processes

METHODS = ["fork", "spawn"]
ALL = {"fork": ("child", "session", "orphan", "bare", "deaf"), "spawn": ("child", "session", "orphan", "deaf")}


def until_written(path: Path, process: subprocess.Popen[str], lines: int = 1) -> None:
    """Wait until user code has written to a file."""
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "family"
    monkeypatch.setenv("FAMILY", str(path))
    return path


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("end", "registration", "type_name"),
    [
        ("time.sleep(60)", "timeout=Timeout(1.5)", "AttemptTimeoutError"),
        (
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
            "timeout=Timeout(1.5)",
            "AttemptTimeoutError",
        ),
        ("raise ValueError('after founding')", "", "ValueError"),
        ("os._exit(1)", "", "AttemptExitedError"),
        ("os.kill(os.getpid(), 9)", "", "AttemptKilledError"),
        ("pass", "", None),
    ],
    ids=["time-out", "time-out-ignored", "failure", "exit", "kill", "success"],
)
def test_nothing_of_a_split_outlives_it(
    tmp_path: Path, family: Path, method: str, end: str, registration: str, type_name: str | None
) -> None:
    names = ALL[method]
    script = one_layer(tmp_path, f"found_a_family(*{names!r})\n{end}", top=FOUND, registration=registration)
    assert told(script, method).get("type") == type_name
    assert sorted(members(family)) == sorted(names)
    wait_until_gone(family)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_outlives_the_scheduler(tmp_path: Path, family: Path, method: str, number: signal.Signals) -> None:
    names = ("child", "session", "orphan", "bare", "deaf")
    script = one_layer(tmp_path, f"found_a_family(*{names!r})\ntime.sleep(60)", top=FOUND)
    scheduler = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "root"), method], stdout=subprocess.PIPE, text=True
    )
    until_written(family, scheduler, len(names))
    assert all(members(family).values())
    scheduler.send_signal(number)
    scheduler.communicate()
    if method == "spawn" and number is not signal.SIGKILL:
        strike(family, "bare")  # what has left its session and its variables is lost when its parent ends
    wait_until_gone(family)


def test_nothing_outlives_a_scheduler_whose_other_children_live_on(tmp_path: Path, family: Path) -> None:
    top = """
    def keep():
        if os.fork() == 0:  # it holds open all that the scheduler holds
            with open("keeper", "w") as file:
                file.write(str(os.getpid()))
            time.sleep(60)
            os._exit(0)
    """
    script = one_layer(tmp_path, "found_a_family('child', 'session')\ntime.sleep(60)", top=FOUND + top)
    source = script.read_text().replace(
        "class Only(Layer):",
        "class Only(Layer):\n    @hooks.submission\n    def keep(self):\n        keep()\n",
    )
    script.write_text(source.replace("import json,", "from laminar.configurations import hooks\nimport json,"))
    scheduler = subprocess.Popen([sys.executable, str(script), str(tmp_path / "root"), "fork"], cwd=tmp_path, text=True)
    until_written(family, scheduler, 2)
    keeper = int((tmp_path / "keeper").read_text())
    scheduler.kill()
    scheduler.wait()
    try:
        wait_until_gone(family)
        assert processes.start_time(keeper) is not None, "the test's own premise is gone"
    finally:
        os.kill(keeper, signal.SIGKILL)


def test_a_failure_that_cancels_the_rest_ends_all_of_it(tmp_path: Path, family: Path) -> None:
    script = one_layer(tmp_path, "found_a_family('child', 'session', 'deaf')\ntime.sleep(60)", top=FOUND)
    source = script.read_text().replace("Scheduler(quiet=True,", "Scheduler(quiet=True, on_failure='cancel',")
    second = (
        "@OneFlow.register\n"
        "class Fails(Layer):\n"
        "    def __call__(self):\n"
        "        while not os.path.exists(os.environ['FAMILY']) or len(open(os.environ['FAMILY']).readlines()) < 3:\n"
        "            time.sleep(0.005)\n"
        "        raise LookupError('stop the rest')\n\n"
    )
    script.write_text(source.replace("EXECUTORS = {", second + "EXECUTORS = {"))
    found = told(script, "fork")
    assert (found["type"], found["text"]) == ("LookupError", "stop the rest")
    wait_until_gone(family)


def test_a_parent_of_splits_that_is_killed_is_told_and_the_run_resumes(tmp_path: Path, family: Path) -> None:
    body = """
        if not os.path.exists("again"):
            open("again", "w").close()
            found_a_family("child", "session", "orphan", "deaf")
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        self.value = "resumed"
    """
    script = one_layer(tmp_path, body, top=FOUND, artifacts=("value",))
    found = told(script, "fork")
    assert found["type"] == "CodeLoadError" or "LostError" in found["type"]
    assert "parent of all processes of this run was killed" in found["text"]
    wait_until_gone(family)
    script.write_text(script.read_text().replace('flow(execution="run")', 'flow.execution("run").resume()'))
    assert told(script, "fork")["artifacts"] == {"value": "resumed"}


BROKEN = """
    if "LAMINAR_LABEL" in os.environ:
        def deeper():
            raise LookupError("only where layers run")
        deeper()
"""


@pytest.mark.parametrize("method", METHODS)
def test_code_that_loads_only_in_the_scheduler_is_told_with_its_own_traceback(tmp_path: Path, method: str) -> None:
    script = one_layer(tmp_path, "self.value = 1", top=BROKEN)
    done = run(script, str(tmp_path / "root"), method)
    text = done.stdout + done.stderr + log_of(script)
    assert "LookupError: only where layers run" in text
    assert "in deeper" in text
    assert os.path.join("laminar", "worker") not in text


def test_a_time_out_does_not_count_the_time_that_the_code_takes_to_load(tmp_path: Path) -> None:
    top = """
        if "LAMINAR_LABEL" in os.environ:
            time.sleep(1.0)
    """
    script = one_layer(tmp_path, "self.value = 1", top=top, registration="timeout=Timeout(0.5)", artifacts=("value",))
    assert told(script, "fork")["artifacts"] == {"value": 1}


def test_ctrl_c_while_the_code_loads_stops_at_once(tmp_path: Path) -> None:
    top = """
        if "LAMINAR_LABEL" in os.environ:
            with open("loading", "w") as file:
                file.write(f"{os.getpid()}\\n")
            time.sleep(60)
    """
    script = one_layer(tmp_path, "self.value = 1", top=top)
    scheduler = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "root"), "fork"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    until_written(tmp_path / "loading", scheduler)
    loading = int((tmp_path / "loading").read_text())
    started = time.monotonic()
    scheduler.send_signal(signal.SIGINT)
    output, _ = scheduler.communicate()
    assert '"type": "KeyboardInterrupt"' in output
    assert time.monotonic() - started < 30, "it waited for the code"
    assert processes.start_time(loading) is None


def test_a_program_that_does_not_care_for_its_children_runs_flows(tmp_path: Path) -> None:
    script = one_layer(
        tmp_path, "self.value = 1", top="signal.signal(signal.SIGCHLD, signal.SIG_IGN)", artifacts=("value",)
    )
    assert told(script, "fork")["artifacts"] == {"value": 1}


def test_a_stopped_thread_takes_no_other_split_with_it(tmp_path: Path) -> None:
    body = """
        if self.attempt == 1:
            while True:
                time.sleep(0.01)
        self.value = self.attempt
    """
    script = one_layer(
        tmp_path, body, registration="timeout=Timeout(0.3), retry=Retry(attempts=2, delay=0)", artifacts=("value",)
    )
    assert told(script, "thread")["artifacts"] == {"value": 2}
