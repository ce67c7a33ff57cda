"""What strangers and web pages may send: refused, with memory flat and the server answering others meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import faces
import pytest

from laminar.server import exchange, protocol, reading
from laminar.server.identity import Role
from laminar.server.routes import KIB, MIB, Asked, Route
from laminar.wire.tokens import TokenRequest

HEAD = "Host: 127.0.0.1\r\n"
JSON = f"{HEAD}Content-Type: application/json\r\n"
CHUNK = 64 * KIB
MANY = "X-Many: 0123456789012345678901234567890\r\n" * 5000


class Sink:
    """Takes uploads, and knows what came of each."""

    def __init__(self) -> None:
        self.received = 0
        self.ended: list[str] = []
        self.began = threading.Event()
        self.over = threading.Event()

    async def take(self, asked: Asked) -> None:
        digest = hashlib.sha256()
        try:
            async for chunk in asked.chunks:
                self.received += len(chunk)
                digest.update(chunk)
                self.began.set()
            self.ended.append(digest.hexdigest())
        except BaseException as error:
            self.ended.append(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.over.set()

    async def small(self, asked: Asked) -> None:
        """Take a body of JSON."""


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def yard(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[faces.Face]:
    """A server with a route for uploads of a mebibyte, and one for JSON of a kibibyte; it is patient for a second."""
    monkeypatch.setattr(exchange, "LEFT_SECONDS", 0.1)
    routes = (
        *faces.ROUTES,
        Route("PUT", "/sink", Role.EDITOR, sink.take, "Take bytes.", streams=True, most=MIB),
        Route("POST", "/small", Role.EDITOR, sink.small, "Take JSON.", body=TokenRequest, most=KIB),
    )
    with faces.running(routes, patience=1) as found:
        yield found


def resident() -> int:
    """Bytes of memory of this process, of which the server is a thread."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_an_upload_arrives_whole(yard: faces.Face, sink: Sink) -> None:
    data = os.urandom(MIB)
    assert yard.ask("PUT", "/api/v1/sink", data).status == 204
    assert sink.ended == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize("path", ["sink", "small"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(yard: faces.Face, sink: Sink, path: str) -> None:
    method = "PUT" if path == "sink" else "POST"
    with yard.connect() as connection:
        connection.sendall(f"{method} /api/v1/{path} HTTP/1.1\r\n{JSON}Content-Length: 10000000000\r\n\r\n".encode())
        assert status(connection.recv(4096)) == 413
    assert sink.received == 0


def test_a_body_without_a_length_is_cut_off_where_it_is_too_large(yard: faces.Face, sink: Sink) -> None:
    before = resident()
    with yard.connect() as connection:
        connection.sendall(f"PUT /api/v1/sink HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent = pour(connection, 1024 * MIB)
    sink.over.wait(faces.PATIENCE)
    assert sink.ended[0].startswith("RequestError")
    assert sink.received <= MIB
    assert sent < 64 * MIB
    assert resident() - before < 64 * MIB


def pour(connection: socket.socket, most: int) -> int:
    """Send chunks until the other side has had enough."""
    part = f"{CHUNK:x}\r\n".encode() + bytes(CHUNK) + b"\r\n"
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < most:
            connection.sendall(part)
            sent += CHUNK
    return sent


def test_who_sends_too_much_can_still_read_why(yard: faces.Face) -> None:
    answer = yard.ask("PUT", "/api/v1/sink", bytes(MIB + 1))
    assert (answer.status, answer.kind) == (413, "request-error")
    assert "1048576 bytes at most" in answer.json["detail"]


def test_a_body_that_nobody_wants_is_read_for_a_moment_and_no_more(yard: faces.Face) -> None:
    length = "Content-Length: 1000000"
    answer = yard.send(f"POST /api/v1/nowhere HTTP/1.1\r\n{HEAD}{length}\r\n\r\n".encode())
    assert status(answer) == 404
    assert b"connection: close" in answer.lower()


def test_who_asks_before_sending_too_much_is_told_not_to(yard: faces.Face, sink: Sink) -> None:
    head = f"PUT /api/v1/sink HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 10000000000\r\n\r\n"
    answer = yard.send(head.encode())
    assert status(answer) == 413
    assert b" 100 " not in answer
    assert sink.received == 0


def test_an_upload_that_is_broken_off_is_known_as_such(yard: faces.Face, sink: Sink) -> None:
    with yard.connect() as connection:
        connection.sendall(f"PUT /api/v1/sink HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\n".encode() + bytes(500))
        assert sink.began.wait(faces.PATIENCE)
    assert sink.over.wait(faces.PATIENCE)
    assert sink.ended == ["RequestError: The connection ended after 500 bytes of the body."]


def test_an_upload_that_stalls_is_given_up(yard: faces.Face, sink: Sink) -> None:
    answer = yard.send(f"PUT /api/v1/sink HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\n".encode() + bytes(500))
    assert status(answer) == 408
    assert "too slow" in sink.ended[0]


def test_an_upload_that_drips_is_given_up_too(yard: faces.Face, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SLOWEST", MIB)
    with yard.connect() as connection:
        connection.sendall(f"PUT /api/v1/sink HTTP/1.1\r\n{HEAD}Content-Length: 1000000\r\n\r\n".encode())
        drip = threading.Thread(target=drop, args=(connection, sink.over))
        drip.start()
        assert status(faces.read_all(connection)) == 408
        drip.join(faces.PATIENCE)
    assert sink.ended[0].endswith("too slow.")


def drop(connection: socket.socket, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not over.wait(0.05):
            connection.sendall(b"x")


def test_a_body_of_json_that_stalls_is_given_up(yard: faces.Face) -> None:
    assert status(yard.send(f"POST /api/v1/small HTTP/1.1\r\n{JSON}Content-Length: 9\r\n\r\n{{".encode())) == 408


def test_two_hundred_slow_heads_leave_the_server_to_others(yard: faces.Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 2.0)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(yard.connect()) for _ in range(200)]
        for connection in slow:
            connection.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert yard.ask("GET", "/api/v1/health").status == 200
        assert {status(faces.read_all(connection)) for connection in slow} == {408}


def test_a_connection_on_which_nothing_is_asked_is_closed(yard: faces.Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    assert yard.send(b"") == b""


def test_a_connection_is_kept_for_another_request(yard: faces.Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    with yard.connect() as connection:
        for _ in range(3):
            connection.sendall(f"GET /api/v1/health HTTP/1.1\r\n{HEAD}\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert b"ok" in answer.read()
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\n")
        assert status(faces.read_all(connection)) == 408


def test_more_connections_than_there_can_be_are_told_so() -> None:
    with faces.running(connections=5) as face, contextlib.ExitStack() as stack:
        for _ in range(4):
            open_one = stack.enter_context(face.connect())
            open_one.sendall(f"GET /api/v1/health HTTP/1.1\r\n{HEAD}\r\n".encode())
            assert status(open_one.recv(4096)) == 200
        assert face.ask("GET", "/api/v1/health").status == 503


def test_two_hundred_uploads_at_once_are_all_taken_with_memory_flat(yard: faces.Face, sink: Sink) -> None:
    before = resident()
    data = bytes(256 * KIB)
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda _: yard.ask("PUT", "/api/v1/sink", data).status, range(200)))
    assert found == [204] * 200
    assert sink.received == 200 * len(data)
    assert resident() - before < 64 * MIB


def test_too_many_requests_are_refused_for_a_while_to_who_sends_them_and_nobody_else() -> None:
    with faces.running(auth=True, rate=5) as face:
        busy, calm = face.token_for(Role.VIEWER, name="busy"), face.token_for(Role.VIEWER, name="calm")
        found = [face.ask("GET", "/api/v1/me", token=busy) for _ in range(40)]
        limited = [answer for answer in found if answer.status == 429]
        assert [answer.status for answer in found[:10]] == [200] * 10
        assert limited
        assert limited[0].kind == "rate-limit-error"
        assert "retry-after" in limited[0].headers
        assert face.ask("GET", "/api/v1/me", token=calm).status == 200


def test_who_tries_tokens_is_slowed_down() -> None:
    with faces.running(auth=True, rate=5) as face:
        found = [face.ask("GET", "/api/v1/me", token=f"lam_{number:012x}_x").status for number in range(40)]
        assert set(found) == {401, 429}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_is_not_the_servers_is_refused(face: faces.Face, host: str) -> None:
    answer = face.ask("GET", "/api/v1/me", headers={"Host": host})
    assert (answer.status, answer.kind) == (421, "request-error")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "[::1]:8080", "10.1.2.3", "host.docker.internal:1"])
def test_addresses_and_names_of_this_machine_are_taken(face: faces.Face, host: str) -> None:
    assert face.ask("GET", "/api/v1/me", headers={"Host": host}).status == 200


def test_a_name_can_be_given_to_the_server() -> None:
    with faces.running(names="laminar.example, other.example") as face:
        assert face.ask("GET", "/api/v1/me", headers={"Host": "laminar.example"}).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_a_page_of_another_origin_changes_nothing(face: faces.Face, origin: str) -> None:
    answer = face.ask("POST", "/api/v1/tokens", {"name": "a", "role": "admin"}, {"Origin": origin})
    assert (answer.status, answer.kind) == (403, "permission-denied-error")
    assert face.ask("GET", "/api/v1/tokens").json["tokens"] == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_sends_for_another_site_is_refused(face: faces.Face, site: str) -> None:
    assert face.ask("GET", "/api/v1/tokens", headers={"Sec-Fetch-Site": site}).status == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_of_the_server_itself_may_ask_also_by_a_proxy(face: faces.Face, scheme: str) -> None:
    headers = {"Origin": f"{scheme}://127.0.0.1:{face.port}", "Sec-Fetch-Site": "same-origin"}
    assert face.ask("POST", "/api/v1/tokens", {"name": "a", "role": "admin"}, headers).status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_is_no_request(face: faces.Face, kind: str) -> None:
    body = b'{"name": "a", "role": "admin"}'
    assert face.ask("POST", "/api/v1/tokens", body, {"Content-Type": kind}).status == 415


def test_no_answer_can_be_read_by_other_origins_or_be_shown_as_a_page(face: faces.Face) -> None:
    for path in ("/api/v1/me", "/api/v1/nowhere"):
        headers = face.ask("GET", path, headers={"Origin": f"http://127.0.0.1:{face.port}"}).headers
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"


def test_a_body_that_was_compressed_is_refused(yard: faces.Face) -> None:
    assert yard.ask("PUT", "/api/v1/sink", b"x", {"Content-Encoding": "gzip"}).status == 415


SMUGGLED = {
    "two lengths": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    "a list of lengths": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Content-Length: 5, 6\r\n\r\n12345",
    "a negative length": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Content-Length: -1\r\n\r\n",
    "a length with a sign": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Content-Length: +5\r\n\r\n12345",
    "another coding": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that looks chunked": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n",
    "a space before the colon": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}Content-Length : 0\r\n\r\n",
    "a folded header": f"GET /api/v1/me HTTP/1.1\r\n{HEAD} folded\r\n\r\nx: y",
    "no host": "GET /api/v1/me HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}Host: evil\r\n\r\n",
    "a bare line feed in a header": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}X: a\rb\r\n\r\n",
    "a zero byte": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}X: a\0b\r\n\r\n",
    "a chunk of nonsense": f"POST /api/v1/small HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "another protocol": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a head of a mebibyte": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}X: {'y' * MIB}\r\n\r\n",
    "thousands of headers": f"GET /api/v1/me HTTP/1.1\r\n{HEAD}{MANY}\r\n",
    "a method of nonsense": f"G\0T /api/v1/me HTTP/1.1\r\n{HEAD}\r\n",
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_requests_that_could_be_read_in_two_ways_are_not_read(
    yard: faces.Face, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with yard.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(SMUGGLED[what].encode("latin-1"))
        answer = faces.read_all(connection)
        assert set(re.findall(rb"HTTP/1.1 (\d+)", answer)) <= {b"400", b"408", b"415", b"421"}, answer
    assert yard.ask("GET", "/api/v1/health").status == 200


def test_a_length_besides_chunks_does_not_hide_a_second_request(yard: faces.Face) -> None:
    hidden = f"GET /api/v1/tokens HTTP/1.1\r\n{HEAD}\r\n"
    both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    answer = yard.send(f"POST /api/v1/small HTTP/1.1\r\n{JSON}{both}\r\n0\r\n\r\n{hidden}".encode())
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", ["%00", "a%0ab", "a%7fb", "%ff", "a%1b%5b31m"])
def test_names_that_nothing_has_are_refused(face: faces.Face, path: str) -> None:
    assert face.ask("DELETE", f"/api/v1/tokens/{path}").status == 400


BODIES: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b"[" * 100_000,
    "deep objects": lambda: b'{"name":' * 50_000,
    "a zero in a string": lambda: b'{"name": "a\\u0000", "role": "admin"}',
    "half a surrogate": lambda: b'{"name": "\\ud800", "role": "admin"}',
    "bytes that are no text": lambda: b'{"name": "\xff", "role": "admin"}',
    "a great number": lambda: b'{"name": "a", "role": "admin", "days": ' + b"9" * 5000 + b"}",
    "not a number": lambda: b'{"name": "a", "role": "admin", "days": NaN}',
    "nothing": lambda: b"",
    "a list": lambda: b"[]",
    "two values": lambda: b"{}{}",
}


@pytest.mark.parametrize("what", BODIES)
def test_bodies_of_nonsense_are_refused(what: str) -> None:
    wide = [route.replace(most=MIB) for route in faces.ROUTES]
    with faces.running(wide) as face:
        answer = face.ask("POST", "/api/v1/tokens", BODIES[what](), {"Content-Type": "application/json"})
        assert answer.status in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert face.ask("GET", "/api/v1/tokens").json["tokens"] == []
