"""A folder with a flow whose layers run in containers, and what can be seen of them from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import Engine
from laminar.host import processes
from laminar.ledger.sql import Ledger
from laminar.runs.local import label_of
from shells import Shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.ledger.rows import AttemptRow

INSTALLATION, ACTION, POOL = (f"laminar.{name}" for name in ("installation", "action", "pool"))

#: What user code and tests tell each other below the root of the datastore, which containers see.
SIGNS = '''
import os
import signal
import subprocess
import sys
import time

FOLDER = "@"
HIDE = """
import os, signal, sys, time
name, path = sys.argv[1:]
if name == "orphan":
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if name == "deaf":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
handle = os.open(path + "/journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
os.write(handle, f"stray {name}\\\\n".encode())
while True:
    time.sleep(60)
"""


def sign(*words):
    """Add a line to the journal."""
    handle = os.open(f"{FOLDER}/journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(handle, (" ".join(map(str, words)) + "\\n").encode())
    os.close(handle)


def journal():
    with open(f"{FOLDER}/journal") as file:
        return file.read().splitlines()


def held(place):
    """Say that a place is reached, and wait there while it is held."""
    sign("at", place)
    while os.path.exists(f"{FOLDER}/hold-{place}"):
        time.sleep(0.005)


def family(*names):
    """Start processes that hide in every way there is, and wait until they live."""
    before = len([line for line in journal() if line.startswith("stray")])
    for name in names:
        subprocess.Popen([sys.executable, "-c", HIDE, name, FOLDER], start_new_session=name == "session")
    while len([line for line in journal() if line.startswith("stray")]) < before + len(names):
        time.sleep(0.005)


def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
'''

TOP = """
    import os
    import signal
    import subprocess
    import sys
    import time

    from signs import deaf, family, held, sign

    from laminar import Flow, Image, Layer
    from laminar.configurations import executors
    from laminar.configurations.layers import Container, ForEach, Parameter, Retry, ReusePolicy, Timeout
    from laminar.configurations.schedulers import Scheduler
"""
END = """
    if flow := Held(
        executor=executors.Docker(concurrency=CONCURRENCY, reuse=REUSE), scheduler=Scheduler(grace=GRACE)
    ):
        if sys.argv[1] == "resume":
            flow.execution(sys.argv[2]).resume()
        else:
            flow(execution=sys.argv[1])
"""
#: A layer, and splits that wait while they are held. The words in capitals are filled in.
FLOW = """
    class Held(Flow): ...


    @Held.register
    class First(Layer):
        def __call__(self) -> None:
            self.shard(number=list(range(SPLITS)))


    @Held.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="number")]), LAYER)
    class Second(Layer):
        def __call__(self, first: First) -> None:
            name = f"{first.number}"
            print("begins", name, flush=True)
            sign("begins", name)
            BODY
            held(name)
            print("ends", name, flush=True)
            sign("ends", name)
            self.double = first.number * 2


"""
#: The same, and a layer that joins what the splits have.
JOINED = (
    FLOW
    + """
    @Held.register
    class Third(Layer):
        def __call__(self, second: Second) -> None:
            sign("total", sum(second.double))
"""
)
#: One layer, whose body is filled in.
ONE = """
    class Held(Flow): ...


    @Held.register(LAYER)
    class Only(Layer):
        def __call__(self) -> None:
            sign("begins")
            BODY
            sign("ends")
"""
KEPT = "ReusePolicy(replicas=(0, 2), idle_ttl=30)"


class Yard(Shell):
    """A folder with a flow, an engine, and commands."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        super().__init__(folder)
        self.engine = engine
        self.root = folder / ".laminar"
        self.signs = self.root / "signs"
        self.signs.mkdir(parents=True)
        #: What its programs find in their environment.
        self.variables = {name: value for name, value in engine.variables.items() if name.startswith("LAMINAR_")}
        self.installation = label_of(str(self.root), "", "").split("/")[2]

    def flow(
        self, text: str = FLOW, *, warm: str | None = None, body: str = "pass", layer: str = "", **words: Any
    ) -> None:
        """Write the flow.

        Args:
            text: Its classes.
            warm: The policy by which containers are kept; None keeps none.
            body: What the split does.
            layer: Further arguments of its registration.
            words: The other words to fill in.
        """
        program = textwrap.dedent(TOP) + textwrap.dedent(text) + textwrap.dedent(END)
        body = textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8).strip()
        values = {"SPLITS": 2, "CONCURRENCY": 2, "GRACE": 1, "REUSE": warm, "BODY": body, "LAYER": layer, **words}
        for word, value in values.items():
            program = program.replace(word, str(value))
        (self.folder / "main.py").write_text(program)
        (self.folder / "signs.py").write_text(SIGNS.replace("@", str(self.signs)))

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a scheduler, which leads a process group."""
        return self.start("main.py", *(arguments or ("one",)), program=sys.executable)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a scheduler to its end: its exit code and what it has printed."""
        answer = self.python("main.py", *(arguments or ("one",)))
        return answer.code, answer.out + answer.err

    def builds(self, builder: str) -> None:
        """Have images built by ``classic`` or ``buildkit``, upon a base with which that is soon done."""
        self.variables |= {"LAMINAR_IMAGE_BUILDER": builder, "LAMINAR_IMAGE_BASE": self.engine.prepared()}

    def hold(self, place: str) -> None:
        (self.signs / f"hold-{place}").touch()

    def release(self, place: str) -> None:
        (self.signs / f"hold-{place}").unlink()

    def until(self, happened: Callable[[], object], what: str, patience: float = 30) -> None:
        """Wait for something that is bound to happen; what schedulers have said is shown if it does not."""
        deadline = time.monotonic() + patience
        while not happened():
            if time.monotonic() > deadline:
                raise AssertionError(f"it never came to this: {what}\n{self.last_words()}")
            time.sleep(0.02)

    def last_words(self) -> str:
        """Kill all schedulers, and give what they and user code have said."""
        said = []
        for process in self._started:
            process.kill()
            said += [text for text in process.communicate() if text]
        return "\n".join([*said, *self.journal()])

    def reached(self, place: str) -> None:
        self.until(lambda: f"at {place}" in self.journal(), f"at {place}")

    def journal(self) -> list[str]:
        path = self.signs / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def noted(self, word: str) -> list[str]:
        """List what user code has noted under a word, sorted."""
        return sorted(line.partition(" ")[2] for line in self.journal() if line.partition(" ")[0] == word)

    def kill(self, scheduler: subprocess.Popen[str]) -> None:
        """Kill a scheduler by SIGKILL."""
        scheduler.send_signal(signal.SIGKILL)
        scheduler.communicate()

    def kill_below(self, tracer: subprocess.Popen[str]) -> None:
        """Kill what a tracer traces, and then itself."""
        processes.kill_tree(tracer.pid)
        tracer.communicate()

    def hears(self, scheduler: subprocess.Popen[str], word: str) -> None:
        """Wait until a scheduler says something."""
        assert scheduler.stderr is not None
        said = []
        for line in scheduler.stderr:
            if word in line:
                return
            said.append(line)
        raise AssertionError(f"it did not say {word}: {''.join(said)}")

    def events(self, run: str = "one") -> list[str]:
        """List the events of a run."""
        ledger = Ledger(str(self.root / "ledger.db"), create=False)
        try:
            return [f"{event.kind}: {event.detail}" for event in ledger.events("Held", run)]
        finally:
            ledger.close()

    def end(self, scheduler: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for the end of a scheduler: its exit code and what it has printed."""
        out, err = scheduler.communicate(timeout=60)
        return scheduler.returncode, out + err

    def containers(self, label: str = INSTALLATION, state: str = "") -> list[str]:
        """List the containers of this folder that bear a label, dead ones too."""
        filters = [
            f"label={INSTALLATION}={self.installation}",
            f"label={label}",
            *([f"status={state}"] if state else []),
        ]
        options = [word for filter_ in filters for word in ("--filter", filter_)]
        return self.engine.docker("ps", "--all", "--quiet", "--no-trunc", *options).split()

    def inspected(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", container))[0]
        return found

    def attempts(self, name: str = "Second", run: str = "one") -> list[AttemptRow]:
        """List the attempts of a layer; none before there is a ledger."""
        if not (self.root / "ledger.db").exists():
            return []
        ledger = Ledger(str(self.root / "ledger.db"), create=False)
        try:
            return ledger.attempts("Held", run, name)
        finally:
            ledger.close()

    def orders(self) -> list[Path]:
        """List the orders for containers of attempts that may still be read."""
        return sorted(self.root.glob(".attempts/**/*.order"))

    def state(self, run: str = "one") -> str:
        """Give the state of a run."""
        ledger = Ledger(str(self.root / "ledger.db"), create=False)
        try:
            found = ledger.find("Held", run)
            return found.state.value if found is not None else "missing"
        finally:
            ledger.close()

    def outcomes(self, name: str = "Second", run: str = "one") -> list[str]:
        """List how the attempts of a layer ended, in one word each."""
        return [(row.outcome or "none").partition(":")[0] for row in self.attempts(name, run)]

    def alive(self) -> list[str]:
        """List the processes of attempts that live, by what started them: their containers' and their strays."""
        found = []
        for entry in os.listdir(processes.PROC):
            if entry.isdigit() and processes.start_time(int(entry)) is not None:
                line = _command(int(entry))
                stray = line[-1:] == [str(self.signs)]
                attempt = any(word.startswith(f"{self.root}/.attempts/") for word in line)
                forked = any(word.startswith(f"{self.root}/.warm/") for word in line) and not _keeps(int(entry))
                found += [" ".join(line[-3:])] if stray or attempt or forked else []
        return found

    @staticmethod
    def running(word: str) -> list[int]:
        """List the processes whose command line has a word."""
        entries = [int(entry) for entry in os.listdir(processes.PROC) if entry.isdigit()]
        return [pid for pid in entries if word in " ".join(_command(pid)) and processes.start_time(pid) is not None]

    def settled(self, *, warm: bool = False, patience: float = 30) -> None:
        """Wait until nothing of an attempt lives or is left in the engine; kept containers may stay, without one."""

        def left() -> list[str]:
            return self.alive() or self.containers(ACTION if warm else INSTALLATION)

        self.until(lambda: not left(), "nothing is left", patience)

    def close(self) -> None:
        super().close()
        for container in self.containers():
            self.engine.docker("rm", "--force", container)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return super().start(*arguments, **{**self.variables, **options})

    def laminar(self, *arguments: str, **options: Any) -> Any:
        return super().laminar(*arguments, **{**self.variables, **options})


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def _keeps(pid: int) -> bool:
    """Whether a process of a warm container is its init, or the one that this has started."""
    parent = processes._stat(pid)
    if parent is None:
        return True
    above = _command(int(parent[1]))
    return "serve" not in above or os.path.basename(above[0]) in ("docker-init", "podman-init", "catatonit", "tini")
