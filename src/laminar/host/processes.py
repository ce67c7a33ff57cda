"""Processes: their identity, their descendants, and ending whole trees of them."""

from __future__ import annotations

import os
import signal
import sys
import time

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROC = "/proc"
#: Variable that marks every process that laminar starts, so that a sweep can find what no lease covers.
LABEL = "LAMINAR_LABEL"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_prctl: Any = None


class ProcessIdentity(Value, frozen=True):
    """A process, told apart from a later one with the same number.

    Attributes:
        host: Name of the machine.
        place: Boot of the machine and its PID namespace; numbers mean the same only within one.
        pid: The process number.
        started: When it started, in clock ticks since boot; empty where the system does not tell.
    """

    host: str
    place: str
    pid: int
    started: str

    def alive(self) -> bool | None:
        """Tell whether the process still runs; None if that cannot be told from here."""
        if self.place != place():
            return None
        if self.started:
            return start_time(self.pid) == self.started
        return _exists(self.pid)

    def __str__(self) -> str:
        """Show the process for people."""
        return f"process {self.pid} on {self.host}"


def place() -> str:
    """Name the boot and the PID namespace of this process."""
    try:
        with open(f"{PROC}/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        return f"{boot}/{os.readlink(f'{PROC}/self/ns/pid')}"
    except OSError:
        return os.uname().nodename if hasattr(os, "uname") else "unknown"


def identity() -> ProcessIdentity:
    """Give the identity of this process."""
    pid = os.getpid()
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "localhost")
    return ProcessIdentity(host, place(), pid, start_time(pid) or "")


def _stat(pid: int) -> list[str] | None:
    """Read the fields of a process behind its name: state, parent, group, session, …"""
    try:
        with open(f"{PROC}/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def start_time(pid: int) -> str | None:
    """Tell when a process started, in clock ticks since boot; None if there is no such process, or only its zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def descendants(root: int) -> list[int]:
    """List the processes below one, children before grandchildren; empty where the system does not tell."""
    children: dict[int, list[int]] = {}
    try:
        entries = os.listdir(PROC)
    except OSError:
        return []
    for entry in entries:
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields is not None and fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    level = [root]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found


def signal_process(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_tree(root: int) -> None:
    """Kill a process and all below it, so that none can start another meanwhile."""
    _kill(lambda: {root, *descendants(root)})


def kill_below(root: int) -> None:
    """Kill all below a process, which itself lives on."""
    _kill(lambda: set(descendants(root)))


def _kill(members: Callable[[], set[int]]) -> None:
    """Kill a set of processes that may grow: each is stopped first, and the set read again until it no longer does."""
    seen: set[int] = set()
    while fresh := members() - seen:
        for pid in fresh:
            signal_process(pid, signal.SIGSTOP)
        seen |= fresh
    for pid in seen:
        signal_process(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Let the orphans below this process fall to it, where the system can: Linux."""
    _control(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int) -> None:
    """Have a signal sent to this process when the thread that started it ends, where the system can; 0 for none."""
    _control(PR_SET_PDEATHSIG, number)


def _control(option: int, value: int) -> None:
    global _prctl
    if sys.platform == "linux":
        if _prctl is None:
            import ctypes  # 10 ms, and only processes that run attempts need it

            _prctl = ctypes.CDLL(None).prctl
        _prctl(option, value, 0, 0, 0)


def labelled(prefix: str) -> list[int]:
    """List the processes whose environment bears a label that starts so; empty where the system does not tell."""
    return list(labels(prefix))


def labels(prefix: str) -> dict[int, str]:
    """Give the labels that start so, by the processes whose environment bears them."""
    wanted = f"{LABEL}={prefix}".encode()
    found: dict[int, str] = {}
    try:
        entries = os.listdir(PROC)
    except OSError:
        return {}
    for entry in entries:
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"{PROC}/{entry}/environ", "rb") as file:
                    variables = file.read().split(b"\0")
            except OSError:
                continue
            for variable in variables:
                if variable.startswith(wanted):
                    found[int(entry)] = variable.partition(b"=")[2].decode(errors="replace")
    return found


def sweep(prefix: str, patience: float = 2.0) -> list[int]:
    """Kill every process whose label starts so, and wait until they are gone.

    Args:
        prefix: Start of the label.
        patience: Seconds to wait for the kernel.

    Returns:
        The processes found.
    """
    found = labelled(prefix)
    deadline = time.monotonic() + patience
    left = found
    while left and time.monotonic() < deadline:
        for pid in left:
            kill_tree(pid)
        time.sleep(0.01)
        left = [pid for pid in left if start_time(pid) is not None]
    return found
