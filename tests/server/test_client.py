"""The client of a server's API: what it asks again, what it makes of refusals, and what it tells nobody."""

from __future__ import annotations

import datetime
import io
import ipaddress
import os
import pickle
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import faces
import msgspec
import peers
import pytest

from laminar import errors
from laminar.client import transport
from laminar.client.http import Client
from laminar.errors import (
    ConfigurationError,
    DigestMismatchError,
    LaminarError,
    ServerBusyError,
    ServerError,
    ServerNotReachableError,
    StorageError,
    UploadRefusedError,
)
from laminar.runs import connecting
from laminar.server import streams
from laminar.server.identity import Role
from laminar.server.routes import Asked, Route
from laminar.wire.problems import MEDIA_TYPE, error_of, problem_of

TOKEN = "lam_0123_secret"
GOOD = peers.answer(body=b'{"number": 5}')
BUSY = [peers.answer(503, Retry_After="0"), peers.answer(502, Retry_After="0"), b"", GOOD[:-5] + peers.CUT]


class Number(msgspec.Struct):
    number: int


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_can_be_repeated_is_asked_again(method: str) -> None:
    with peers.peer(*BUSY, GOOD) as peer:
        client = Client(peer.url, at_first=20, patience=20)
        assert client.call(method, "/x", body=Number(1), returns=Number) == Number(5)
        assert len(peer.asked) == 5
        assert len(set(peer.asked)) == 1


def test_a_post_is_asked_again_if_that_does_no_harm() -> None:
    with peers.peer(*BUSY, GOOD) as peer:
        client = Client(peer.url, at_first=20, patience=20)
        assert client.call("POST", "/x", body=Number(1), returns=Number, again=True) == Number(5)


@pytest.mark.parametrize(
    ("step", "kind"),
    [(BUSY[0], ServerBusyError), (b"", ServerNotReachableError), (GOOD[:-5] + peers.CUT, ServerNotReachableError)],
)
def test_another_post_is_asked_once(step: bytes, kind: type[Exception]) -> None:
    with peers.peer(step) as peer:
        with pytest.raises(kind):
            Client(peer.url, at_first=20, patience=20).call("POST", "/x", body=Number(1))
        assert len(peer.asked) == 1


def test_who_asks_too_often_waits_for_as_long_as_is_asked_for() -> None:
    with peers.peer(peers.answer(429, Retry_After="0"), GOOD) as peer:
        assert Client(peer.url, at_first=20).call("POST", "/x", returns=Number) == Number(5)


def test_a_wait_that_is_longer_than_patience_is_not_begun() -> None:
    with peers.peer(peers.answer(503, Retry_After="3600")) as peer:
        with pytest.raises(ServerBusyError):
            Client(peer.url, at_first=20).call("GET", "/x")
        assert len(peer.asked) == 1


def closed_port() -> socket.socket:
    """A port that is taken, and where nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


def test_where_no_server_is_the_error_says_where_and_how_to_start_one() -> None:
    with closed_port() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerNotReachableError, match=rf"127\.0\.0\.1:{port}: Connection refused.*'laminar serve'"):
            Client(f"http://127.0.0.1:{port}", TOKEN).call("POST", "/x")


def test_a_server_that_starts_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = closed_port()
    started: list[peers.Peer] = []

    def start(_: float) -> None:
        """In place of the first wait: the server starts."""
        monkeypatch.undo()
        taken.listen()
        started.append(peers.Peer([GOOD], listener=taken))

    monkeypatch.setattr(transport.time, "sleep", start)
    client = Client(f"http://127.0.0.1:{taken.getsockname()[1]}", at_first=20)
    assert client.call("POST", "/x", returns=Number) == Number(5)
    started[0].close()


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LaminarError)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_problem_becomes_the_error_that_it_was(kind: type[LaminarError]) -> None:
    problem = problem_of(kind("What happened, to what, and what to do."))
    body = msgspec.json.encode(problem)
    said = pytest.raises(LaminarError, match="What happened, to what, and what to do")
    with peers.peer(peers.answer(problem.status, body, Content_Type=MEDIA_TYPE)) as peer, said as caught:
        Client(peer.url).call("POST", "/x")
    assert type(caught.value) is kind


def test_a_problem_of_a_newer_server_is_an_error_of_a_server() -> None:
    problem = msgspec.structs.replace(problem_of(ServerError("Something new.")), type="urn:laminar:new-error")
    assert type(error_of(problem)) is ServerError


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (peers.answer(404, b"<html>nginx</html>", Content_Type="text/html"), "status 404, not as a laminar server"),
        (peers.answer(500, b"{", Content_Type=MEDIA_TYPE), "status 500, not as a laminar server"),
        (peers.answer(307, b"", Location="http://evil.example/"), "status 307, not as a laminar server"),
        (peers.answer(200, b"{}"), "does not understand: .*number.* Use the same version"),
        (peers.answer(200, b"no json"), "does not understand"),
    ],
)
def test_an_answer_that_is_none_of_a_server_is_told_so(answer: bytes, words: str) -> None:
    with peers.peer(answer) as peer:
        with pytest.raises(ServerError, match=words) as caught:
            Client(peer.url, TOKEN).call("POST", "/x", returns=Number)
        assert len(peer.asked) == 1
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:8080", "ftp://host", "http://", "http://host:port", "http://a:pass@host", "http://host?x=1"]
)
def test_an_address_of_no_server_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="http://host:8080") as caught:
        Client(endpoint)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "with space", "line\r\nX-Evil: 1", "ключ"])
def test_a_token_that_can_be_none_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client("http://127.0.0.1:1", token)
    assert not token or token not in str(caught.value)


def test_the_token_is_shown_to_the_server_and_not_to_the_store() -> None:
    with peers.peer(GOOD) as server, peers.peer(peers.answer(200, b"bytes", ETag='"1"')) as store:
        client = Client(server.url, TOKEN)
        client.call("GET", "/x")
        client.put(f"{store.url}/a?X-Signature=1", b"bytes", {"Content-MD5": "x"})
        client.get(f"{store.url}/a?X-Signature=1").read()
        client.put("/api/v1/store/a?signature=1", b"bytes")
    assert f"Authorization: Bearer {TOKEN}".encode() in server.asked[0]
    assert [b"Authorization" in request for request in (*server.asked, *store.asked)] == [True, False, False, False]
    assert b"Content-MD5: x" in store.asked[0]
    assert store.asked[0].endswith(b"Content-Length: 5\r\n\r\nbytes")
    assert "secret" not in repr(client)


def xml(code: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    return peers.answer(403 if code == "AccessDenied" else 400, body, Content_Type="application/xml")


@pytest.mark.parametrize(("code", "kind"), [("BadDigest", DigestMismatchError), ("AccessDenied", UploadRefusedError)])
def test_what_a_bucket_says_becomes_an_error_without_the_signature(code: str, kind: type[Exception]) -> None:
    with peers.peer(xml(code)) as peer, pytest.raises(kind) as caught:
        Client(peer.url).put(f"{peer.url}/a?X-Amz-Signature=secret", io.BytesIO(b"bytes"))
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_a_file_is_sent_again_from_where_it_stood() -> None:
    with peers.peer(peers.answer(500, Retry_After="0"), b"", GOOD) as store:
        file = io.BytesIO(b"not this, but this")
        file.seek(10)
        Client("http://127.0.0.1:1", at_first=20, patience=20).put(f"{store.url}/a", file)
    assert [request.endswith(b"\r\n\r\nbut this") for request in store.asked] == [True] * 3


def parts(whole: bytes, tag: str = '"1"') -> Callable[[bytes], bytes]:
    """Answer with a few bytes of what is asked for, and cut the connection."""

    def step(request: bytes) -> bytes:
        start = int(request.partition(b"Range: bytes=")[2].partition(b"-")[0] or b"0")
        rest = whole[start:]
        cut = b"" if len(rest) <= 1000 else peers.CUT
        status = 206 if start else 200
        head = peers.answer(status, b"", ETag=tag, Content_Length=str(len(rest)))
        return head + rest[:1000] + cut

    return step


def test_a_download_goes_on_where_it_was_cut_off() -> None:
    whole = bytes(range(256)) * 20
    with peers.peer(parts(whole)) as store:
        client = Client("http://127.0.0.1:1", at_first=20, patience=20)
        assert client.get(f"{store.url}/a").read() == whole
    assert len(store.asked) == 6
    assert [b'If-Range: "1"' in request for request in store.asked] == [False] + [True] * 5


def test_a_download_whose_content_was_replaced_meanwhile_is_given_up() -> None:
    whole = bytes(range(256)) * 20
    with peers.peer(parts(whole), peers.answer(200, whole[::-1], ETag='"2"')) as store:
        client = Client("http://127.0.0.1:1", at_first=20, patience=20)
        with pytest.raises(StorageError, match=r"was replaced at byte 1,000\. Read it again"):
            client.get(f"{store.url}/a").read()


def test_a_download_that_is_not_there_is_missing() -> None:
    with peers.peer(peers.answer(404, b"<Code>NoSuchKey</Code>")) as store, pytest.raises(FileNotFoundError):
        Client("http://127.0.0.1:1").get(f"{store.url}/a")


def stream(data: bytes, cut: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in data)
    return head + pieces + (peers.CUT if cut else b"0\r\n\r\n")


def test_events_go_on_behind_the_last_one_that_was_whole() -> None:
    steps = [
        stream(
            b": ping\n\nid: 1\nevent: state\ndata: {}\n\nid: 2\nevent: state\ndata: {\ndata: }\n\nid: 3\nevent: sta"
        ),
        stream(b"id: 2\nevent: state\ndata: again\n\nid: 3\r\nevent: state\r\ndata: last\r\n\r\n"),
        b"",
        stream(b"", cut=False),
        stream(b"event: end\ndata:\n\n"),
    ]
    with peers.peer(*steps) as peer:
        found = list(Client(peer.url, TOKEN, at_first=20, patience=20).events("/x", query={"run": "r"}))
    assert found == [(1, "state", b"{}"), (2, "state", b"{\n}"), (3, "state", b"last")]
    known = [request.partition(b"Last-Event-ID: ")[2].partition(b"\r")[0] for request in peer.asked]
    assert known == [b"", b"2", b"3", b"3", b"3"]


def test_a_stream_that_is_always_empty_is_given_up() -> None:
    given_up = pytest.raises(ServerNotReachableError, match="again and again")
    with peers.peer(stream(b"", cut=False)) as peer, given_up:
        list(Client(peer.url, patience=0.3).events("/x"))


async def counted(asked: Asked) -> object:
    async def numbers() -> AsyncIterator[list[streams.Event]]:
        for number in range(streams.after(asked) + 1, 6):
            yield [streams.Event(number, "number", str(number))]

    return streams.answer(asked, numbers())


def test_the_events_of_a_real_server_are_read_to_their_end() -> None:
    route = Route("GET", "/numbers", Role.VIEWER, counted, "Count.", media=streams.MEDIA)  # type: ignore[arg-type]
    with faces.running([*faces.ROUTES, route]) as face:
        client = Client(f"http://127.0.0.1:{face.port}")
        assert [number for number, _, _ in client.events("/numbers")] == [1, 2, 3, 4, 5]
        assert [number for number, _, _ in client.events("/numbers", after=3)] == [4, 5]


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with peers.peer(GOOD) as proxy, peers.peer(GOOD) as peer:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "not.example")
        assert Client("http://laminar.example:8080").call("GET", "/x", returns=Number) == Number(5)
        assert proxy.asked[0].startswith(b"GET http://laminar.example:8080/api/v1/x HTTP/1.1")
        Client(peer.url).call("GET", "/x")
        assert len(proxy.asked) == 1
        with pytest.raises(ServerNotReachableError):
            Client("http://not.example:8080").call("GET", "/x")


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A certificate for this machine, and the file of who has signed it: itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        builder.not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, str(folder / "cert.pem")


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with peers.peer(GOOD, context=context) as peer:
        assert Client(peer.url, ca_file=authority).call("GET", "/x", returns=Number) == Number(5)
        with pytest.raises(ServerNotReachableError, match=r"cannot be trusted: .*SSL_CERT_FILE"):
            Client(peer.url, TOKEN, at_first=20).call("GET", "/x")
        assert len(peer.asked) == 1


def test_the_client_that_is_configured_knows_the_server_its_authority_and_the_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificate(tmp_path)
    with peers.peer(GOOD, context=context) as peer:
        given = {
            "SERVER_ENDPOINT": peer.url,
            "SERVER_API_KEY": TOKEN,
            "SERVER_CA_CERTS": authority,
            "TASK_PROJECT": "a",
        }
        for name, value in given.items():
            monkeypatch.setenv(f"LAMINAR_{name}", value)
        client = connecting.client()
        assert client.call("GET", client.space_path("/runs"), returns=Number) == Number(5)
        assert peer.asked[0].startswith(b"GET /api/v1/projects/a/domains/development/runs HTTP/1.1")
        assert f"Authorization: Bearer {TOKEN}".encode() in peer.asked[0]
        monkeypatch.setenv("LAMINAR_SERVER_CA_CERTS", str(tmp_path / "none"))
        with pytest.raises(ServerNotReachableError, match="cannot be trusted: No such file"):
            connecting.client().call("GET", "/x")


def test_threads_share_a_client_and_its_connections() -> None:
    with faces.running() as face:
        client = Client(f"http://127.0.0.1:{face.port}")
        found: list[object] = []

        def ask() -> None:
            found.extend(client.call("GET", "/me", returns=dict)["role"] for _ in range(25))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["admin"] * 200


def test_a_copy_in_another_process_makes_its_own_connection() -> None:
    with peers.peer(GOOD) as peer:
        client = Client(peer.url)
        client.call("GET", "/x")
        client.call("GET", "/x")
        assert peer.connections == 1
        child = os.fork()
        if child == 0:
            os._exit(0 if client.call("GET", "/x", returns=Number) == Number(5) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert peer.connections == 2
        client.call("GET", "/x")
        assert peer.connections == 2
        assert pickle.loads(pickle.dumps(client)).call("GET", "/x", returns=Number) == Number(5)
        assert peer.connections == 3
