from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from example_runs import EXAMPLES, environment

from engines import Engine

SCRIPT = EXAMPLES / "digits/served.sh"


def served(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=folder,
        env={**environment(), **programs, "FOLDS": "2", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )


def succeeds(ended: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Flow DigitsFlow, version " in ended.stdout
    assert len(re.findall(r"read right by", ended.stdout)) == 60
    assert re.search(r"^digits +DigitsFlow +SUCCEEDED", ended.stdout, re.MULTILINE)
    assert re.search(r"^Retrained: 9\d\.\d\d% of 899 images", ended.stdout, re.MULTILINE)
    assert (folder / "build/served/report.html").read_text("utf-8").startswith("<!doctype html>")
    log = (folder / "build/served/server.log").read_text()
    assert '"stopped"' in log.splitlines()[-1]


@pytest.mark.timeout(300)
def test_the_digits_flow_is_deployed_run_followed_and_read_from_a_server_that_stops_cleanly(tmp_path: Path) -> None:
    succeeds(served(tmp_path), tmp_path)


@pytest.mark.timeout(300)
def test_the_digits_flow_runs_in_containers_of_a_server(tmp_path: Path, engine_named: Callable[[str], Engine]) -> None:
    succeeds(served(tmp_path, "docker", **engine_named("docker").variables), tmp_path)


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    ended = served(tmp_path, "nowhere")
    assert ended.returncode != 0
    assert "nowhere" in ended.stderr
