"""A gate before an engine's socket: it passes on all that is said, and at a chosen word kills who speaks, or waits."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Gate:
    """Listens at a socket of its own, and waits for its moment."""

    def __init__(self, path: Path, engine: str) -> None:
        """Listen.

        Args:
            path: Its socket.
            engine: Address of the engine.
        """
        self.address = f"unix://{path}"
        self.killed = threading.Event()
        self._engine = engine.removeprefix("unix://")
        self._pattern: re.Pattern[bytes] | None = None
        self._first = True
        self._reached, self._open = threading.Event(), threading.Event()
        self._open.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def kill_at(self, pattern: str, *, before: bool) -> None:
        """Kill who asks for something first: before the engine hears of it, or when it has answered."""
        self._pattern = re.compile(pattern.encode())
        self._first = before

    def hold_at(self, pattern: str) -> None:
        """Hold back what is asked first of something, until it is released."""
        self._pattern = re.compile(pattern.encode())
        self._open.clear()

    def reached(self) -> None:
        """Wait until something is held back."""
        assert self._reached.wait(60), "nothing of the kind was asked"

    def release(self) -> None:
        """Let it go on."""
        self._open.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(self._engine)
        due = threading.Event()
        answers = threading.Thread(target=self._answer, args=(engine, client, due), daemon=True)
        answers.start()
        try:
            while data := client.recv(1 << 16):
                if self._pattern is not None and not self.killed.is_set() and self._pattern.search(data):
                    if not self._open.is_set():
                        self._reached.set()
                        self._open.wait(60)
                    elif self._reached.is_set():
                        pass  # it was held and released
                    elif self._first:
                        self._kill(client)
                        return
                    else:
                        due.set()
                engine.sendall(data)
        except OSError:
            pass
        finally:
            _shut(engine, socket.SHUT_WR if not self.killed.is_set() else socket.SHUT_RDWR)

    def _answer(self, engine: socket.socket, client: socket.socket, due: threading.Event) -> None:
        try:
            while data := engine.recv(1 << 16):
                if due.is_set():
                    self._kill(client)
                    return
                client.sendall(data)
        except OSError:
            pass
        finally:
            _shut(client, socket.SHUT_RDWR)
            engine.close()

    def _kill(self, client: socket.socket) -> None:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        os.kill(int.from_bytes(credentials[:4], "little"), signal.SIGKILL)
        self.killed.set()


def _shut(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        return
