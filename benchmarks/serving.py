"""The rows of a server: real ones, beside bare forks, bare ``docker run`` and plain requests."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import containers
from laminar.client.http import Client
from laminar.ledger.opening import open_database
from laminar.ledger.server_rows import Submission
from laminar.ledger.submissions import Submissions
from laminar.wire.runs import ResultView, RunPage, RunRequest, RunView
from table import PASS, PROGRAMS, Bench, Row, milliseconds

LAMINAR = str(Path(sys.executable).with_name("laminar"))
PROGRAM = PROGRAMS / "task_served.py"
SPACE = "default/development"


class Server:
    """A server in a fresh folder, and a client of it."""

    def __init__(self, folder: Path, executor: str) -> None:
        """Start it, and wait until it answers."""
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        words = ["serve", "--port", str(port), "--state", str(folder / "state"), "--executor", executor]
        with (folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen([LAMINAR, *words], stdout=log, stderr=log, cwd=folder)
        self.client = Client(self.url, patience=120.0, at_first=120.0)
        self.client.call("GET", "/health", returns=dict)

    def deploy(self) -> float:
        """Deploy the program; gives the seconds of the whole process."""
        began = time.perf_counter()
        environment = {**os.environ, "LAMINAR_SERVER_ENDPOINT": self.url}
        subprocess.run([LAMINAR, "deploy", "-q", str(PROGRAM), "env"], env=environment, check=True, stdout=-3)
        return time.perf_counter() - began

    def begin(self, entity: str, **inputs: object) -> str:
        """Begin a run."""
        request = RunRequest(entity=entity, inputs=inputs)
        view: RunView = self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)
        return view.name

    def view(self, run: str) -> RunView:
        """Look at a run."""
        found: RunView = self.client.call("GET", self.client.space_path(f"/runs/{run}"), returns=RunView)
        return found

    def wait(self, run: str) -> RunView:
        """Wait for its end."""
        for _ in self.client.events(self.client.space_path(f"/runs/{run}/events")):
            continue
        found = self.view(run)
        if found.state.value != "SUCCEEDED":
            raise SystemExit(f"{run}: {found.state.value}: {found.error}")
        return found

    def value(self, run: str) -> float:
        """Give what a run has returned."""
        path = self.client.space_path(f"/runs/{run}/actions/a0/result")
        result: ResultView = self.client.call("GET", path, returns=ResultView)
        assert result.output is not None
        assert result.output.refs[0].data is not None
        return float(pickle.loads(result.output.refs[0].data))

    def memory(self) -> float:
        """Tell how much memory it has, in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS"))


@contextlib.contextmanager
def running(bench: Bench, executor: str = "process") -> Iterator[Server]:
    """Run a server."""
    server = Server(bench.fresh(), executor)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def _first_lines(server: Server, count: int) -> list[float]:
    """Tell how long after each request the first line of user code ran."""
    server.deploy()
    server.wait(server.begin("served.begun"))
    found = []
    for _ in range(count):
        asked = time.time()
        run = server.begin("served.begun")
        server.wait(run)
        found.append(server.value(run) - asked)
    return found


def request(bench: Bench) -> Iterator[Row]:
    """Ask for a run, until the first line of user code."""
    with running(bench) as server:
        found = _first_lines(server, bench.amount(40, 3))
    bare = statistics.median(bench.seconds(PASS) for _ in range(bench.amount(11, 1)))
    p95 = _p95(found)
    measured = f"p95 {milliseconds(p95)}, median {milliseconds(statistics.median(found))}"
    work = "server, warm process: request to first line of user code"
    yield Row(work, measured, f"`python -c pass` {milliseconds(bare)}", p95 / bare, "p95 ≤ 500 ms", p95 <= 0.5)


def request_cold(bench: Bench) -> Iterator[Row]:
    """The same with a container for each run."""
    image = containers.image_of(bench)
    with running(bench, "docker") as server:
        found = _first_lines(server, bench.amount(11, 1))
    bare = statistics.median(bench.seconds(containers.bare(image)) for _ in range(bench.amount(7, 1)))
    p95 = _p95(found)
    measured = f"p95 {milliseconds(p95)}, median {milliseconds(statistics.median(found))}"
    work = "server, cold container: request to first line of user code"
    baseline = f"`docker run IMAGE python -c pass` {milliseconds(bare)}"
    yield Row(work, measured, baseline, p95 / bare, "p95 ≤ the baseline + 1 s", p95 <= bare + 1)


def _bare_forks(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return time.perf_counter() - began


def fan_out(bench: Bench) -> Iterator[Row]:
    """Run 1,000 and 10,000 children of one parent, with somebody looking on."""
    with running(bench) as server:
        server.deploy()
        server.wait(server.begin("served.wide", n=10))
        count = bench.amount(1000, 50)
        found = []
        for _ in range(bench.amount(3, 1)):
            view = server.wait(server.begin("served.wide", n=count))
            found.append((view.ended or 0.0) - (view.started or 0.0))
        seconds, bare = statistics.median(found), _bare_forks(count)
        rate = count / seconds
        yield Row(
            f"server: a run of {count:,} children, warm processes",
            f"{seconds:.1f} s, {rate:.0f} actions/s",
            f"{count:,} bare forks {bare:.2f} s",
            seconds / bare,
            "≥ 100 actions/s",
            rate >= 100,
        )
        yield from _many(server, bench.amount(10_000, 100))


def _many(server: Server, count: int) -> Iterator[Row]:
    before, most, looks = server.memory(), [0.0], {"runs": [0.0], "run": [0.0]}
    over = threading.Event()
    run = server.begin("served.wide", n=count)

    def look() -> None:
        with Client(server.url) as client:
            pages = {"runs": client.space_path("/runs"), "run": client.space_path(f"/runs/{run}/actions")}
            while not over.wait(0.25):
                for name, path in pages.items():
                    began = time.perf_counter()
                    client.call("GET", path, returns=dict)
                    looks[name].append(time.perf_counter() - began)
                most[0] = max(most[0], server.memory())

    looking = threading.Thread(target=look)
    looking.start()
    view = server.wait(run)
    over.set()
    looking.join()
    seconds = (view.ended or 0.0) - (view.started or 0.0)
    work = f"server: a run of {count:,} children"
    yield Row(f"{work}: time", f"{seconds:.0f} s, {count / seconds:.0f} actions/s", "", None, "completes", True)
    grown = max(0.0, most[0] - before)
    yield Row(f"{work}: growth of the server", f"{grown:.0f} MB", "", None, "≤ 200 MB", grown <= 200)
    for name, what in (("runs", "list of runs"), ("run", "list of its actions")):
        p95 = _p95(looks[name])
        yield Row(f"{work}: {what} meanwhile", f"p95 {milliseconds(p95)}", "", None, "p95 ≤ 100 ms", p95 <= 0.1)


def listing(bench: Bench) -> Iterator[Row]:
    """List runs where there are very many."""
    count = bench.amount(100_000, 1000)
    with running(bench) as server:
        _fill(server, count)
        path = server.client.space_path("/runs")
        vain = {"state": "CANCELLED", "name": "no-run-begins-so"}
        bare, found, nothing = [], [], []
        for _ in range(bench.amount(200, 10)):
            for where, query, times in (("/me", None, bare), (path, None, found), (path, vain, nothing)):
                began = time.perf_counter()
                server.client.call("GET", where, query=query, returns=dict)
                times.append(time.perf_counter() - began)
        page: RunPage = server.client.call("GET", path, returns=RunPage)
        assert len(page.items) == 50
        assert not server.client.call("GET", path, query=vain, returns=RunPage).items
    baseline = f"`GET /me` p95 {milliseconds(_p95(bare))}"
    for times, what in ((found, "a page of 50 runs"), (nothing, "no runs, by state and beginning of the name,")):
        p95 = _p95(times)
        work = f"server: {what} of {count:,}, SQLite"
        yield Row(work, f"p95 {milliseconds(p95)}", baseline, p95 / _p95(bare), "p95 ≤ 50 ms", p95 <= 0.05)


def _fill(server: Server, count: int) -> None:
    """Note many runs that have ended, as the server itself would."""
    database = open_database(f"sqlite:///{server.folder / 'state' / 'server.db'}")
    try:
        submissions = Submissions(database)
        for number in range(count):
            run = f"r{number:06d}"
            submissions.submit(
                Submission(SPACE, run, "task", "served.begun", "1", float(number + 1), "bench", {}, "{}")
            )
            submissions.withdraw(SPACE, run, "it is only listed")
    finally:
        database.close()


def again(bench: Bench) -> Iterator[Row]:
    """Deploy once more with nothing changed."""
    with running(bench) as server:
        server.deploy()
        found = [server.deploy() for _ in range(bench.amount(11, 1))]
    bare = statistics.median(bench.seconds(PASS) for _ in range(bench.amount(11, 1)))
    seconds = statistics.median(found)
    work = "`laminar deploy` again with nothing changed, whole process"
    baseline = f"`python -c pass` {milliseconds(bare)}"
    yield Row(work, milliseconds(seconds), baseline, seconds / bare, "≤ 1 s", seconds <= 1)
