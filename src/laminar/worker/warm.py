"""The warm parent: a fresh interpreter that loads the user's code once and forks each attempt.

It has one thread, so forking is safe. Each attempt leads a session, and adopts the orphans of what it starts
(``PR_SET_CHILD_SUBREAPER``), so its whole tree hangs below it; when it ends, what is left of the tree falls to the warm
parent, which kills it. The warm parent ends, killing all, when the scheduler closes its end of the socket or dies.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time

from laminar.executors.process import receive, send
from laminar.host import files, processes
from laminar.worker import assignment, child, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from laminar.model.action import Entry, Request
    from laminar.model.ids import AttemptKey

#: Seconds between looks at whether the scheduler lives. Its end of the socket closes when it dies, unless a process
#: that it forked holds that open.
GLANCE = 1.0
#: Seconds to wait for the kernel to end what was killed.
PATIENCE = 5.0


def main(handle: int) -> None:
    """Serve the scheduler at the other end of a socket."""
    connection = socket.socket(fileno=handle)
    connection.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the scheduler's to answer
    first = receive(connection)
    if first is None:
        return
    code, entry_ref, label, scheduler = first
    processes.die_with_parent(signal.SIGKILL)  # while user code loads, nobody reads the socket
    if os.getppid() != scheduler:
        return
    payload: Any = entry_ref.payload
    assignment.assign(assignment.Assignment(payload["space"], payload["run"], stops=True))
    try:
        entry = loading.load(code, entry_ref)
    except Exception as error:
        send(connection, ("failed", error))
        return
    processes.die_with_parent(0)
    processes.adopt_orphans()
    gc.collect()
    gc.freeze()  # keep the collector from touching, and so copying, what all forks share
    send(connection, ("ready",))
    _Parent(connection, entry, label, scheduler).serve()


class _Parent:
    def __init__(self, connection: socket.socket, entry: Entry, label: str, scheduler: int) -> None:
        self._connection = connection
        self._entry = entry
        self._label = label
        self._scheduler = scheduler
        self._running: dict[int, AttemptKey] = {}
        self._kills: dict[int, float] = {}

    def serve(self) -> None:
        """Answer the scheduler and reap attempts until the scheduler is gone."""
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self._connection, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        try:
            while os.getppid() == self._scheduler:
                for ready, _ in selector.select(self._patience()):
                    if ready.fileobj is woken:
                        woken.recv(4096)
                    elif not self._obey():
                        return
                self._reap()
                self._kill_overdue()
        finally:
            self._end()

    def _patience(self) -> float:
        due = min(self._kills.values(), default=float("inf"))
        return max(0.0, min(due - time.monotonic(), GLANCE))

    def _obey(self) -> bool:
        message = receive(self._connection)
        if message is None:
            return False
        if message[0] == "start":
            self._start(message[1])
        else:
            self._stop(message[1], message[2])
        return True

    def _start(self, request: Request) -> None:
        sys.stdout.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(request, parent)
        self._running[pid] = request.key

    def _become(self, request: Request, parent: int) -> NoReturn:
        """Be the attempt: never returns."""
        code = 70
        try:
            self._separate(request, parent)
            child.run(self._entry, request)
            code = 0
        except BaseException:
            import traceback  # only when the attempt's own machinery failed

            traceback.print_exc()
        finally:
            os._exit(code)

    def _separate(self, request: Request, parent: int) -> None:
        os.setsid()
        processes.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(75)  # the parent died before this process asked to die with it
        processes.adopt_orphans()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._connection.close()
        os.environ[processes.LABEL] = f"{self._label}/{request.key}"
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = files.open_log(request.log)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        for number in (nothing, log):
            os.close(number)
        _reseed()

    def _stop(self, key: AttemptKey, grace: float) -> None:
        for pid, running in self._running.items():
            if running == key:
                processes.signal_process(pid, signal.SIGTERM)
                self._kills[pid] = time.monotonic() + grace
                return

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, due in list(self._kills.items()):
            if due <= now:
                del self._kills[pid]
                processes.kill_tree(pid)

    def _reap(self) -> None:
        """Take the attempts that have ended, end what they have left, and report them."""
        ended = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            key = self._running.pop(pid, None)
            if key is None:
                continue  # an orphan that this process adopted
            self._kills.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            ended.append(("ended", key, code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000))
        if ended:
            self._kill_orphans()
        for message in ended:
            try:
                send(self._connection, message)
            except ConnectionError:
                return  # the scheduler is gone; the socket says so next

    def _kill_orphans(self) -> None:
        """Kill the children that are no attempts, which is what ended attempts have left, and wait for their end."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            orphans = [pid for pid in _children() if pid not in self._running]
            if not orphans:
                return
            for pid in orphans:
                processes.kill_tree(pid)
            if not any(_gone(pid) for pid in orphans):
                time.sleep(0.001)

    def _end(self) -> None:
        self._running.clear()
        self._kill_orphans()


def _gone(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _children() -> list[int]:
    """List the children of this process, by the kernel's own list where it keeps one."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _reseed() -> None:
    """Give NumPy's global generator a state of its own, unless the user's code has seeded it.

    Python's own :mod:`random` does so by itself after a fork.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "random"):
        return
    generator = getattr(numpy.random.mtrand, "_rand", None)
    if getattr(getattr(generator, "_bit_generator", None), "_seed_seq", None) is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "big"))
