"""A server that speaks S3's protocol, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

BUCKET = "bucket"
REGION = "eu-central-1"
#: Names on a page of a listing; S3 has a thousand, which take long to write.
PAGE = 60


@contextlib.contextmanager
def serving(log: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Start the server at an address of this machine; gives its URL once it answers."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    address = f"http://{host}:{port}"
    with open(log, "wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
            stdout=output,
            stderr=output,
            env={**os.environ, "MOTO_ALLOW_NONEXISTENT_REGION": "true", "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
        )
        try:
            _make_bucket(address, server, log)
            yield address
        finally:
            server.terminate()
            server.wait()


def _make_bucket(address: str, server: subprocess.Popen[bytes], log: str) -> None:
    request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
    while True:
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            if server.poll() is not None:
                with open(log) as file:
                    raise RuntimeError(f"moto ended: {file.read()}") from error
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.05)  # it does not listen yet
        else:
            return


def options(address: str) -> dict[str, str]:
    """Give the settings of a datastore for the server."""
    return {
        "endpoint": address,
        "access_key_id": "key",
        "secret_access_key": "secret",
        "region": REGION,
    }
