"""Servers for the experiments: real processes, killed and started again on the same folder and port."""

from __future__ import annotations

import ast
import http.client
import json
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from trials import HERE, holds

from laminar.client.http import Client
from laminar.errors import ServerError
from laminar.host import processes
from laminar.ledger.opening import open_database
from laminar.model.entries import entry_of
from laminar.model.states import State
from laminar.wire.runs import ResultView, RunRequest, RunView, StopRequest

SPACE = "default/development"
PROGRAM = HERE / "programs" / "served.py"
VARIABLE = "CHAOS_JOURNAL"
COMMAND = str(Path(sys.executable).with_name("laminar"))
EVENTS = "SELECT time, detail FROM events WHERE space = ? AND run = ? AND kind = 'run' ORDER BY sequence"
#: All that was ever committed, also what was committed again.
COMMITS = "SELECT entry FROM calls WHERE space = ? AND run = ? ORDER BY sequence"
#: Seconds after which a run counts as stuck.
PATIENCE = 120.0
#: Seconds between two requests, or two looks at all processes, where something is waited for.
PAUSE = 0.1


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Served:
    """A server that is killed and started again."""

    def __init__(
        self, folder: Path, database: str | None = None, *, port: int | None = None, url: str = "", bug: str = ""
    ) -> None:
        self.folder = folder
        self.state = folder / f"state-{port or 0}"
        self.journal = folder / "journal"
        self.database = database or f"sqlite:///{self.state}/server.db"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = Client(self.url, patience=60.0, at_first=60.0)
        self.restarts: list[float] = []
        self._ended: set[str] = set()
        self._bug = bug
        self._behind = url
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / f"server-{self.port}.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {**os.environ, "LAMINAR_SIGNING_KEY": "k" * 40}
        if self._bug:
            environment["PYTHONPATH"] = str(HERE / "bugs" / self._bug)
        if self._behind:
            environment["LAMINAR_SERVE_URL"] = self._behind
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "serve", *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL),
            )
        assert holds(lambda: self.answers() or self._process.poll() is not None, 60)
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        self.restarts.append(time.time())

    def _options(self) -> list[str]:
        store = str(self.folder / "store")
        where = ["--state", str(self.state), "--database", self.database, "--store", store]
        return ["--port", str(self.port), *where, "--log", "plain"]

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/v1/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)

    def deploy(self) -> None:
        environment = {**os.environ, "LAMINAR_SERVER_ENDPOINT": self.url}
        command = [COMMAND, "deploy", "-q", str(PROGRAM), "env", "Squares"]
        done = subprocess.run(
            command, env=environment, cwd=self.folder, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def submit(self, entity: str, name: str, **inputs: Any) -> None:
        request = RunRequest(entity=entity, inputs=inputs, name=name, env_vars={VARIABLE: str(self.journal)})
        self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)

    def gate(self) -> None:
        """Let tasks go on that wait for it."""
        Path(f"{self.journal}.gate").touch()

    def stop(self, name: str) -> None:
        path = self.client.space_path(f"/runs/{name}/stop")
        self.client.call("POST", path, body=StopRequest(), returns=RunView, again=True)

    def view(self, name: str) -> RunView:
        found: RunView = self.client.call("GET", self.client.space_path(f"/runs/{name}"), returns=RunView)
        return found

    def value(self, name: str) -> Any:
        path = self.client.space_path(f"/runs/{name}/actions/a0/result")
        result: ResultView = self.client.call("GET", path, returns=ResultView)
        assert result.output is not None, result
        data = result.output.refs[0].data
        assert data is not None
        return pickle.loads(data)

    def wait(self, names: list[str], patience: float = PATIENCE) -> dict[str, RunView]:
        """Wait for the ends of runs."""
        holds(lambda: self.ended(names), patience, PAUSE)
        found = {name: self.view(name) for name in names}
        stuck = [view for view in found.values() if not view.state.terminal]
        assert not stuck, f"stuck: {stuck}\n{self.log.read_text()[-4000:]}"
        return found

    def ended(self, names: list[str]) -> bool:
        """Tell whether runs have ended; one that has is not asked for again."""
        for name in names:
            if name not in self._ended:
                try:
                    if not self.view(name).state.terminal:
                        return False
                except ServerError:
                    return False
                self._ended.add(name)
        return True

    def agents(self) -> list[int]:
        """List the processes of its agents."""
        return [pid for pid in self._labelled() if not _is_warm(pid)]

    def attempts(self) -> list[int]:
        """List the processes of attempts: forks of the warm parents of agents, each with a session of its own."""
        return [pid for pid in self._labelled() if _is_warm(pid) and _session(pid) == pid]

    def _labelled(self) -> list[int]:
        return [pid for pid in processes.labelled("agent/") if self._mine(pid)]

    def _mine(self, pid: int) -> bool:
        return str(self.state).encode() in _read(f"/proc/{pid}/environ") or str(self.state) in _cwd(pid)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for pid in self.agents():
            processes.kill_tree(pid)
        self.client.close()

    def none_left(self, patience: float) -> bool:
        """Tell whether no attempt is left after so many seconds."""
        return holds(lambda: not self.attempts(), patience, PAUSE)

    # The oracle

    def lines(self) -> list[tuple[Any, ...]]:
        try:
            return [ast.literal_eval(line) for line in self.journal.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def starts(self) -> Counter[tuple[Any, ...]]:
        """Count how often each task of each run has started, by its number."""
        return Counter((line[3], line[1], line[2]) for line in self.lines() if line[0] == "start")

    def violations(self, runs: dict[str, tuple[str, Any]]) -> list[str]:
        """Compare what was noted with what is recorded.

        Args:
            runs: Entity and expected value of each run.
        """
        found = []
        database = open_database(self.database)
        try:
            for name, (entity, expected) in runs.items():
                view = self.view(name)
                if view.state is not State.SUCCEEDED:
                    found.append(f"{name} ended {view.state}: {view.error}")
                    continue
                if entity == "served.tree" and self.value(name) != expected:
                    found.append(f"{name} gave {self.value(name)}, not {expected}")
                totals = {line[2] for line in self.lines() if line[0] == "total" and line[3] == name}
                if entity == "Squares" and totals != {expected}:
                    found.append(f"{name} gave {totals}, not {expected}")
                found += self._again(database, name)
        finally:
            database.close()
        return found

    def _again(self, database: Any, name: str) -> list[str]:
        """List what has started after it was committed."""
        committed: dict[tuple[str, object], float] = {}
        for (row,) in database.read(COMMITS, (SPACE, name)):
            entry = entry_of(json.loads(row))
            if entry.task == "served.leaf" and entry.output is not None and entry.inputs is not None:
                committed.setdefault(("leaf", pickle.loads(entry.inputs)["x"]), entry.ended)
        return [
            f"{name}: {line[1]} {line[2]} started {line[4] - committed[line[1], line[2]]:.3f} s after its commit"
            for line in self.lines()
            if line[0] == "start" and line[3] == name and line[4] > committed.get((line[1], line[2]), line[4])
        ]

    def recoveries(self, names: list[str]) -> list[float]:
        """Tell how long after the last restart runs that had been going on were taken up."""
        found = []
        database = open_database(self.database)
        try:
            for name in names:
                later = takings(database, name)[1:]
                found += [when - max(restart for restart in self.restarts if restart <= when) for when in later]
        finally:
            database.close()
        return found


def expected(n: int) -> int:
    """Compute what the tree gives."""
    return sum((10 * k + i) ** 2 for k in range(n) for i in range(3)) + sum(x * x for x in range(1000, 1003))


def storm(served: Served, seed: int, kills: int) -> dict[str, tuple[str, Any]]:
    """Begin runs while servers, agents and attempts are killed at random moments; gives the runs and their values."""
    dice = random.Random(seed)
    runs: dict[str, tuple[str, Any]] = {}
    for number in range(kills):
        name = f"s{seed}-{number}"
        entity, inputs, value = (
            ("served.tree", {"n": 3}, expected(3))
            if dice.random() < 0.7
            else ("Squares", {"n": 4}, sum(x * x for x in range(4)))
        )
        served.submit(entity, name, **inputs)
        runs[name] = (entity, value)
        time.sleep(dice.uniform(0.0, 2.0))
        strike(served, dice)
    return runs


def strike(served: Served, dice: random.Random) -> None:
    """Kill something."""
    what = dice.choice(["server", "server", "agent", "attempt"])
    victims = served.agents() if what == "agent" else served.attempts() if what == "attempt" else []
    if what == "server" or not victims:
        served.kill()
        time.sleep(dice.uniform(0.0, 1.0))
        served.start()
    else:
        processes.signal_process(dice.choice(victims), signal.SIGKILL)


def takings(database: Any, run: str) -> list[float]:
    """Tell when a run was taken up by a server, the first time first."""
    rows = database.read(EVENTS, (SPACE, run))
    return [when for when, detail in rows if json.loads(detail).get("state") == "RUNNING"]


def _is_warm(pid: int) -> bool:
    return b"/warm" in _read(f"/proc/{pid}/environ")


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _cwd(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""
