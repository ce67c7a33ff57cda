from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from laminar import Flow, Layer, Parameters

PROGRAM = """
import os, sys, threading
from laminar import Flow, Layer, Parameters
from laminar.configurations import executors


class Deadly:
    def __reduce__(self):
        os.kill(os.getpid(), 9)


class BeginFlow(Flow): ...


@BeginFlow.register
class Ask(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.answer = parameters.question


if flow := BeginFlow(executor=executors.Thread()):
    if sys.argv[1] == "die":
        flow(execution="mine", first=1, question=Deadly())
    elif sys.argv[1] == "resume":
        flow.execution("mine").resume()
    elif sys.argv[1] == "refuse":
        flow(execution="mine", question=threading.Lock())
    else:
        print(flow(execution="mine", first=1, question="why").layer(Ask).answer)
"""


def start(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    (folder / "begin.py").write_text(PROGRAM)
    command = [sys.executable, "begin.py", what]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_run_that_died_before_its_parameters_were_kept_has_not_begun(tmp_path: Path) -> None:
    assert start(tmp_path, "die").returncode == -signal.SIGKILL
    resumed = start(tmp_path, "resume")
    assert resumed.returncode == 1
    assert "UnknownRunError: Flow BeginFlow has no execution 'mine'" in resumed.stderr


def test_a_run_that_has_not_begun_can_be_begun_under_its_own_name(tmp_path: Path) -> None:
    assert start(tmp_path, "die").returncode == -signal.SIGKILL
    again = start(tmp_path, "begin")
    assert again.stdout == "why\n", again.stderr
    assert "RunExistsError" in start(tmp_path, "begin").stderr


def test_a_run_whose_parameters_cannot_be_kept_has_not_begun_and_offers_no_resume(tmp_path: Path) -> None:
    refused = start(tmp_path, "refuse")
    assert "UnpicklableArtifactError: Layer Parameters cannot save its artifact 'question'" in refused.stderr
    assert "Resume with" not in refused.stderr
    assert "laminar resume" not in refused.stderr
    assert start(tmp_path, "begin").stdout == "why\n"


def test_a_run_without_parameters_says_so_when_one_is_read(memory) -> None:
    class AskFlow(Flow): ...

    @AskFlow.register
    class Ask(Layer):
        def __call__(self, parameters: Parameters) -> None:
            self.answer = parameters.question

    with pytest.raises(AttributeError, match=r"of AskFlow was given no parameter 'question'\. It was given none\."):
        memory(AskFlow)()
