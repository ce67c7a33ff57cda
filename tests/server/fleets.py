"""A server whose attempts run in containers, and what stands outside of both: it hears them, and holds them."""

from __future__ import annotations

import http.server
import json
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from engines import Engine
from laminar.client.http import Client
from laminar.host import processes
from laminar.server.launchers.contract import name_of
from laminar.wire.runs import (
    ActionPage,
    ActionView,
    AttemptPage,
    AttemptView,
    ResultView,
    RunRequest,
    RunView,
    StopRequest,
)
from shells import PROGRAM, Shell

PATIENCE = 90.0
TASKS = Path(__file__).with_name("fleet.py")


class Outside:
    """A place that containers reach: they note there what they do, and wait there until they are let go."""

    def __init__(self, address: str) -> None:
        self.notes: list[str] = []
        self._gates: dict[str, threading.Event] = {}
        outside = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, _, what = unquote(self.path).removeprefix("/").partition("/")
                outside.notes.append(what)
                if kind == "wait":
                    outside.gate(what).wait(PATIENCE)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def gate(self, name: str) -> threading.Event:
        return self._gates.setdefault(name, threading.Event())

    def open(self, name: str) -> None:
        self.gate(name).set()

    def close(self) -> None:
        for gate in list(self._gates.values()):
            gate.set()
        self._server.shutdown()
        self._server.server_close()


def until(happened: Callable[[], Any], what: str, pause: float = 0.02) -> Any:
    """Wait for something that is bound to happen; between two looks is a pause, longer where a look costs much."""
    deadline = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(pause)
    return found


class Fleet:
    """A server that is killed and started again, and the containers of its agents."""

    def __init__(self, folder: Path, engine: Engine, executor: str, environment: dict[str, str]) -> None:
        self.engine = engine
        self.shell = Shell(folder)
        self.state = folder / "state"
        self.outside: Outside
        self._address = engine.gateway() if executor == "docker" else "127.0.0.1"
        self._others: set[str] = set()
        self._log = folder / "server.log"
        self._executor = executor
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.client: Client

    @contextmanager
    def anew(self) -> Iterator[Fleet]:
        """Give it to a test: the server runs, nothing was noted yet, and containers of before are not listed."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        self._others = set(self._containers())
        self.outside = Outside(self._address)
        try:
            yield self
        finally:
            self.outside.close()

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        seen = len(self.log())
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", *self._options()],
                cwd=self.shell.folder,
                env={**self.shell._environment(self.engine.variables), **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL),
            )
        line = until(lambda: self._listens(seen), "the server listens")
        self._port = int(line[0]["url"].rpartition(":")[2])
        self.client = Client(line[0]["url"], at_first=20.0)

    def _listens(self, seen: int) -> list[dict[str, Any]]:
        assert self._process is not None
        assert self._process.poll() is None, self.text()
        return [line for line in self.log()[seen:] if line["message"] == "listening"]

    def _options(self) -> list[str]:
        where = ["--port", str(self._port), "--state", str(self.state), "--executor", self._executor]
        return [*where, "--concurrency", "8", "--log", "json"]

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)

    def text(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]

    def deploy(self, *names: str, file: Path = TASKS) -> None:
        where = {**self.engine.variables, "LAMINAR_SERVER_ENDPOINT": self.client.endpoint}
        done = self.shell.laminar("deploy", str(file), *names, **where)
        assert done.code == 0, done.err

    def begin(self, entity: str, **inputs: Any) -> str:
        """Ask for a run; gives its name."""
        request = RunRequest(entity=entity, inputs=inputs, env_vars={"OUTSIDE": self.outside.url})
        view: RunView = self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)
        return view.name

    def view(self, run: str) -> RunView:
        found: RunView = self.client.call("GET", self.client.space_path(f"/runs/{run}"), returns=RunView)
        return found

    def ended(self, run: str) -> RunView:
        """Wait for the end of a run."""
        deadline = time.monotonic() + PATIENCE
        while not (view := self.view(run)).state.terminal:
            assert time.monotonic() < deadline, f"{view}\n{self.text()[-3000:]}"
            time.sleep(0.05)
        return view

    def value(self, run: str) -> Any:
        """Wait for what a run returns."""
        view = self.ended(run)
        assert view.state.value == "SUCCEEDED", f"{view}\n{self.text()[-3000:]}"
        result = self._result(run)
        assert result.output is not None
        data = result.output.refs[0].data
        assert data is not None
        return pickle.loads(data)

    def failure(self, run: str) -> tuple[str, str]:
        """Wait for the failure of a run: the class of its error, and the message."""
        assert self.ended(run).state.value == "FAILED"
        failure = self._result(run).failure
        assert failure is not None
        return failure.type_name.rpartition(".")[2], failure.message

    def _result(self, run: str) -> ResultView:
        path = self.client.space_path(f"/runs/{run}/actions/a0/result")
        found: ResultView = self.client.call("GET", path, returns=ResultView)
        return found

    def actions(self, run: str) -> tuple[ActionView, ...]:
        path = self.client.space_path(f"/runs/{run}/actions")
        page: ActionPage = self.client.call("GET", path, returns=ActionPage)
        return tuple(page.items)

    def attempts(self, run: str, name: str = "a0") -> tuple[AttemptView, ...]:
        path = self.client.space_path(f"/runs/{run}/actions/{name}/attempts")
        page: AttemptPage = self.client.call("GET", path, returns=AttemptPage)
        return tuple(page.items)

    def output(self, run: str) -> str:
        """Give what a run has printed."""
        where = {"LAMINAR_SERVER_ENDPOINT": self.client.endpoint}
        return self.shell.laminar("logs", run, **where).out

    def abort(self, run: str) -> None:
        path = self.client.space_path(f"/runs/{run}/stop")
        self.client.call("POST", path, body=StopRequest(reason="the test wants so"), returns=RunView)

    def noted(self, what: str) -> Any:
        """Wait for a note."""
        return until(lambda: what in self.outside.notes, f"{what} in {self.outside.notes}")

    def containers(self, *filters: str) -> list[str]:
        """List the containers of the server's agents that were made for this test and have not been removed."""
        return [name for name in self._containers(*filters) if name not in self._others]

    def running(self) -> list[str]:
        """List those of them that run."""
        return self.containers("status=running")

    def none_left(self) -> None:
        """Wait until all of them are removed."""
        until(lambda: not self.containers(), "no container is left", pause=0.2)

    def _containers(self, *filters: str) -> list[str]:
        """List the containers of the server's agents."""
        if self._executor != "docker":
            return []
        wanted = (f"label=laminar.server={name_of(str(self.state / 'agents'))}", *filters)
        words = [word for one in wanted for word in ("--filter", one)]
        return self.engine.docker("ps", "--all", "--quiet", *words).split()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if left := self._containers():
            self.engine.docker("rm", "--force", *left)
        processes.sweep(f"agent/{name_of(str(self.state / 'agents'))}/")
        self.shell.close()


@contextmanager
def fleet(folder: Path, engine: Engine, executor: str = "docker", **environment: str) -> Iterator[Fleet]:
    made = Fleet(folder, engine, executor, environment)
    try:
        made.start()
        yield made
    finally:
        made.close()
