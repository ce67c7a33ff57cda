"""A peer that answers as a test says, byte by byte: what no real server can be brought to do on command."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

Step = bytes | Callable[[bytes], bytes]


class Peer:
    """Answers requests, one after another, with the steps of its script; the last step is repeated.

    A step of no bytes closes the connection, and one that ends in ``CUT`` does so after what comes before.
    """

    def __init__(
        self, steps: Sequence[Step], context: ssl.SSLContext | None = None, listener: socket.socket | None = None
    ) -> None:
        self.asked: list[bytes] = []
        self.connections = 0
        self._steps = list(steps)
        self._context = context
        self._lock = threading.Lock()
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as file:
                while request := _read(file):
                    with self._lock:
                        self.asked.append(request)
                        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
                    data = step(request) if callable(step) else step
                    connection.sendall(data.removesuffix(CUT))
                    if not data or data.endswith(CUT):
                        connection.shutdown(socket.SHUT_RDWR)
                        return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


CUT = b"\0CUT"


def _read(file: object) -> bytes:
    found = b""
    length = 0
    while line := file.readline():  # type: ignore[attr-defined]
        found += line
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
        if line == b"\r\n":
            return found + file.read(length)  # type: ignore[attr-defined,no-any-return]
    return b""


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """An answer with its length; names of headers have underscores for dashes."""
    given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body


@contextlib.contextmanager
def peer(*steps: Step, context: ssl.SSLContext | None = None) -> Iterator[Peer]:
    found = Peer(steps, context)
    try:
        yield found
    finally:
        found.close()
