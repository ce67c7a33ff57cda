"""What the store takes and gives at signed addresses, and what it does about uploads that are not as announced."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import faces
import pytest
import stores

from laminar.client.http import Client
from laminar.errors import DigestMismatchError
from laminar.server.identity import Role

KEY = f"{stores.SPACE}/bundles/one.tar.gz"
DATA = bytes(range(256)) * 2000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[stores.Shop]:
    with stores.running(str(tmp_path / "store"), patience=1) as found:
        yield found


def files(tmp_path: Path) -> list[str]:
    """All files of the store, half-written ones included."""
    return sorted(
        str(path.relative_to(tmp_path / "store")) for path in (tmp_path / "store").rglob("*") if path.is_file()
    )


def put_url(shop: stores.Shop, data: bytes = DATA, key: str = KEY, size: int | None = None) -> str:
    return shop.store.signed_put(key, md5=stores.content_md5(data), size=len(data) if size is None else size).url


def test_what_is_sent_to_a_signed_address_is_fetched_from_another(shop: stores.Shop, tmp_path: Path) -> None:
    client = Client(shop.endpoint)
    client.put(put_url(shop), DATA)
    with client.get(shop.store.signed_get(KEY)) as file:
        assert file.read() == DATA
    assert files(tmp_path) == [KEY]


@pytest.mark.parametrize(
    "name", ["Größe", "naïve café", "日本", "a+b=c&d", "per%cent%20", "hash#tag?", "~tilde", "(x)'s"]
)
def test_a_signed_address_may_have_any_letters(shop: stores.Shop, name: str) -> None:
    client = Client(shop.endpoint)
    client.put(put_url(shop, key=f"{stores.SPACE}/{name}/{name}"), DATA)
    with client.get(shop.store.signed_get(f"{stores.SPACE}/{name}/{name}")) as file:
        assert file.read() == DATA


def test_what_is_fetched_is_no_page_for_a_browser(shop: stores.Shop) -> None:
    page = b"<script>alert(1)</script>"
    Client(shop.endpoint).put(put_url(shop, page), page)
    answer = shop.face.ask("GET", shop.store.signed_get(KEY))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", DATA[:1]),
        ("bytes=5-9", DATA[5:10]),
        ("bytes=511990-", DATA[511990:]),
        ("bytes=5-99999999", DATA[5:]),
    ],
)
def test_a_range_is_given_alone(shop: stores.Shop, asked: str, part: bytes) -> None:
    Client(shop.endpoint).put(put_url(shop), DATA)
    answer = shop.face.ask("GET", shop.store.signed_get(KEY), headers={"Range": asked})
    assert (answer.status, answer.data) == (206, part)
    start = int(asked[6:].partition("-")[0])
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{len(DATA)}"


@pytest.mark.parametrize(("asked", "status"), [("bytes=512000-", 416), ("bytes=9-5", 416), ("lines=1-2", 200)])
def test_a_range_that_is_none_is_told_so(shop: stores.Shop, asked: str, status: int) -> None:
    Client(shop.endpoint).put(put_url(shop), DATA)
    assert shop.face.ask("GET", shop.store.signed_get(KEY), headers={"Range": asked}).status == status


def test_a_range_of_what_was_replaced_is_all_of_the_new(shop: stores.Shop) -> None:
    client = Client(shop.endpoint)
    client.put(put_url(shop), DATA)
    tag = shop.face.ask("GET", shop.store.signed_get(KEY)).headers["etag"]
    client.put(put_url(shop, DATA[::-1]), DATA[::-1])
    answer = shop.face.ask("GET", shop.store.signed_get(KEY), headers={"Range": "bytes=5-", "If-Range": tag})
    assert (answer.status, answer.data) == (200, DATA[::-1])


def altered(url: str) -> list[str]:
    path, _, signature = url.partition("?signature=")
    claims, _, mac = signature.partition(".")
    return [
        path,
        f"{path}?signature=",
        f"{path}?signature={claims}",
        f"{path}?signature={claims}.{mac[::-1]}",
        f"{path}x?signature={signature}",
        f"{path.replace('one', 'two')}?signature={signature}",
        f"{path.replace('default', 'other')}?signature={signature}",
        f"{path}%23x?signature={signature}",
    ]


def test_an_address_counts_as_it_was_signed_and_no_other_way(shop: stores.Shop, tmp_path: Path) -> None:
    for url in altered(put_url(shop)):
        assert shop.face.ask("PUT", url, DATA).status in (400, 401, 404)
    assert shop.face.ask("GET", put_url(shop)).status == 401
    assert files(tmp_path) == []
    shop.face.ask("PUT", put_url(shop), DATA)
    assert shop.face.ask("PUT", shop.store.signed_get(KEY), b"other").status == 401
    for url in altered(shop.store.signed_get(KEY)):
        assert shop.face.ask("GET", url).status in (400, 401, 404)
    assert shop.face.ask("GET", shop.store.signed_get(KEY)).data == DATA


def test_an_address_that_is_over_counts_no_more(shop: stores.Shop, tmp_path: Path) -> None:
    signed = shop.store.signed_put(KEY, md5=stores.content_md5(DATA), size=len(DATA), seconds=-1)
    assert shop.face.ask("PUT", signed.url, DATA).status == 401
    assert files(tmp_path) == []
    Client(shop.endpoint).put(put_url(shop), DATA)
    assert shop.face.ask("GET", shop.store.signed_get(KEY, -1)).status == 401


def test_one_address_that_is_used_too_often_holds_up_no_other(tmp_path: Path) -> None:
    with stores.running(str(tmp_path / "store"), rate=5) as shop:
        first, other = (shop.store.signed_get(f"{stores.SPACE}/{name}") for name in ("a", "b"))
        assert {shop.face.ask("GET", first).status for _ in range(40)} == {404, 429}
        assert shop.face.ask("GET", other).status == 404


def test_what_is_not_there_is_told_so(shop: stores.Shop) -> None:
    assert shop.face.ask("GET", shop.store.signed_get(KEY)).status == 404
    with pytest.raises(FileNotFoundError, match="nothing at a signed address"):
        Client(shop.endpoint).get(shop.store.signed_get(KEY))


@pytest.mark.parametrize("target", ["file", "folder", "device"])
def test_no_link_and_no_device_is_opened(shop: stores.Shop, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    place = tmp_path / "store" / KEY
    place.parent.parent.mkdir(parents=True)
    if target == "folder":
        place.parent.symlink_to(tmp_path)
        key = f"{stores.SPACE}/bundles/secret"
    else:
        place.parent.mkdir()
        key = KEY
        place.symlink_to(tmp_path / "secret") if target == "file" else os.mkfifo(place)
    assert shop.face.ask("GET", shop.store.signed_get(key)).status == 404
    if target == "folder":
        assert shop.face.ask("PUT", put_url(shop, key=key), DATA).status == 507
        assert (tmp_path / "secret").read_bytes() == b"secret"


def head(url: str, *lines: str) -> bytes:
    return "\r\n".join([f"PUT {url} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.1 ([0-9]{3})", answer)
    return int(found[1]) if found else 0


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def other_bytes(shop: stores.Shop) -> int:
    return shop.face.ask("PUT", put_url(shop), DATA[::-1]).status


def more_than_announced(shop: stores.Shop) -> int:
    return shop.face.ask("PUT", put_url(shop), DATA + b"x").status


def fewer_than_announced(shop: stores.Shop) -> int:
    return shop.face.ask("PUT", put_url(shop), DATA[:-1]).status


def chunks_without_end(shop: stores.Shop) -> int:
    with shop.face.connect() as connection:
        connection.sendall(head(put_url(shop), "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(chunked(DATA))
        return status(faces.read_all(connection))


def chunks_that_end_early(shop: stores.Shop) -> int:
    with shop.face.connect() as connection:
        connection.sendall(head(put_url(shop), "Transfer-Encoding: chunked", "Connection: close"))
        connection.sendall(chunked(DATA[:-1]) + b"0\r\n\r\n")
        return status(faces.read_all(connection))


def ten_gigabytes(shop: stores.Shop) -> int:
    url = put_url(shop)
    return status(shop.face.send(head(url, "Content-Length: 10737418240", "Connection: close") + DATA))


def slower_than_allowed(shop: stores.Shop) -> int:
    return status(shop.face.send(head(put_url(shop), f"Content-Length: {len(DATA)}") + DATA[:1000]))


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        (other_bytes, {422}),
        (more_than_announced, {422}),
        (fewer_than_announced, {422}),
        (chunks_without_end, {422, 0}),  # the answer can be lost where both sides still send
        (chunks_that_end_early, {422}),
        (ten_gigabytes, {422}),
        (slower_than_allowed, {408}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_upload_that_is_not_as_announced_leaves_nothing(
    shop: stores.Shop, tmp_path: Path, upload: Callable[[stores.Shop], int], expected: set[int]
) -> None:
    assert upload(shop) in expected
    assert files(tmp_path) == []
    assert shop.face.ask("GET", "/api/v1/health").status == 200
    Client(shop.endpoint).put(put_url(shop), DATA)
    assert files(tmp_path) == [KEY]


def test_a_client_tells_other_bytes_from_a_refusal(shop: stores.Shop) -> None:
    with pytest.raises(DigestMismatchError, match="512,000 bytes that arrived have the MD5"):
        Client(shop.endpoint).put(put_url(shop), DATA[::-1])


def test_an_upload_that_is_broken_off_leaves_nothing(shop: stores.Shop, tmp_path: Path) -> None:
    before = files(tmp_path)
    connection = shop.face.connect()
    connection.sendall(head(put_url(shop), f"Content-Length: {len(DATA)}") + DATA[:400_000])
    until(lambda: any(name.startswith(".tmp") for name in files(tmp_path)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # the connection is reset
    connection.close()
    until(lambda: files(tmp_path) == before)


def until(holds: Callable[[], bool]) -> None:
    """Look again until something holds that is sure to come; the test's own limit ends the wait."""
    pause = threading.Event()
    while not holds():
        pause.wait(0.01)


def peak_memory() -> int:
    """Bytes of memory that this process had at most since this was last reset."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024


def test_two_hundred_uploads_at_once_take_little_memory_and_leave_nothing_of_the_wrong(
    shop: stores.Shop, tmp_path: Path
) -> None:
    data = b"x" * (1 << 20)
    urls = [put_url(shop, data, f"{stores.SPACE}/bundles/{number}") for number in range(200)]
    wrong = data[:-1] + b"y"
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(shop.face.connect()) for _ in urls]
        for connection, url in zip(connections, urls, strict=True):
            connection.sendall(head(url, f"Content-Length: {len(data)}"))
        for at in range(0, len(data), 1 << 16):  # all of them are under way, to the last piece
            for number, connection in enumerate(connections):
                connection.sendall((wrong if number % 2 else data)[at : at + (1 << 16)])
        statuses = [status(connection.recv(4096)) for connection in connections]
    assert sorted(statuses) == [204] * 100 + [422] * 100
    assert sorted(files(tmp_path)) == sorted(f"{stores.SPACE}/bundles/{number}" for number in range(0, 200, 2))
    assert peak_memory() - before < 64 << 20


def upload(shop: stores.Shop, data: bytes, **changes: object) -> faces.Answer:
    body = {"content_md5": stores.content_md5(data), "size": len(data), "filename": "code.tar.gz", **changes}
    token = shop.face.token_for(Role.EDITOR)
    return shop.face.ask("POST", "/api/v1/projects/default/domains/development/uploads", body, token=token)


def test_a_bundle_is_sent_once(shop: stores.Shop, tmp_path: Path) -> None:
    first = upload(shop, DATA).json
    assert not first["exists"]
    Client(shop.endpoint).put(first["url"], DATA, first["headers"])
    assert upload(shop, DATA).json == {"exists": True, "url": None, "headers": {}}
    (name,) = files(tmp_path)
    assert re.fullmatch(f"{stores.SPACE}/bundles/[0-9a-f]{{32}}.tar.gz", name)


def test_a_bundle_in_a_bucket_is_sent_there_and_checked_by_it(s3_root: str, s3_options: dict[str, str]) -> None:
    with stores.running(s3_root, s3_options) as shop:
        first = upload(shop, DATA).json
        assert first["url"].startswith(s3_options["endpoint"])
        client = Client(shop.endpoint)
        client.put(first["url"], DATA, first["headers"])
        assert upload(shop, DATA).json["exists"]
        (name,) = shop.store.blobs.names(f"{stores.SPACE}/bundles")
        with client.get(shop.store.signed_get(f"{stores.SPACE}/bundles/{name}")) as file:
            assert file.read() == DATA


def test_a_bundle_that_is_too_large_is_refused_before_it_is_sent(shop: stores.Shop) -> None:
    answer = upload(shop, DATA, size=1 << 30)
    assert (answer.status, answer.kind) == (422, "upload-refused-error")
    assert "1,073,741,824 bytes" in answer.json["detail"]


@pytest.mark.parametrize("changes", [{"content_md5": "nonsense"}, {"size": -1}, {"size": "1"}, {"path": "/etc"}])
def test_an_upload_that_makes_no_sense_is_refused(shop: stores.Shop, changes: dict[str, object]) -> None:
    assert upload(shop, DATA, **changes).status == 422


@pytest.mark.parametrize(
    "place", ["..%2Fother/domains/x", "default/domains/..", "a%5Cb/domains/x", f"{'x' * 300}/domains/x"]
)
def test_an_upload_stays_in_its_space(shop: stores.Shop, place: str) -> None:
    body = {"content_md5": stores.content_md5(DATA), "size": 1, "filename": "x"}
    answer = shop.face.ask("POST", f"/api/v1/projects/{place}/uploads", body, token=shop.face.token_for(Role.EDITOR))
    assert answer.status in (404, 422)


@pytest.mark.parametrize("place", ["nobody/domains/development", "default/domains/elsewhere"])
def test_nothing_is_uploaded_to_a_project_or_a_domain_that_is_not_there(shop: stores.Shop, place: str) -> None:
    body = {"content_md5": stores.content_md5(DATA), "size": 1, "filename": "x"}
    answer = shop.face.ask("POST", f"/api/v1/projects/{place}/uploads", body, token=shop.face.token_for(Role.EDITOR))
    assert answer.status == 404
    assert answer.kind == "unknown-project-error"
