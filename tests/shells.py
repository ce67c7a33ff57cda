"""The command line as users have it: a folder with a file of flows, and the installed program."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = str(Path(sys.executable).parent / "laminar")
WARM_PROGRAM = str(Path(__file__).with_name("warm_program.py"))
#: Seconds that a command may take.
LONGEST = 60

#: Three layers with a foreach; ``wait_for`` lets a test hold it at a named place, and ``fail`` lets it fail there.
HELLO = """
    import os
    import time
    from pathlib import Path

    from laminar import Flow, Layer
    from laminar.configurations.layers import ForEach, Parameter


    def reached(place):
        if Path(f"hold-{place}").exists():
            Path(f"at-{place}").touch()
            while Path(f"hold-{place}").exists():
                time.sleep(0.01)
        if Path(f"fail-{place}").exists():
            raise ValueError(f"told to fail at {place}")
        with open("journal", "a") as journal:
            journal.write(f"{place}\\n")


    class Hello(Flow): ...


    @Hello.register
    class First(Layer):
        def __call__(self) -> None:
            print("first speaks")
            self.shard(number=[10, 20, 30])


    @Hello.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="number")]))
    class Second(Layer):
        def __call__(self, first: First) -> None:
            print(f"second has {first.number}", flush=True)
            reached(f"second-{self.index}")
            self.double = first.number * 2


    @Hello.register
    class Third(Layer):
        def __call__(self, second: Second) -> None:
            self.total = sum(second.double)
            print(f"total {self.total}")


    if flow := Hello():
        flow()
"""


class Answer(NamedTuple):
    """What a command has answered."""

    code: int
    out: str
    err: str

    @property
    def plain(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


class Warm:
    """The installed program without the start of Python, which takes longer than most commands; one run at a time."""

    _idle: ClassVar[dict[frozenset[tuple[str, str]], list[Warm]]] = {}

    def __init__(self, environment: dict[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, WARM_PROGRAM, PROGRAM, str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # Python remembers of what kind these are
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        self._answers = self._requests.makefile()
        atexit.register(self._end)

    @classmethod
    def run(cls, arguments: list[str], folder: Path, environment: dict[str, str]) -> Answer:
        """Run the program to its end, in a process of its own, as ``subprocess.run`` does."""
        at_start = ("PYTHON", "LC_", "LANG", "TZ")  # what Python reads when it starts
        idle = cls._idle.setdefault(frozenset(each for each in environment.items() if each[0].startswith(at_start)), [])
        warm = idle.pop() if idle else cls(environment)
        answer = warm._run(arguments, folder, environment)
        idle.append(warm)
        return answer

    def _run(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> Answer:
        (out, to_out), (err, to_err), nothing = os.pipe(), os.pipe(), os.open(os.devnull, os.O_RDONLY)
        socket.send_fds(self._requests, [b"+"], [nothing, to_out, to_err])
        for each in (nothing, to_out, to_err):
            os.close(each)
        self._requests.sendall(json.dumps([arguments, str(folder), environment]).encode() + b"\n")
        late = threading.Timer(LONGEST, os.kill, [int(self._answers.readline()), signal.SIGKILL])
        late.start()
        with open(out) as said, open(err) as told, ThreadPoolExecutor(1) as beside:
            telling = beside.submit(told.read)
            answer = said.read(), telling.result()
        code = int(self._answers.readline())
        late.cancel()
        assert not late.finished.is_set() or code != -signal.SIGKILL, f"{arguments} took longer than {LONGEST} seconds"
        return Answer(code, *answer)

    def _end(self) -> None:
        self._answers.close()
        self._requests.close()
        self._process.communicate()


def _without_traceback(answer: Answer) -> Answer:
    assert "src/laminar/" not in answer.err, f"a traceback of laminar's own:\n{answer.err}"
    return answer


class Shell:
    """A folder, and commands in it."""

    program = PROGRAM
    python_program = sys.executable

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str = HELLO) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def laminar(self, *arguments: str, program: str = "", **environment: str) -> Answer:
        """Run a command to its end; another program is started as programs are."""
        settings = self._environment(environment)
        if program:
            return self._run(program, arguments, settings)
        return _without_traceback(Warm.run(list(arguments), self.folder, settings))

    def installed(self, *arguments: str, **environment: str) -> Answer:
        """Run a command to its end as users do: Python is started for it."""
        return _without_traceback(self._run(PROGRAM, arguments, self._environment(environment)))

    def _run(self, program: str, arguments: tuple[str, ...], environment: dict[str, str]) -> Answer:
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def python(self, *arguments: str, **environment: str) -> Answer:
        """Run Python to its end."""
        return self.laminar(*arguments, program=sys.executable, **environment)

    def start(self, *arguments: str, program: str = PROGRAM, **environment: str) -> subprocess.Popen[str]:
        """Start a command that goes on beside the test."""
        process = subprocess.Popen(
            [program, *arguments],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def hold(self, place: str) -> None:
        """Let the flow wait when it comes to a place."""
        (self.folder / f"hold-{place}").touch()

    def reached(self, place: str) -> None:
        """Wait until the flow is at a place where it is held."""
        self.until(lambda: (self.folder / f"at-{place}").exists(), f"at {place}")

    def release(self, place: str) -> None:
        """Let the flow go on."""
        (self.folder / f"hold-{place}").unlink()

    def journal(self) -> list[str]:
        """Read what user code has noted, in order."""
        path = self.folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def newest(self, **environment: str) -> str:
        """Give the id of the newest run."""
        run: str = self.laminar("get", "runs", "--limit", "1", "-o", "json", **environment).plain[0]["run"]
        return run

    def layers(self, run: str = "one") -> dict[str, dict[str, Any]]:
        """Give what JSON says of the layers of a run, by name."""
        flow = self.laminar("get", "run", run, "-o", "json").plain["flows"][0]
        return {layer["layer"]: layer for layer in flow["layers"]}

    @staticmethod
    def until(happened: Callable[[], object], what: str) -> None:
        """Wait for something that is bound to happen."""
        deadline = time.monotonic() + 30
        while not happened():
            assert time.monotonic() < deadline, f"it never came to this: {what}"
            time.sleep(0.01)

    def close(self) -> None:
        """End what was started and still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    @staticmethod
    def _environment(more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_")}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}
