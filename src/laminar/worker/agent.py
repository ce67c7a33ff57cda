"""An agent: takes orders from a server, and runs attempts beside itself as forks of a process with the user's code.

It needs nothing but HTTP to the server. It outlives the server for a while: the next one hears which attempts run here,
and takes them back. When it ends, however that comes, all its attempts end with it.
"""

from __future__ import annotations

import importlib
import itertools
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time

from laminar.client.blobs import HttpBlobs
from laminar.client.bundles import fetch, fetch_into
from laminar.client.http import Client
from laminar.data.artifacts import Artifacts
from laminar.data.journal import SPACE
from laminar.data.serde import frames
from laminar.data.serde.failures import describe
from laminar.data.values import Values
from laminar.errors import LaminarError, LedgerError, ServerError, StaleAttemptError, StorageError
from laminar.executors.contract import Host
from laminar.executors.process import ForkSession
from laminar.host import leftovers, processes
from laminar.model.action import Door, Ended, Entry, EntryRef, Manifest, Request, SessionLost
from laminar.model.code import Code
from laminar.model.placement import WORKDIR
from laminar.model.policies import Resources
from laminar.wire.agents import (
    Chunk,
    End,
    FailureView,
    Heard,
    Hello,
    Key,
    Leave,
    Orders,
    Ready,
    Report,
    Start,
    Stop,
    Welcome,
)
from laminar.worker import commanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.model.action import Event
    from laminar.model.ids import AttemptKey

SERVER, TOKEN, FOLDER = "LAMINAR_AGENT_SERVER", "LAMINAR_AGENT_TOKEN", "LAMINAR_AGENT_FOLDER"
#: Seconds without a server after which an agent ends.
PATIENCE = 90.0
#: Seconds between words to the server, where there is nothing to tell.
BEAT = 4.0
#: Seconds between looks at what attempts print.
GLANCE = 0.2
#: Seconds that the server may take to answer a request that waits for orders.
SILENCE = 40.0
#: Bytes of output in one piece, and in one report.
MOST, ALL = 256 * 1024, 8 * 1024 * 1024
#: What forks need that the user's code may not have loaded, and what more where it has tasks.
BEFORE_FORKS = ("laminar.client.line", "laminar.client.blobs", "laminar.worker.calling", "laminar.wire.agents")
TASKS, SERVED = "laminar.tasks.environment", ("laminar.tasks.served",)


def main() -> None:
    """Serve the server that the environment names, until it says to leave, or is gone for too long."""
    client = Client(
        os.environ.pop(SERVER), os.environ.pop(TOKEN), timeout=SILENCE, patience=PATIENCE, at_first=PATIENCE
    )
    folder = os.environ.pop(FOLDER, None)
    private = os.path.join(folder or tempfile.gettempdir(), leftovers.private_name())
    os.mkdir(private, 0o700)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    agent = Agent(client, private, os.path.join(folder or private, "bundles"))
    try:
        agent.serve()
    except KeyboardInterrupt:
        sys.exit(143)
    except ServerError as error:
        sys.exit(f"The server is gone: {error}")
    finally:
        agent.close()
        shutil.rmtree(private, ignore_errors=True)


class Running:
    """An attempt that runs here, or whose end the server has not taken yet.

    Attributes:
        key: Its name.
        log: Path of the file that takes its output.
        sent: How much of its output the server has.
        end: How it has ended, if it has.
        whole: Whether all its output has been read.
    """

    __slots__ = ("end", "key", "log", "sent", "whole")

    def __init__(self, key: Key, log: str) -> None:
        """Begin with nothing printed."""
        self.key = key
        self.log = log
        self.sent = 0
        self.end: End | None = None
        self.whole = False

    def printed(self, room: int) -> list[Chunk]:
        """Give what it has printed since, up to a number of bytes."""
        chunks = []
        self.whole = False
        try:
            with open(self.log, "rb") as file:
                file.seek(self.sent)
                while room > 0 and (data := file.read(min(MOST, room))):
                    chunks.append(Chunk(key=self.key, offset=self.sent, data=data))
                    self.sent += len(data)
                    room -= len(data)
        except FileNotFoundError:
            room = 1
        self.whole = room > 0
        return chunks

    def forget(self) -> None:
        """Remove its output, which the server has."""
        if os.path.exists(self.log):
            os.unlink(self.log)


class Agent:
    """An agent."""

    def __init__(self, client: Client, folder: str, bundles: str) -> None:
        """Begin with nothing to do.

        Args:
            client: Reaches the server, with the agent's token.
            folder: For private files.
            bundles: Folder where code is kept.
        """
        self._client = client
        self._folder = folder
        self._bundles = bundles
        self._lock = threading.Lock()
        self._running: dict[AttemptKey, Running] = {}
        self._events: queue.SimpleQueue[Event | Key | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._session: ForkSession | None = None
        self._resources = Resources()
        self._closing = False
        self._command = ""
        self._code = Code(None, None, (), (), ("",), "")
        #: The orders that were taken, and how many servers have given some.
        self._ready = Ready()
        self._servers = 0
        self._taking = threading.Lock()
        self._reporter = threading.Thread(target=self._report, daemon=True, name="laminar-report")
        self._endpoint = client.endpoint

    def serve(self) -> None:
        """Take orders until it is told to leave.

        Raises:
            ServerError: The server is gone, or does not want this agent.
        """
        welcome = self._hello()
        self._reporter.start()
        try:
            self._session = self._open(welcome)
        except LaminarError as error:
            self._events.put(SessionLost(error))
        while True:
            server = self._servers
            try:
                orders: Orders = self._client.call(
                    "POST", "/agent/orders", body=self._ready, returns=Orders, again=True
                )
            except StaleAttemptError:
                self._hello()  # another server: it has heard of nobody yet
                continue
            if any(isinstance(order, Leave) for order in orders.orders):
                return
            self._take(orders, server)

    def close(self) -> None:
        """End all attempts, and tell the server what is left to tell."""
        if self._session is not None:
            self._session.close()
        self._events.put(None)
        if self._reporter.is_alive():
            self._reporter.join(GLANCE * 10)

    def _hello(self) -> Welcome:
        with self._taking:
            self._servers += 1
        with self._lock:
            live = [running.key for running in self._running.values()]
            for running in self._running.values():
                running.sent = 0  # another server has none of it under the name that it gives
        return self._client.call("POST", "/agent/hello", body=Hello(live=live), returns=Welcome, again=True)  # type: ignore[no-any-return]

    def _open(self, welcome: Welcome) -> ForkSession:
        limited = welcome.resources is not None
        if welcome.resources is not None:
            self._resources = welcome.resources.value()
        code = self._fetched(welcome)
        path = (*code.path, *[folder for folder in sys.path if folder not in code.path])
        self._code = code.replace(path=path)
        self._command = welcome.command
        host = Host(
            deliver=self._events.put,
            call=_never,
            code=self._code.replace(script=None, module=None, imports=()) if welcome.command else self._code,
            entry=EntryRef(f"{__name__}:ready", {"space": "", "run": ""}),
            label=os.environ.get(processes.LABEL, "agent"),
            folder=self._folder,
        )
        return ForkSession(host, max(1, welcome.concurrency), offers=True, limited=limited)

    def _fetched(self, welcome: Welcome) -> Code:
        if welcome.workdir and not welcome.in_image:
            return fetch_into(self._client, welcome.url, welcome.bundle, welcome.workdir, self._folder)
        if welcome.bundle:
            return fetch(self._client, welcome.url, welcome.bundle, self._bundles, welcome.workdir or WORKDIR)
        cwd = os.getcwd()
        return Code(None, None, tuple(welcome.imports), (cwd, *sys.path), ("",), cwd)

    def _take(self, orders: Orders, server: int) -> None:
        """Do what was not done yet: orders come by two requests, some by both, some late from a server that is gone."""
        with self._taking:
            if server != self._servers:
                return
            fresh = orders.last - (self._ready.after if self._ready.line == orders.line else 0)
            if fresh > 0:
                self._ready = Ready(line=orders.line, after=orders.last)
                for order in orders.orders[-fresh:]:
                    if not isinstance(order, Leave):
                        self._obey(order)

    def _obey(self, order: Start | Stop) -> None:
        key = order.key.key()
        if isinstance(order, Stop):
            if self._session is not None and key in self._running:
                self._session.stop(key, order.grace)
            return
        if self._session is None or key in self._running:
            return  # it cannot run, and the server knows; or it was told twice
        log = os.path.join(self._folder, str(next(self._numbers)))  # runs have actions of one name
        with self._lock:
            self._running[key] = Running(order.key, f"{log}.log")
        self._events.put(order.key)
        self._session.start(self._request(key, order, log))

    def _request(self, key: AttemptKey, order: Start, log: str) -> Request:
        registry = frames.registry()
        values = Values(Artifacts(HttpBlobs(self._endpoint, order.token), SPACE, registry))
        request = Request(
            key,
            order,
            order.environment,
            self._resources,
            f"{log}.log",
            f"{log}.manifest",
            entry=EntryRef(order.loader, {"values": values}),
            door=Door(self._endpoint, order.token),
        )
        return commanded.request(self._command, self._code, request) if self._command else request

    # What it tells the server, in a thread of its own

    def _report(self) -> None:
        try:
            self._report_all()
        except Exception as error:
            if not isinstance(error, ServerError):
                sys.excepthook(*sys.exc_info())
            os._exit(75)  # nobody tells the server any more; the attempts end with this process

    def _report_all(self) -> None:
        told = 0.0
        while True:
            report, last = self._collect()
            something = bool(report.started or report.ended or report.output or report.failed)
            if something or time.monotonic() - told > BEAT:
                self._tell(report)
                told = time.monotonic()
            if last:
                return

    def _tell(self, report: Report) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            server = self._servers
            try:
                heard: Heard = self._client.call("POST", "/agent/report", body=report, returns=Heard, again=True)
            except (StaleAttemptError, StorageError, LedgerError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(GLANCE)  # the other thread says hello, or the server has no room just now
                continue
            self._heard(report, heard)
            if heard.orders is not None:
                self._take(heard.orders, server)
            return

    def _heard(self, report: Report, heard: Heard) -> None:
        """Forget what the server has taken, and what it does not want; the rest is told again."""
        for chunk in reversed(report.output):
            if chunk.key in heard.later:
                running = self._running[chunk.key.key()]
                running.sent = min(running.sent, chunk.offset)  # less, if hello was said since
        with self._lock:
            for end in report.ended:
                if end.key not in heard.later:
                    self._running.pop(end.key.key()).forget()
        for key in heard.unknown:
            if self._session is not None and key.key() in self._running:
                self._session.stop(key.key(), 0.0)

    def _collect(self) -> tuple[Report, bool]:
        """Wait for something to tell, or for the next beat; tells also whether that is all."""
        events = self._happened()
        for event in events:
            if isinstance(event, Ended):
                self._running[event.key].end = _end(event)
        with self._lock:
            running = list(self._running.values())
            output: list[Chunk] = []
            for one in running:
                output += one.printed(ALL - sum(len(chunk.data) for chunk in output))
        started = [event for event in events if isinstance(event, Key)]
        ends = [one.end for one in running if one.end is not None and one.whole]
        lost = next((event.error for event in events if isinstance(event, SessionLost)), None)
        report = Report(started=started, output=output, ended=ends, failed=self._failed(lost), ready=self._ready)
        self._closing = self._closing or None in events
        return report, self._closing and all(one.whole for one in running)

    def _happened(self) -> list[Event | Key | None]:
        """Wait for what happens. A start waits for what follows it, for a glance: many attempts have ended by then."""
        events: list[Event | Key | None] = []
        until = time.monotonic() + (GLANCE if self._running else BEAT)
        try:
            while not events or isinstance(events[-1], Key):
                events.append(self._events.get(timeout=max(0.0, until - time.monotonic())))
                until = min(until, time.monotonic() + GLANCE)
            while True:
                events.append(self._events.get_nowait())
        except queue.Empty:
            return events

    def _failed(self, lost: BaseException | None) -> FailureView | None:
        """Tell why the code cannot be loaded. Where the process that had to was killed, this agent ends instead."""
        if lost is None:
            return None
        if self._session is None or self._session.failure is not None:
            return FailureView.of(describe(lost))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return None


def _end(ended: Ended) -> End:
    manifest = ended.manifest
    if manifest is None and ended.error is not None:
        manifest = Manifest({}, describe(ended.error))
    return End.of(ended, manifest)


def _never(request: Request) -> Manifest:
    raise AssertionError(f"{request.key} was to run inside the agent")


def ready(_: Any) -> Entry:
    """Load what forks need, in the process that forks them."""
    for name in (*BEFORE_FORKS, *(SERVED if TASKS in sys.modules else ())):
        importlib.import_module(name)
    return Entry()
