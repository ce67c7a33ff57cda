"""``laminar serve`` in a process of its own, for tests of who asks it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from shells import PROGRAM


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run a server with a folder of its own, and give its address."""
    command = [PROGRAM, "serve", "--port", "0", "--state", str(folder / "state"), *options]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        yield _address(server)
    finally:
        server.terminate()
        server.wait(30)
        server.stderr.close()


def _address(server: subprocess.Popen[str]) -> str:
    """Wait until it listens; what else it says is read and dropped, lest it waits for a reader."""
    assert server.stderr is not None
    lines = []
    for line in server.stderr:
        lines.append(line)
        told = json.loads(line)
        if told["message"] == "listening":
            threading.Thread(target=_drop, args=(server.stderr,), daemon=True).start()
            return str(told["url"])
    raise AssertionError("".join(lines))


def _drop(lines: Iterator[str]) -> None:
    with contextlib.suppress(ValueError):  # closed at the end
        for _ in lines:
            pass
