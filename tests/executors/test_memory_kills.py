"""The kernel's memory kills, real ones: each is told as what it is, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from memory_cgroup import limited_to
from scripts import one_layer

from laminar.ledger.sql import Ledger

METHODS = ["fork", "spawn"]
LIMIT = 300
TOO_MUCH = "hog = bytearray(2 * 300_000_000)\nfor start in range(0, len(hog), 4096): hog[start] = 1\n"


@pytest.fixture
def group(needs: Callable[[object, str], None]) -> Iterator[Path]:
    with limited_to(LIMIT) as group:
        needs(group, "the right to make a memory cgroup")
        assert group is not None
        yield group


def told(script: Path, group: Path, method: str) -> dict[str, Any]:
    """Run a script as a process of the cgroup."""
    command = [sys.executable, str(script), str(script.parent / "root"), method]
    shell = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *command]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=script.parent, check=False, timeout=100)
    assert "TOLD " in done.stdout, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout.partition("TOLD ")[2])
    return found


def outcomes(script: Path) -> list[str | None]:
    ledger = Ledger(str(script.parent / "root" / "ledger.db"), create=False)
    return [attempt.outcome for attempt in ledger.attempts("OneFlow", "run")]


@pytest.mark.parametrize("method", METHODS)
def test_a_memory_kill_is_told_as_one(tmp_path: Path, group: Path, method: str) -> None:
    script = one_layer(tmp_path, TOO_MUCH)
    found = told(script, group, method)
    assert found["type"] == "OutOfMemoryError"
    assert "the kernel killed it for memory" in found["text"]
    assert "Retry(memory=…, memory_max=…)" in found["text"]
    (outcome,) = outcomes(script)
    assert outcome is not None
    assert outcome.startswith("out-of-memory: ")


def test_a_memory_kill_is_tried_again_with_more_out_of_a_budget_of_its_own(tmp_path: Path, group: Path) -> None:
    body = f"""
        if self.attempt < 3:
{chr(10).join(" " * 12 + line for line in TOO_MUCH.splitlines())}
        self.memory = self.configuration.container.memory
    """
    registration = "retry=Retry(attempts=1, memory=2, memory_max=4000), resources=Resources(memory=1000)"
    script = one_layer(
        tmp_path,
        body,
        top="from laminar.configurations.layers import Resources",
        registration=registration,
        artifacts=("memory",),
    )
    assert told(script, group, "fork")["artifacts"] == {"memory": 4000}
    assert len(outcomes(script)) == 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("body", "type_name"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "AttemptKilledError"),
        ("os._exit(137)", "AttemptExitedError"),
        ("raise MemoryError('mine')", "MemoryError"),
        ("bytearray(1 << 60)", "MemoryError"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "AttemptKilledError"),
    ],
)
def test_what_is_no_memory_kill_is_not_told_as_one(
    tmp_path: Path, group: Path, method: str, body: str, type_name: str
) -> None:
    assert told(one_layer(tmp_path, body), group, method)["type"] == type_name


def test_a_memory_kill_of_what_a_split_has_started_is_the_splits_to_answer(tmp_path: Path, group: Path) -> None:
    body = f"""
        done = subprocess.run([sys.executable, "-c", {TOO_MUCH!r}])
        raise ChildProcessError(f"it ended with {{done.returncode}}")
    """
    found = told(one_layer(tmp_path, body), group, "fork")
    assert (found["type"], found["text"]) == ("ChildProcessError", "it ended with -9")


def test_a_time_out_is_not_told_as_a_memory_kill(tmp_path: Path, group: Path) -> None:
    body = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    """
    script = one_layer(tmp_path, body, registration="timeout=Timeout(0.3)")
    assert told(script, group, "fork")["type"] == "AttemptTimeoutError"
    assert os.path.exists(group)
