"""Streams of events: a lost connection goes on where it was."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import faces
import msgspec
import pytest
from starlette.responses import Response

from laminar.server import streams
from laminar.server.identity import Role
from laminar.server.routes import Asked, Route


class After(msgspec.Struct, forbid_unknown_fields=True):
    """Where a stream goes on."""

    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class Count:
    """Counts to five, and then waits for what never comes, unless told that this was all."""

    def __init__(self) -> None:
        self.all = False
        self.closed = threading.Event()

    async def answer(self, asked: Asked) -> Response:
        return streams.answer(asked, self.events(streams.after(asked)), beat=0.05)

    async def events(self, after: int) -> AsyncIterator[list[streams.Event]]:
        try:
            for number in range(after + 1, 6):
                yield [streams.Event(number, "count", {"text": f"line\n{number}"})]
            if not self.all:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.fixture
def count() -> Count:
    return Count()


@pytest.fixture
def face(count: Count) -> Iterator[faces.Face]:
    route = Route("GET", "/count", Role.VIEWER, count.answer, "Count.", query=After, media=streams.MEDIA)
    with faces.running((*faces.ROUTES, route)) as found:
        yield found


def opened(face: faces.Face, path: str = "/api/v1/count", headers: str = "") -> socket.socket:
    connection = face.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
    return connection


def until(connection: socket.socket, text: bytes) -> bytes:
    found = b""
    while text not in found:
        part = connection.recv(65536)
        assert part, found
        found += part
    return found


def test_a_stream_says_what_happens_with_growing_ids_and_how_it_ended(face: faces.Face, count: Count) -> None:
    count.all = True
    answer = face.ask("GET", "/api/v1/count")
    lines = answer.data.decode().split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert lines[0] == "retry: 1000"
    assert lines[1] == 'id: 1\nevent: count\ndata: {"text":"line\\n1"}'
    assert [line.split("\n")[0] for line in lines[1:6]] == [f"id: {number}" for number in range(1, 6)]
    assert lines[6:] == ["event: end\ndata: {}", ""]


@pytest.mark.parametrize(
    ("path", "headers", "first"),
    [
        ("/api/v1/count?after=3", "", b"\nid: 4\n"),
        ("/api/v1/count", "Last-Event-ID: 2\r\n", b"\nid: 3\n"),
        ("/api/v1/count?after=1", "Last-Event-ID: 4\r\n", b"\nid: 5\n"),
    ],
)
def test_a_stream_goes_on_after_the_last_id_that_was_seen(
    face: faces.Face, path: str, headers: str, first: bytes
) -> None:
    with opened(face, path, headers) as connection:
        found = until(connection, b"\nid: 5\n")
    assert first in found
    assert found.count(b"\nid: ") == 6 - int(first[-2:])


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, "²"])
def test_a_last_id_of_nonsense_is_refused(face: faces.Face, last: str) -> None:
    answer = face.ask("GET", "/api/v1/count", headers={"Last-Event-ID": last})
    assert (answer.status, answer.kind) == (400, "request-error")


def test_a_stream_on_which_nothing_happens_shows_that_it_is_alive(face: faces.Face) -> None:
    with opened(face) as connection:
        assert until(connection, b": ping\n").count(b"\nid: ") == 5


def test_a_stream_that_nobody_reads_any_more_is_let_go(face: faces.Face, count: Count) -> None:
    with opened(face) as connection:
        until(connection, b"\nid: 5\n")
    assert count.closed.wait(faces.PATIENCE)


def test_a_stream_ends_when_the_server_stops_without_saying_that_this_was_all(count: Count) -> None:
    route = Route("GET", "/count", Role.VIEWER, count.answer, "Count.", media=streams.MEDIA)
    with faces.running((route,), grace=60) as face:
        connection = opened(face)
        until(connection, b"\nid: 5\n")
    assert b"event: end" not in faces.read_all(connection)
    assert count.closed.is_set()
