"""A whole server with tasks deployed to it, for tests of what it does with them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faces

from laminar.client.http import Client
from laminar.server.services import Services
from laminar.wire.queues import LimitRequest, QueuePage, QueueRequest, QueueView
from laminar.wire.runs import ActionPage, RunRequest, RunView, StopRequest
from laminar.wire.triggers import FiringPage, TriggerPage, TriggerView

COMMAND = str(Path(sys.executable).with_name("laminar"))
PATIENCE = 30.0

#: Tasks that wait for files, and note when they begin and end.
PROGRAM = '''
"""Tasks that wait for a file."""

import os
import time

import laminar
from laminar import Backoff, Cron, FixedRate, RetryStrategy, Secret, Trigger, TriggerTime

env = laminar.TaskEnvironment("jobs")
gpu = laminar.TaskEnvironment("gpus", queue="gpu")


def work(folder: str, name: str) -> str:
    """Note the beginning, wait for the file, note the end."""
    with open(f"{folder}/journal", "a") as journal:
        journal.write(f"begin {name}\\n")
    while not os.path.exists(f"{folder}/go"):
        time.sleep(0.01)
    with open(f"{folder}/journal", "a") as journal:
        journal.write(f"end {name}\\n")
    return name
'''


def holds(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something holds; gives it."""
    deadline = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


class Jobs:
    """A server, and what is done with it."""

    def __init__(self, url: str, folder: Path, parts: Services) -> None:
        self.url = url
        self.parts = parts
        self.folder = folder
        self.client = Client(url)
        self._begun: list[str] = []

    @contextlib.contextmanager
    def at(self, folder: Path) -> Iterator[None]:
        """Have another folder for a while; the runs that are begun in it have ended at the end."""
        before, self.folder, self._begun = self.folder, folder, []
        try:
            yield
        finally:
            self.go()
            for name in self._begun:
                if not self.view(name).state.terminal:
                    self.stop(name)
            self.ended(*self._begun)
            self.folder = before

    def laminar(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give a command."""
        return subprocess.run(
            [COMMAND, *words],
            env={**os.environ, "LAMINAR_SERVER_ENDPOINT": self.url, "TZ": "UTC"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def deploy(self, source: str, *names: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
        """Deploy what some lines define, below those that all have."""
        (self.folder / "jobs.py").write_text(program + source)
        return self.laminar("deploy", "-q", "jobs.py", *(names or ("env",)))

    def run(self, entity: str, name: str, /, **inputs: Any) -> None:
        request = RunRequest(entity=entity, inputs=inputs, name=name)
        self._begun.append(name)
        self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)

    def view(self, name: str) -> RunView:
        found: RunView = self.client.call("GET", self.client.space_path(f"/runs/{name}"), returns=RunView)
        return found

    def stop(self, name: str) -> None:
        path = self.client.space_path(f"/runs/{name}/stop")
        self.client.call("POST", path, body=StopRequest(), returns=RunView)

    def ended(self, *names: str) -> list[str]:
        """Wait for the ends of runs; gives their states."""
        assert holds(lambda: all(self.view(name).state.terminal for name in names)), [self.view(one) for one in names]
        return [self.view(name).state.value for name in names]

    def reasons(self, name: str) -> dict[str | None, str | None]:
        """Give the reasons of a run's actions, by their tasks."""
        path = self.client.space_path(f"/runs/{name}/actions")
        page: ActionPage = self.client.call("GET", path, returns=ActionPage)
        return {row.task: row.reason for row in page.items}

    def waits(self, name: str, task: str, text: str) -> bool:
        """Tell whether an action says in time that it waits for something."""
        return bool(holds(lambda: text in (self.reasons(name).get(task) or "")))

    def put_queue(self, name: str, size: int) -> QueueView:
        path = self.client.space_path("/queues")
        found: QueueView = self.client.call("POST", path, body=QueueRequest(name=name, size=size), returns=QueueView)
        return found

    def limit(self, size: int | None) -> None:
        self.client.call("POST", self.client.space_path("/limit"), body=LimitRequest(size=size), returns=QueuePage)

    def queues(self) -> dict[str, QueueView]:
        page: QueuePage = self.client.call("GET", self.client.space_path("/queues"), returns=QueuePage)
        return {row.name: row for row in page.items}

    def triggers(self) -> dict[str, TriggerView]:
        page: TriggerPage = self.client.call("GET", self.client.space_path("/triggers"), returns=TriggerPage)
        return {row.name: row for row in page.items}

    def firings(self, entity: str, trigger: str) -> dict[int, str]:
        """Give what was decided, by due times."""
        path = self.client.space_path("/firings")
        query: dict[str, str | int] = {"entity": entity, "trigger": trigger, "limit": 1000}
        page: FiringPage = self.client.call("GET", path, query=query, returns=FiringPage)
        return {row.due: row.decision for row in page.items}

    def journal(self) -> list[str]:
        try:
            return (self.folder / "journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def go(self) -> None:
        """Let all tasks end that wait for the file."""
        (self.folder / "go").touch()


@contextlib.contextmanager
def serving(folder: Path, state: str = "state", **settings: Any) -> Iterator[Jobs]:
    """Run a whole server; its tasks have all ended when it has."""
    settings.setdefault("store", str(folder / "store"))
    with faces.whole(folder / state, **settings) as face:
        jobs = Jobs(f"http://127.0.0.1:{face.port}", folder, face.services)
        try:
            yield jobs
        finally:
            jobs.go()
            face.services.engine.agents.end()
            jobs.client.close()
