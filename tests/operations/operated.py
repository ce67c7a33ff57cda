"""A server that is operated: a real process, with tasks and a flow of the tests deployed to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from laminar.client.blobs import SpaceBlobs
from laminar.client.http import Client
from laminar.data.artifacts import Artifacts
from laminar.data.journal import SPACE as VALUES
from laminar.data.serde import frames
from laminar.data.values import Values
from laminar.host import processes
from laminar.model.states import State
from laminar.wire.runs import ResultView, RunRequest, RunView

COMMAND = str(Path(sys.executable).with_name("laminar"))
SPACE = "default/development"
#: Values in the store are larger than what travels with a call.
PROGRAM = '''
import asyncio
import os
import tempfile
import time

import laminar
from laminar import Flow, Layer
from laminar.components import Parameters
from laminar.io import Dir, File

env = laminar.TaskEnvironment("kept")


def note(text: str) -> None:
    with open(os.environ["NOTES"], "a") as file:
        file.write(text + "\\n")


@env.task
def large(seed: int) -> str:
    return f"{seed} " * 5000


@env.task(cache="auto")
def cached(seed: int) -> str:
    return f"cached {seed} " * 5000


@env.task
async def file(seed: int) -> list[File]:
    found = File.new_remote(f"{seed}.txt")
    async with found.open("wb") as out:
        await out.write(b"%d " % seed * 5000)
    return [found]


@env.task
async def folder(seed: int) -> Dir:
    with tempfile.TemporaryDirectory() as place:
        for name in range(3):
            with open(f"{place}/{name}", "w") as out:
                out.write(f"{seed}/{name} " * 5000)
        return await Dir.from_local(place)


@env.task
async def everything(seed: int) -> int:
    texts = await asyncio.gather(large(seed), cached(seed % 3))
    files = await file(seed)
    async with files[0].open("rb") as content:
        size = len(await content.read())
    kept = await folder(seed)
    again = await take(texts[0], files)
    return size + len(texts[1]) + again


@env.task
async def take(text: str, files: list[File]) -> int:
    async with files[0].open("rb") as content:
        return len(text) + len(await content.read())


@env.task
def step(x: int) -> int:
    note(f"start {x}")
    while not os.path.exists(os.environ["NOTES"] + f".go{x}"):
        time.sleep(0.02)
    note(f"end {x}")
    return x


@env.task
async def steps(n: int) -> int:
    return sum([await step(x) for x in range(n)])


class Kept(Flow):
    """A flow whose artifacts are large."""


@Kept.register()
class First(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.text = f"{parameters.seed} " * 6000


@Kept.register()
class Second(Layer):
    def __call__(self, first: First) -> None:
        self.longer = first.text * 2
'''


def holds(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Wait for something to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Operated:
    """A server, its folder, its database, its store."""

    def __init__(self, folder: Path, database: str = "", store: str = "") -> None:
        self.folder = folder
        self.state = folder / "state"
        self.database = database or f"sqlite:///{self.state}/server.db"
        self.store = store or str(folder / "store")
        self.port = free_port()
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(exist_ok=True)

    @property
    def place(self) -> list[str]:
        """The options that say where it keeps things."""
        return ["--state", str(self.state), "--database", self.database, "--store", self.store]

    def start(self) -> Operated:
        """Start it, and wait until it listens; again on the same port, since workers know that."""
        self.lines.clear()
        command = [COMMAND, "serve", "--port", str(self.port), *self.place, "--log", "json", "--concurrency", "4"]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL),
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        assert holds(lambda: self.events("listening") != []), "".join(self.lines)
        self.url = self.events("listening")[-1]["url"]
        self.client = Client(self.url, patience=30.0)
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.lines.append(line)

    def events(self, message: str) -> list[dict[str, Any]]:
        """Give the lines of its log with some message."""
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [event for event in found if event["message"] == message]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def end(self) -> None:
        """Stop it, and what it has started."""
        self.stop()
        for pid in processes.labels("agent/"):
            if _is_below(pid, self.folder):
                processes.kill_tree(pid)

    def laminar(self, *words: str, code: int = 0) -> str:
        """Run a command, and give what it has answered; if it is to fail, also why."""
        environment = {**os.environ, "LAMINAR_SERVER_ENDPOINT": self.url, "HOME": str(self.folder)}
        done = subprocess.run(
            [COMMAND, *words], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")

    def deploy(self) -> None:
        """Deploy the program of these tests."""
        (self.folder / "program.py").write_text(PROGRAM)
        self.laminar("deploy", "-q", "program.py", "env", "Kept")

    def submit(self, entity: str, name: str, **inputs: Any) -> None:
        """Ask for a run."""
        request = RunRequest(entity=entity, inputs=inputs, name=name, env_vars={"NOTES": str(self.folder / "notes")})
        self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)

    def view(self, name: str) -> RunView:
        """Look at a run."""
        found: RunView = self.client.call("GET", self.client.space_path(f"/runs/{name}"), returns=RunView)
        return found

    def wait(self, *names: str) -> None:
        """Wait until runs have succeeded."""
        for name in names:
            assert holds(lambda name=name: State(self.view(name).state).terminal, 90), self.view(name)
            assert State(self.view(name).state) is State.SUCCEEDED, self.view(name)

    def value(self, name: str, action: str = "a0") -> Any:
        """Give what an action has returned, as who asks for it from elsewhere gets it."""
        path = self.client.space_path(f"/runs/{name}/actions/{action}/result")
        result: ResultView = self.client.call("GET", path, returns=ResultView)
        assert result.output is not None, result
        values = Values(Artifacts(SpaceBlobs(self.client), VALUES, frames.registry()))
        return values.unpack(result.output.output().refs[0])

    def notes(self) -> list[str]:
        """What tasks have noted."""
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def go(self, step: int) -> None:
        """Let a step end."""
        (self.folder / f"notes.go{step}").touch()

    def content(self) -> set[str]:
        """Name all values and files in a store that is a folder."""
        return {str(path.relative_to(self.store)) for path in Path(self.store).rglob("artifacts/*.gz")}

    def age(self, days: float = 100.0) -> None:
        """Make all that lies in a store that is a folder look old."""
        then = time.time() - days * 86400
        for path in Path(self.store).rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))


def _is_below(pid: int, folder: Path) -> bool:
    """Tell whether a process works for a server of some folder."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
