"""The first process of laminar in a container, below its init: forks attempts, and writes down how each has ended.

``once ORDER`` runs one attempt and ends with it. ``serve FOLDER SECONDS MODULE…`` takes notes from a folder and ends
after so many seconds without work: for each run, a warm parent loads the user's code once and forks its attempts. See
:mod:`laminar.executors.docker.orders` for the files.

This process holds nothing of the user's, so when memory runs out the kernel takes an attempt, and this process reads
that from the container's own counter; engines do not always tell (Podman on hybrid cgroups never did, in 7 of 7).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from importlib import import_module

from laminar.data.serde import failures
from laminar.data.serde.failures import describe
from laminar.executors.docker import misfits, orders
from laminar.executors.outcomes import UNDELIVERED
from laminar.executors.process import receive, send
from laminar.host import machine, processes
from laminar.model.action import ATTEMPT_VARIABLE, Manifest
from laminar.worker import advice, child, once, warm
from laminar.worker.commanded import become
from laminar.worker.forks import Forks, redirect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.model.action import Attempt, Request
    from laminar.model.ids import AttemptKey


def main() -> None:
    """Do what the arguments say."""
    failures.advice = advice.in_container
    what, *arguments = sys.argv[1:]
    if what == "once":
        sys.exit(_Once(arguments[0]).run())
    folder, idle, *modules = arguments
    for module in modules:
        import_module(module)  # before the first fork, so that forks need not
    _Keeper(folder, float(idle)).run()


def _order(path: str) -> Attempt:
    """Read the order, or leave with a code that says why that cannot be. This Python's own modules are there too."""
    try:
        attempt = orders.read_order(path)
        own = [folder for folder in sys.path if folder]
        return attempt.replace(code=attempt.code.replace(path=(*attempt.code.path, *own)))
    except FileNotFoundError:
        print(f"the order {path} is not to be seen in the container", file=sys.stderr)
        sys.exit(orders.UNSEEN)
    except orders.OrderError as error:
        print(error, file=sys.stderr)
        sys.exit(misfits.MISMATCH)


class _Once:
    """One attempt."""

    def __init__(self, order: str) -> None:
        self._path = order
        self._attempt = _order(order)
        self._status: int | None = None
        self._forks = Forks(self._ended)

    def run(self) -> int:
        """Run it; gives the exit code of the container."""
        key = self._attempt.request.key
        selector = selectors.DefaultSelector()
        self._forks.watch(selector)
        self._forks.start(key, self._become)
        # from now on, since a signal that came before there is an attempt must end this process
        signal.signal(signal.SIGTERM, lambda *_: self._forks.stop(key, float("inf")))
        while self._status is None:
            for ready, _ in selector.select():
                ready.data()
            self._forks.turn()
        return self._status if self._status >= 0 else 128 - self._status

    def _become(self) -> None:
        """Be the attempt."""
        machine.offer(warm.SOONER)
        request = self._attempt.request
        os.environ[processes.LABEL] = str(request.key)
        redirect(request.log)
        command = request.placement.command
        if command is None:
            once.perform(self._attempt)
            return
        environment = {**os.environ, **dict(self._attempt.code.env), **request.env, ATTEMPT_VARIABLE: self._path}
        become(command, self._attempt.code.cwd, environment)

    def _ended(self, _: AttemptKey, status: int, cpu: float, memory: float, killed: bool) -> None:
        self._status = _note(self._attempt.request, orders.End(status, cpu, memory, killed))


class _Code:
    """The warm parent of a run, and its attempts by their orders."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.requests: dict[AttemptKey, tuple[str, Request]] = {}
        self.failure: BaseException | None = None

    def fail(self) -> None:
        """Hand over for each attempt why the code could not be loaded."""
        assert self.failure is not None
        for _, request in self.requests.values():
            child.hand_over(request, Manifest({}, describe(self.failure)))
            _note(request, orders.End(0, 0.0, 0.0, False))
        self.requests.clear()


class _Keeper:
    """A warm container."""

    def __init__(self, folder: str, idle: float) -> None:
        self._folder = folder
        self._idle = idle
        self._since = time.monotonic()
        self._codes: dict[str, _Code] = {}
        self._forks = Forks(self._code_ended)
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Take notes until there was nothing to do for long enough."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._forks.watch(self._selector)
        try:
            while self._take() or self._worth_waiting():
                patience = orders.patience(time.monotonic() - self._since)
                for ready, _ in self._selector.select(min(self._forks.patience(), patience)):
                    ready.data()
                self._forks.turn()
        except KeyboardInterrupt:
            sys.exit(143)
        finally:
            self._forks.end()

    def _worth_waiting(self) -> bool:
        idle = time.monotonic() - self._since
        return idle < self._idle or any(code.requests for code in self._codes.values())

    def _take(self) -> bool:
        """Do what the notes say; tells whether there were any."""
        notes = orders.take_notes(self._folder)
        for what, *arguments in notes:
            getattr(self, f"_{what}")(*arguments)
        if notes:
            self._since = time.monotonic()
        return bool(notes)

    def _start(self, label: str, path: str) -> None:
        if not os.path.exists(path) or self._knows(path):
            return  # withdrawn, or told again by a scheduler that takes over
        attempt = _order(path)
        request = attempt.request
        try:
            code = self._codes.get(label) or self._load(label, attempt)
        except OSError as error:  # no process more may be had
            child.refuse(request, error)
            _note(request, orders.End(0, 0.0, 0.0, False))
            return
        code.requests[request.key] = (path, request)
        if code.failure is None:
            self._tell(code, "start", request)
        else:
            code.fail()  # the warm parent has failed, and is still about to end

    def _knows(self, path: str) -> bool:
        """Tell whether an order runs, or has ended."""
        running = any(order == path for code in self._codes.values() for order, _ in code.requests.values())
        return running or orders.read_end(orders.manifest_of(path)) is not None

    def _load(self, label: str, attempt: Attempt) -> _Code:
        """Start the warm parent of a run."""
        connection, theirs = socket.socketpair()
        keeper = os.getpid()
        with theirs:
            self._forks.start(label, lambda: self._become(connection, theirs))
        code = self._codes[label] = _Code(connection)
        # not the label itself, by which a scheduler that resumes ends what runs outside of containers
        send(connection, (attempt.code, attempt.entry, f"container/{label}", keeper))
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(code))
        return code

    def _become(self, connection: socket.socket, theirs: socket.socket) -> None:
        """Be the warm parent of a run."""
        self._selector.close()
        connection.close()
        for code in self._codes.values():
            code.connection.close()
        warm.main(theirs.detach(), offers=True)

    def _stop(self, path: str, grace: float) -> None:
        for code in self._codes.values():
            for key, (order, _) in code.requests.items():
                if order == path:
                    self._tell(code, "stop", key, grace)
                    return

    def _leave(self, run: str) -> None:
        for label, code in self._codes.items():
            if label.startswith(run):
                code.requests.clear()  # nobody waits for their ends; who resumes the run begins them anew
                code.connection.shutdown(socket.SHUT_WR)  # which ends the warm parent with all its attempts

    @staticmethod
    def _tell(code: _Code, *message: Any) -> None:
        try:
            send(code.connection, message)
        except ConnectionError:
            return  # it has died, and its end says so for each of its attempts

    def _hear(self, code: _Code) -> bool:
        """Take what a warm parent says."""
        try:
            message = receive(code.connection)
        except OSError:
            message = None
        if message is None:
            self._selector.unregister(code.connection)
            return True
        if message[0] == "ended":
            _, key, *end = message
            if key in code.requests:
                _, request = code.requests.pop(key)
                _note(request, orders.End(*end))
            self._since = time.monotonic()
        elif message[0] == "failed":
            code.failure = message[1]
            code.fail()
        return True

    def _code_ended(self, label: str, status: int, cpu: float, memory: float, killed: bool) -> None:
        """Take the end of a warm parent, which ends all its attempts."""
        code = self._codes.pop(label)
        while code.connection.fileno() in self._selector.get_map() and self._hear(code):
            continue  # what it said before it ended
        code.connection.close()
        for _, request in code.requests.values():
            _note(request, orders.End(status or -signal.SIGKILL, cpu, memory, killed))


def _note(request: Request, end: orders.End) -> int:
    """Write down how an attempt has ended; gives its exit status, or that of one that could not be written down."""
    try:
        orders.write_end(request.manifest, end)
    except OSError as error:
        print(f"{request.manifest}: {error}", file=sys.stderr, flush=True)
        return UNDELIVERED
    return end.status
