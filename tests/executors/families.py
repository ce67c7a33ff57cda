"""Processes that a split leaves about, and how to tell whether they live."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from laminar.host import processes

#: User code that starts processes which hide in every way there is, and notes each as ``name pid start``.
FOUND = """
    import subprocess

    HIDE = '''
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
    with open("/proc/self/stat") as file:
        start = file.read().rpartition(")")[2].split()[19]
    handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(handle, f"{name} {os.getpid()} {start}\\\\n".encode())
    while True:
        time.sleep(60)
    '''

    def found_a_family(*names):
        path = os.environ["FAMILY"]
        for name in names:
            subprocess.Popen(
                [sys.executable, "-c", HIDE, name, path],
                start_new_session=name in ("session", "bare"),
                env={} if name == "bare" else None,
            )
        while not os.path.exists(path) or len(open(path).readlines()) < len(names):
            time.sleep(0.005)
"""


def members(path: Path) -> dict[str, bool]:
    """Tell which members of a family live."""
    found = {}
    for line in path.read_text().splitlines():
        name, pid, start = line.split()
        found[name] = processes.start_time(int(pid)) == start
    return found


def strike(path: Path, name: str) -> None:
    """End a member of a family of whom laminar cannot know, and strike it out."""
    lines = path.read_text().splitlines(keepends=True)
    for line in lines:
        if line.split()[0] == name and members(path)[name]:
            os.kill(int(line.split()[1]), signal.SIGKILL)
    path.write_text("".join(line for line in lines if line.split()[0] != name))


def wait_until_gone(path: Path) -> None:
    """Wait until no member of a family lives."""
    deadline = time.monotonic() + 30
    while any((alive := members(path)).values()):
        assert time.monotonic() < deadline, f"still alive: {[name for name, lives in alive.items() if lives]}"
        time.sleep(0.01)
