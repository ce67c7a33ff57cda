"""The server of the snippets: ``laminar serve`` with real containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from engines import Engine
from laminar.client.http import Client
from laminar.runs.catalog import add_project

PROGRAM = str(Path(sys.executable).parent / "laminar")


class Backend:
    """A server that runs."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._variables = engine.variables

    def __enter__(self) -> Backend:
        """Start it; returns once it listens."""
        command = [PROGRAM, "serve", "--port", "0", "--state", "state", "--executor", "docker", "--log", "json"]
        self._server = subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, **self._variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        assert self._server.stdout is not None
        for line in self._server.stdout:
            said.append(line)
            if '"listening"' in line:
                self._endpoint = json.loads(line)["url"]
                self._reading = threading.Thread(target=self._server.stdout.read, daemon=True)
                self._reading.start()
                return self
        raise RuntimeError("".join(said))

    def __exit__(self, *_: Any) -> None:
        """Stop it."""
        self._server.terminate()
        self._server.wait(60)
        self._reading.join(60)
        assert self._server.stdout is not None
        self._server.stdout.close()

    def project(self, name: str) -> dict[str, str]:
        """Make a project, and give the variables that lead there."""
        with Client(self._endpoint) as client:
            add_project(client, name, "")
        return {**self._variables, "LAMINAR_SERVER_ENDPOINT": self._endpoint, "LAMINAR_TASK_PROJECT": name}
