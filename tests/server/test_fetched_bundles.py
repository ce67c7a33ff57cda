"""Bundles on their way back: deployed, fetched by signed addresses, checked, and unpacked once for all."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stores

from laminar.client import bundles
from laminar.client.http import Client
from laminar.errors import BundleError, DigestMismatchError
from laminar.model.code import Code
from laminar.packaging.bundle import gather
from laminar.server import keys


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[stores.Shop]:
    with stores.running(str(tmp_path / "store")) as found:
        yield found


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bundle of a module."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "travelled.py").write_text("VALUE = 5\n")
    monkeypatch.syspath_prepend(str(folder))
    importlib.import_module("travelled")
    code = Code(None, None, ("travelled",), (str(folder),), ("travelled",), str(folder))
    gather(code, recorded=True).write(str(tmp_path / "bundle.tar.gz"))
    return (tmp_path / "bundle.tar.gz").read_bytes()


def deployed(shop: stores.Shop, data: bytes) -> tuple[str, str]:
    """Put a bundle into the store; gives its MD5 and the address that an agent is given."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    key = keys.bundle(stores.SPACE, md5.hexdigest())
    signed = shop.store.signed_put(key, md5=base64.b64encode(md5.digest()).decode(), size=len(data))
    Client(shop.endpoint).put(signed.url, data, signed.headers)
    return md5.hexdigest(), shop.store.signed_get(key)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_bundle_is_fetched_once_and_tells_where_its_code_is(shop: stores.Shop, bundle: bytes, tmp_path: Path) -> None:
    md5, url = deployed(shop, bundle)
    cache = tmp_path / "cache"
    code = bundles.fetch(Client(shop.endpoint), url, md5, str(cache))
    assert code.imports == ("travelled",)
    assert Path(code.path[0], "travelled.py").read_text() == "VALUE = 5\n"
    assert names(cache) == [f"{md5}/.laminar/code.json", f"{md5}/travelled.py"]
    nowhere = Client("http://127.0.0.1:1")
    assert bundles.fetch(nowhere, url, md5, str(cache)) == code


def test_agents_of_one_machine_fetch_at_once_and_share_what_comes(
    shop: stores.Shop, bundle: bytes, tmp_path: Path
) -> None:
    md5, url = deployed(shop, bundle)
    found: list[Code] = []
    together = threading.Barrier(8)

    def fetch() -> None:
        together.wait()
        found.append(bundles.fetch(Client(shop.endpoint), url, md5, str(tmp_path / "cache")))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == found[:1] * 8
    assert names(tmp_path / "cache") == [f"{md5}/.laminar/code.json", f"{md5}/travelled.py"]


def cut_short(data: bytes) -> bytes:
    return data[:-1]


def one_bit_changed(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


@pytest.mark.parametrize("change", [cut_short, one_bit_changed])
def test_other_bytes_than_those_deployed_are_refused(
    shop: stores.Shop, bundle: bytes, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    md5, url = deployed(shop, bundle)
    shop.store.blobs.write(keys.bundle(stores.SPACE, md5), change(bundle))
    with pytest.raises(DigestMismatchError, match=f"and {md5} was deployed"):
        bundles.fetch(Client(shop.endpoint), url, md5, str(tmp_path / "cache"))
    assert names(tmp_path / "cache") == []
    assert os.listdir(tmp_path / "cache") == [".tmp"]


def hostile() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("../evil")
        archive.addfile(entry)
    return file.getvalue()


def nothing_said() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("good.py"))
    return file.getvalue()


@pytest.mark.parametrize("make", [hostile, nothing_said])
def test_an_archive_that_is_no_bundle_is_refused(shop: stores.Shop, tmp_path: Path, make: Callable[[], bytes]) -> None:
    md5, url = deployed(shop, make())
    with pytest.raises(BundleError):
        bundles.fetch(Client(shop.endpoint), url, md5, str(tmp_path / "cache"))
    assert not list(tmp_path.rglob("evil"))


def test_a_bundle_that_is_gone_is_told_so(shop: stores.Shop, bundle: bytes, tmp_path: Path) -> None:
    md5, url = deployed(shop, bundle)
    shop.store.blobs.delete(keys.bundle(stores.SPACE, md5))
    with pytest.raises(BundleError, match=f"The bundle {md5} is not in the server's store"):
        bundles.fetch(Client(shop.endpoint), url, md5, str(tmp_path / "cache"))


def test_what_a_killed_agent_left_is_cleared(shop: stores.Shop, bundle: bytes, tmp_path: Path) -> None:
    left = tmp_path / "cache" / ".tmp"
    left.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        from laminar.host import leftovers

        (left / leftovers.private_name()).write_bytes(b"half")
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(left.iterdir())) == 1
    md5, url = deployed(shop, bundle)
    bundles.fetch(Client(shop.endpoint), url, md5, str(tmp_path / "cache"))
    assert list(left.iterdir()) == []
