"""Stands between a client and PostgreSQL, and cuts a connection in the middle of a commit."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Cutter:
    """Hands bytes through, until told to cut the next commit: on its way there, or on its way back.

    Attributes:
        folder: Where clients find the socket.
        cuts: How many connections were cut.
    """

    def __init__(self, server: str, folder: Path) -> None:
        self.folder = folder
        self.cuts = 0
        self._server = f"{server}/{SOCKET}"
        self._next: str | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, where: str) -> None:
        """Cut the next commit: ``there`` the server never hears of it, ``back`` the client never hears of its end."""
        self._next = where

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                for work in (self._there, self._back):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if b"COMMIT" not in data or self._next is None:
                    server.sendall(data)
                    continue
                where, self._next = self._next, None
                self.cuts += 1
                _end(client)
                if where == "there":
                    break
                server.sendall(data)
        _end(server, how=socket.SHUT_WR)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                with contextlib.suppress(OSError):
                    client.sendall(data)
        for one in (client, server):
            _end(one)


def _end(one: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(how)
