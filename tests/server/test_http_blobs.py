"""Blobs by way of a server: the suite that all blobs pass, on a folder and on a bucket, and what an attempt may do."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import stores

import moto_process
from laminar.client.blobs import HttpBlobs
from laminar.data.artifacts import Artifacts
from laminar.data.serde.contract import Registry
from laminar.errors import CorruptBlobError, PermissionDeniedError, RequestError, StaleAttemptError, StorageError
from laminar.testing.blobs import BlobsConformance

RECORDS = "Hello/.cache/r1"


class TestHttpBlobsOnAFolder(BlobsConformance):
    @pytest.fixture
    def blobs(self, shop: stores.Shop) -> HttpBlobs:
        blobs = HttpBlobs(shop.endpoint, shop.attempt(flow="Hello"), RECORDS)
        blobs.prepare()
        return blobs


class TestHttpBlobsOnABucket(BlobsConformance):
    many = 2 * moto_process.PAGE + 3

    @pytest.fixture
    def blobs(self, bucket_shop: stores.Shop) -> HttpBlobs:
        blobs = HttpBlobs(bucket_shop.endpoint, bucket_shop.attempt(flow="Hello"), RECORDS)
        blobs.prepare()
        return blobs


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[stores.Shop]:
    with stores.running(str(tmp_path / "store")) as found:
        yield found


@pytest.fixture
def bucket_shop(s3_root: str, s3_options: dict[str, str]) -> Iterator[stores.Shop]:
    with stores.running(s3_root, s3_options) as found:
        yield found


@pytest.fixture(params=["shop", "bucket_shop"])
def either(request: pytest.FixtureRequest) -> stores.Shop:
    """A server on a folder, and one on a bucket."""
    found: stores.Shop = request.getfixturevalue(request.param)
    return found


def artifacts(shop: stores.Shop, **who: str) -> Artifacts:
    return Artifacts(HttpBlobs(shop.endpoint, shop.attempt(**who)), ".tasks", Registry())


@pytest.mark.parametrize("size", [10, 60_000, 5_000_000], ids=["small", "middle", "large"])
def test_a_value_that_one_attempt_stores_is_read_by_another(either: stores.Shop, size: int) -> None:
    value = hashlib.sha512(b"seed").digest() * (size // 64 + 1)
    ref = artifacts(either, run="r1").write(value)
    assert artifacts(either, run="r2").read(ref) == value
    assert either.store.blobs.size(f"{stores.SPACE}/.tasks/artifacts/{ref.hexdigest}.gz")


def test_which_of_many_values_are_missing_is_asked_in_few_requests(shop: stores.Shop) -> None:
    kept = artifacts(shop)
    refs = [kept.write(number) for number in range(20)]
    absent = [ref.replace(hexdigest=hashlib.sha256(bytes([number])).hexdigest()) for number, ref in enumerate(refs)]
    before = asked(shop)
    assert kept.missing([*refs, *absent * 40]) == {ref.hexdigest for ref in absent}
    assert asked(shop) - before == 1


def asked(shop: stores.Shop) -> float:
    """How many requests of attempts to the store the server has counted."""
    text = shop.face.ask("GET", "/api/v1/metrics", token=shop.face.token_for(stores.Role.ADMIN)).data.decode()
    lines = [line for line in text.splitlines() if "/attempt/store" in line and "_total{" in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_damaged_value_is_removed_and_can_be_written_again(either: stores.Shop) -> None:
    kept = artifacts(either)
    ref = kept.write("a value")
    key = f"{stores.SPACE}/.tasks/artifacts/{ref.hexdigest}.gz"
    either.store.blobs.write(key, gzip.compress(b"something else"))
    with pytest.raises(CorruptBlobError, match="it was removed"):
        kept.read(ref)
    assert either.store.blobs.size(key) is None
    assert kept.write("a value") == ref
    assert kept.read(ref) == "a value"


CONTENT = f".tasks/artifacts/{'a' * 64}.gz"


def test_content_that_is_whole_is_neither_replaced_nor_removed(either: stores.Shop) -> None:
    kept = artifacts(either, run="r1")
    ref = kept.write("a value")
    path = f".tasks/artifacts/{ref.hexdigest}.gz"
    stranger = HttpBlobs(either.endpoint, either.attempt(run="r2"))
    stranger.delete(path)
    stranger.write(path, b"garbage")
    stranger.write(path, b"garbage" * 20_000)
    with pytest.raises(PermissionDeniedError, match="nothing is added"):
        stranger.append(path, b"garbage")
    assert kept.read(ref) == "a value"


def test_content_of_several_members_is_told_from_what_is_damaged(shop: stores.Shop) -> None:
    whole = b"first" * 300_000 + b"second"
    data = gzip.compress(whole[:1_500_000]) + gzip.compress(whole[1_500_000:])
    path = f".tasks/artifacts/{hashlib.sha256(whole).hexdigest()}.gz"
    blobs = HttpBlobs(shop.endpoint, shop.attempt())
    blobs.write(path, data)
    blobs.delete(path)
    assert blobs.read(path) == data
    for damaged in (
        data[:-1],
        data + b"\0",
        data[:-8] + bytes([data[-8] ^ 1]) + data[-7:],
        b"",
        gzip.compress(whole + b"x"),
    ):
        shop.store.blobs.write(f"{stores.SPACE}/{path}", damaged)
        blobs.delete(path)
        assert blobs.size(path) is None


NOT_ITS_OWN = [
    "Hello/.cache/r2/.execution.json",
    "Hello/archives/r2/Layer/0/x.json",
    "Other/.cache/r1/.execution.json",
    "Hello/.cache/r1",
    "Hello/other/r1/x",
    ".tasks/runs/r1.jsonl",
    f"bundles/{'a' * 32}.tar.gz",
    f"Hello/artifacts/{'A' * 64}.gz",
    f"Hello/artifacts/{'a' * 64}.gz/x",
    f"Hello/artifacts/{'a' * 63}.gz",
    f"Hello/x/artifacts/{'a' * 64}.gz",
    f"Hello/artifacts/{'a' * 64}.gz\n",
]


@pytest.mark.parametrize("path", NOT_ITS_OWN)
def test_an_attempt_writes_no_records_but_those_of_its_own_run(shop: stores.Shop, path: str) -> None:
    blobs = HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello"))
    for act in (lambda: blobs.write(path, b"x"), lambda: blobs.write(path, b"x" * 100_000)):
        with pytest.raises((PermissionDeniedError, RequestError)):
            act()
    with pytest.raises((PermissionDeniedError, RequestError)):
        blobs.append(path, b"x")
    with pytest.raises((PermissionDeniedError, RequestError)):
        blobs.delete(path)
    assert shop.store.blobs.names("default") == []


def test_only_the_scheduler_of_a_flow_writes_its_records(shop: stores.Shop) -> None:
    path = "Hello/.cache/r1/.execution.json"
    with pytest.raises(PermissionDeniedError, match=r"r1 may not write 'Hello/\.cache"):
        HttpBlobs(shop.endpoint, shop.attempt("r1")).write(path, b"x")
    HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello")).write(path, b"x")
    assert HttpBlobs(shop.endpoint, shop.attempt("r2")).read(path) == b"x"


def test_attempts_write_the_records_of_flows_that_their_run_has_called(shop: stores.Shop) -> None:
    path = f"Inner/.cache/r1-{'a2' * 8}/.execution.json"
    HttpBlobs(shop.endpoint, shop.attempt("r1")).write(path, b"x")
    for other in ("r2", "r", "r1-"):
        with pytest.raises(PermissionDeniedError):
            HttpBlobs(shop.endpoint, shop.attempt(other)).write(path, b"y")
    for wrong in (f"Inner/.cache/r1-{'a2' * 8}", f"Inner/logs/r1-{'a2' * 8}/x", f"Inner/.cache/r1-{'a1' * 8}/x"):
        with pytest.raises(PermissionDeniedError):
            HttpBlobs(shop.endpoint, shop.attempt("r1")).write(wrong, b"y")


def test_another_space_is_out_of_reach(shop: stores.Shop) -> None:
    HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello")).write("Hello/.cache/r1/x", b"secret")
    other = HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello", "other/development"))
    assert other.size("Hello/.cache/r1/x") is None
    assert other.names("") == []


@pytest.mark.parametrize(
    "path",
    [
        "../../other/development/x",
        "Hello/.cache/r1/../../../x",
        "/etc/passwd",
        "Hello//x",
        "Hello/./x",
        "a\\b",
        "a/\x7f",
        "x" * 256,
        "/".join(["x" * 250] * 4),
    ],
)
def test_a_name_that_leads_elsewhere_is_none(shop: stores.Shop, path: str) -> None:
    blobs = HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello"))
    for act in (blobs.read, blobs.size, blobs.names, blobs.lines, blobs.delete):
        with pytest.raises(RequestError):
            act(path)


def test_a_link_in_the_store_is_not_followed(shop: stores.Shop, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"secret" * 20_000)
    below = tmp_path / "store" / stores.SPACE / "Hello" / ".cache" / "r1"
    below.mkdir(parents=True)
    (below / "folder").symlink_to(tmp_path / "elsewhere")
    (below / "file").symlink_to(tmp_path / "elsewhere" / "x")
    blobs = HttpBlobs(shop.endpoint, shop.attempt("r1", "Hello"), RECORDS)
    for path in ("folder/x", "file"):
        for act in (blobs.read, blobs.size, blobs.delete, lambda path: blobs.write(path, b"x")):
            with pytest.raises(StorageError, match="There is a link at"):
                act(path)
    assert (tmp_path / "elsewhere" / "x").read_bytes() == b"secret" * 20_000


def test_an_attempt_that_has_ended_touches_nothing(shop: stores.Shop) -> None:
    blobs = HttpBlobs(shop.endpoint, shop.attempt(stores.ENDED), patience=0.1)
    with pytest.raises(StaleAttemptError):
        blobs.write(CONTENT, b"x")
    with pytest.raises(StaleAttemptError):
        blobs.size(CONTENT)


def test_a_server_that_has_yet_to_take_an_attempt_back_is_waited_for(shop: stores.Shop) -> None:
    shop.unknown.add("r2")
    blobs = HttpBlobs(shop.endpoint, shop.attempt("r2"))
    written = threading.Thread(target=blobs.write, args=(CONTENT, b"x"))
    written.start()
    while b'status="409"' not in shop.face.services.metrics.text():
        assert written.is_alive()
    shop.unknown.clear()
    written.join()
    assert blobs.read(CONTENT) == b"x"


def test_a_token_is_shown_nowhere(shop: stores.Shop) -> None:
    token = shop.attempt("r1")
    blobs = HttpBlobs(shop.endpoint, token)
    with pytest.raises(PermissionDeniedError) as caught:
        blobs.write("x", b"x")
    shown = [repr(blobs), blobs.root, blobs.where("x"), str(caught.value), repr(blobs._client)]
    assert not [text for text in shown if token in text or token.partition(".")[2] in text]


def test_many_lines_at_once_come_back_as_they_were(either: stores.Shop) -> None:
    blobs = HttpBlobs(either.endpoint, either.attempt("r1", "Hello"), RECORDS)
    lines = [str(number).encode() * 50 for number in range(5000)]
    blobs.append("log", b"\n".join(lines))
    blobs.append("log", b"the last")
    assert blobs.lines("log") == [*lines, b"the last"]


def test_a_value_that_no_store_takes_is_refused(shop: stores.Shop) -> None:
    signed = shop.face.ask(
        "POST",
        "/api/v1/attempt/store",
        {"operations": [{"do": "put", "key": CONTENT, "size": 6 << 30, "content_md5": stores.content_md5(b"")}]},
        token=shop.attempt(),
    )
    assert (signed.status, signed.kind) == (422, "upload-refused-error")
    assert "6,442,450,944 bytes" in signed.json["detail"]
