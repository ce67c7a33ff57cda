"""Fixtures for tests of flows."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from laminar.configurations import datastores, executors, schedulers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from laminar import Flow


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINAR_QUIET", "1")
    for name in ("EXECUTION_ID", "EXECUTION_RETRY", "FLOW_NAME", "LAYER_NAME"):
        monkeypatch.delenv(f"LAMINAR_{name}", raising=False)


@pytest.fixture
def memory() -> Callable[..., Any]:
    """Makes a flow that runs on threads and keeps everything in memory."""

    def make(kind: type[Flow], **settings: Any) -> Any:
        return kind(
            datastore=settings.pop("datastore", None) or datastores.Memory(),
            executor=settings.pop("executor", None) or executors.Thread(concurrency=settings.pop("concurrency", 4)),
            scheduler=schedulers.Scheduler(**settings),
        )

    return make


@pytest.fixture
def local(tmp_path: Path) -> Callable[..., Any]:
    """Makes a flow that runs on threads and keeps everything in a folder, each time the same one."""

    def make(kind: type[Flow], **settings: Any) -> Any:
        return kind(
            datastore=datastores.Local(root=tmp_path / "store"),
            executor=executors.Thread(concurrency=settings.pop("concurrency", 4)),
            scheduler=schedulers.Scheduler(**settings),
        )

    return make


class Program:
    """Files of a user's program, and their execution by fresh interpreters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "main.py") -> Program:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return self

    def run(
        self, *arguments: str, check: bool = True, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, ``main.py`` by default, in the folder of the files."""
        done = subprocess.run(
            [sys.executable, *(arguments or ("main.py",))],
            cwd=self.folder,
            env={**os.environ, "LAMINAR_QUIET": "1", **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def journal(self) -> list[str]:
        """Read what user code has appended to ``journal``, in order."""
        path = self.folder / "journal"
        return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Gives an empty program."""
    return Program(tmp_path)
