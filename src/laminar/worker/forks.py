"""Children of this process: each a fork that leads a session of its own, reaped and killed with all that it started.

What a child leaves behind falls to this process (``PR_SET_CHILD_SUBREAPER``), which kills it. Used by processes with
one thread, so forking is safe.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time

from laminar.host import files, processes
from laminar.host.machine import memory_kills

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, NoReturn

#: Seconds to wait for the kernel to end what was killed.
PATIENCE = 5.0


class Forks:
    """The children of this process."""

    def __init__(self, ended: Callable[[Any, int, float, float, bool], None]) -> None:
        """Start with none, and adopt orphans from now on.

        Args:
            ended: Is told of each end: key, exit status (negative: the signal), processor seconds, peak megabytes, and
                whether the kernel killed for memory meanwhile.
        """
        self._ended = ended
        self.running: dict[int, Hashable] = {}
        self._due: dict[int, float] = {}
        self._kills: dict[int, int | None] = {}
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        processes.adopt_orphans()
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Have a selector wake when a signal comes, such as that of a child's end."""
        selector.register(self._woken, selectors.EVENT_READ, self._drain)

    def _drain(self) -> bool:
        self._woken.recv(4096)
        return True

    def start(self, key: Hashable, become: Callable[[], None]) -> None:
        """Fork; the child calls ``become`` and exits: with 0, or 70 if that raises."""
        sys.stdout.flush()
        kills = memory_kills()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(become, parent)
        self.running[pid] = key
        self._kills[pid] = kills

    def _become(self, become: Callable[[], None], parent: int) -> NoReturn:
        code = 70
        try:
            self._separate(parent)
            become()
            code = 0
        except BaseException:
            import traceback  # only when the attempt's own machinery failed

            traceback.print_exc()
        finally:
            os._exit(code)

    def _separate(self, parent: int) -> None:
        os.setsid()
        processes.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(75)  # the parent died before this process asked to die with it
        processes.adopt_orphans()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for end in (self._woken, self._wake):
            end.close()

    def stop(self, key: Hashable, grace: float) -> None:
        """Ask a child to end, and kill its tree after the grace; asked again, it has no more time than before."""
        for pid, running in self.running.items():
            if running == key:
                processes.signal_process(pid, signal.SIGTERM)
                self._due[pid] = min(self._due.get(pid, float("inf")), time.monotonic() + grace)
                return

    def patience(self) -> float:
        """Tell in how many seconds something is due."""
        return max(0.0, min(self._due.values(), default=float("inf")) - time.monotonic())

    def turn(self) -> None:
        """Reap those that have ended and kill those whose grace is over."""
        self._reap()
        now = time.monotonic()
        for pid, due in list(self._due.items()):
            if due <= now:
                del self._due[pid]
                processes.kill_tree(pid)

    def _reap(self) -> None:
        """Take those that have ended, end what they have left, and tell of them."""
        ended = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            key = self.running.pop(pid, None)
            if key is None:
                continue  # an orphan that this process adopted
            self._due.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            before = self._kills.pop(pid)
            killed = code == -signal.SIGKILL and self._killed_for_memory(before)
            ended.append((key, code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, killed))
        if ended:
            self._kill_orphans()
        for end in ended:
            self._ended(*end)

    def _killed_for_memory(self, before: int | None) -> bool:
        """Tell whether the kernel has killed for memory since a child began that was killed; told of one child only."""
        now = memory_kills()
        if before is None or now is None or now <= before:
            return False
        for other, kills in self._kills.items():
            self._kills[other] = None if kills is None else kills + 1
        return True

    def _kill_orphans(self) -> None:
        """Kill the children that were not started here, which is what ended ones have left, and wait for their end."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            orphans = [pid for pid in _children() if pid not in self.running]
            if not orphans:
                return
            for pid in orphans:
                processes.kill_tree(pid)
            if not any(_gone(pid) for pid in orphans):
                time.sleep(0.001)

    def end(self) -> None:
        """Kill all children, with all that they have started."""
        self.running.clear()
        self._kill_orphans()


def redirect(log: str) -> None:
    """Let this process read nothing and write to a log, and let NumPy's chance differ from its parent's."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = files.open_log(log)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for number in (nothing, output):
        os.close(number)
    _reseed()


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
