"""A proxy before a server that does what networks do: it sends twice, late, out of order, and loses answers."""

from __future__ import annotations

import http.client
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Share of requests that are sent twice, and of those of which the answer is lost.
DOUBLED, LOST = 0.3, 0.1
#: Seconds that a request may be late; the doubles of some come much later.
LATE, MUCH_LATER = 0.05, 3.0


class Proxy:
    """Stands before a server; what it does comes from a seed, but for the order of threads."""

    def __init__(self, port: int, seed: int) -> None:
        self.refused: list[int] = []
        self.doubled = 0
        self._port = port
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _roll(self) -> tuple[float, bool, bool, float]:
        with self._lock:
            dice = self._dice
            late = dice.uniform(0, LATE)
            return late, dice.random() < DOUBLED, dice.random() < LOST, dice.uniform(0, MUCH_LATER)

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status in (401, 409):
                self.refused.append(answer.status)
            return answer, data
        finally:
            connection.close()

    def _again(self, later: float, *asked: Any) -> None:
        time.sleep(later)
        self.doubled += 1
        try:
            self._ask(*asked)
        except OSError:
            return  # the server is gone

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                late, doubled, lost, later = proxy._roll()
                changes = self.path.startswith(("/api/v1/agent/report", "/api/v1/attempt/messages"))
                asked = (self.command, self.path, body, dict(self.headers))
                time.sleep(late if changes else 0.0)
                if doubled and changes:
                    threading.Thread(target=proxy._again, args=(later, *asked), daemon=True).start()
                try:
                    answer, data = proxy._ask(*asked)
                except OSError:
                    self.close_connection = True
                    return
                if lost and changes:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_HEAD = _pass  # noqa: N815 - the names that the library asks for

            def log_message(self, *_: object) -> None:
                pass

        return Handler
