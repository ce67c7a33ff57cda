"""Requests over connections that are kept, tried again while that can help.

Loads urllib3 (58 ms): only for who asks a server.
"""

from __future__ import annotations

import os
import random
import time
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import urllib3

from laminar.errors import ConfigurationError, ServerNotReachableError
from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    Answer = urllib3.BaseHTTPResponse

#: What gateways and servers say that cannot answer now; stores also say 500 for that.
BUSY = frozenset({429, 502, 503, 504})
STORE_BUSY = BUSY | {500}
TOO_MANY = 429
#: From here on, an answer is none that was asked for.
BAD = 300
CONNECT = 5.0
#: Seconds before the second try, and the most between two; each wait is between half of that and all.
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
CHUNK = 1 << 18


class Transport:
    """Connections to a server and to the store that it names. Threads may share it; after a fork it begins anew."""

    def __init__(self, endpoint: str, *, timeout: float, patience: float, at_first: float, ca_file: str | None) -> None:
        """Remember where and how; nothing is connected yet.

        Raises:
            ConfigurationError: The address is none of a server.
        """
        self.endpoint = _checked(endpoint)
        self.timeout = timeout
        self.patience = patience
        self._at_first = at_first
        self._ca_file = ca_file
        self._answered = False
        self._pools: tuple[int, dict[str, urllib3.PoolManager]] = (0, {})

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connections behind."""
        return {**self.__dict__, "_pools": (0, {})}

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | BinaryIO | None = None,
        timeout: float | None = None,
        again: bool = False,
        whole: bool = True,
    ) -> Answer:
        """Send a request, and give the answer.

        Args:
            method: The method.
            url: The whole address, or a path on the server.
            headers: The headers.
            body: The content; a file is sent from where it stands.
            timeout: Seconds between two signs of life; by default those of the client.
            again: Whether it does no harm to send it twice.
            whole: Whether the content of an answer is read, into its ``data``; that of a refusal always is.

        Raises:
            ServerNotReachableError: Nobody answers, or the connection was lost.
        """
        url = self.absolute(url)
        start = None if body is None or isinstance(body, bytes) else body.tell()
        busy = BUSY if url.startswith(self.endpoint) else STORE_BUSY
        waits = Waits(self.patience if self._answered else self._at_first)
        while True:
            try:
                answer = self._once(method, url, headers, body, timeout)
                if whole or answer.status >= BAD:
                    _ = answer.data  # read here, so that an answer that is cut off is asked for again
            except urllib3.exceptions.HTTPError as error:
                wait = waits.next() if _can_help(error) and (again or _never_left(error)) else None
                if wait is None:
                    raise self._lost(method, url, error) from None
            else:
                self._answered = True
                wait = waits.next(_asked_for(answer)) if _can_wait(answer, again, busy) else None
                if wait is None:
                    return answer
            time.sleep(wait)
            if start is not None:
                body.seek(start)  # type: ignore[union-attr]

    def absolute(self, url: str) -> str:
        """Complete a path on the server to an address."""
        return f"{self.endpoint}{url}" if url.startswith("/") else url

    def close(self) -> None:
        """Close all connections."""
        pid, pools = self._pools
        if pid == os.getpid():
            for pool in pools.values():
                pool.clear()

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | BinaryIO | None, timeout: float | None
    ) -> Answer:
        return self._pool(url).urlopen(
            method,
            url,
            body=body,
            headers={"User-Agent": f"laminar/{VERSION}", **headers},
            timeout=urllib3.Timeout(connect=CONNECT, read=self.timeout if timeout is None else timeout),
            retries=False,
            redirect=False,  # a token is shown to nobody else
            preload_content=False,
            decode_content=False,
        )

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Give the connections for an address: direct ones, or those through a proxy."""
        pid, pools = self._pools
        if pid != os.getpid():  # connections belong to who opened them
            pools = {}
            self._pools = (os.getpid(), pools)
        proxy = _proxy(url)
        pool = pools.get(proxy)
        if pool is None:
            options: dict[str, Any] = {"maxsize": 16, **({"ca_certs": self._ca_file} if self._ca_file else {})}
            pool = pools[proxy] = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        return pool

    def _lost(self, method: str, url: str, error: urllib3.exceptions.HTTPError) -> ServerNotReachableError:
        where = origin(url)
        if isinstance(error, urllib3.exceptions.SSLError):
            return ServerNotReachableError(
                f"{where} cannot be trusted: {_reason(error)}. Name the file of its authority by "
                "server.ca_certs or SSL_CERT_FILE."
            )
        if not _never_left(error) and method == "POST":
            return ServerNotReachableError(
                f"{where} was lost before it had answered: {_reason(error)}. It may have done what it was asked for: "
                "look before you ask again."
            )
        return ServerNotReachableError(
            f"No server answers at {where}: {_reason(error)}. Start one with 'laminar serve', or correct the address: "
            "laminar.init(endpoint=…), LAMINAR_SERVER_ENDPOINT or the configuration file."
        )


class Waits:
    """The waits between tries, longer each time, until patience is over."""

    def __init__(self, patience: float) -> None:
        """Start the clock."""
        self._end = time.monotonic() + patience
        self._wait = FIRST_WAIT

    def next(self, asked: float | None = None) -> float | None:
        """Give the seconds to wait before the next try; None if patience ends before.

        Args:
            asked: What the server has asked for.
        """
        wait = self._wait * random.uniform(0.5, 1) if asked is None else asked  # noqa: S311 - no secret
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return wait if time.monotonic() + wait < self._end else None


def origin(url: str) -> str:
    """Give the part of an address that may be shown: no path, no signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _checked(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    try:
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.username is not None or parts.query or parts.fragment:
        shown = "" if parts.username is not None else f" {endpoint!r}"
        raise ConfigurationError(f"The address of the server{shown} is none. Write it as http://host:8080, no more.")
    return endpoint.rstrip("/")


def _proxy(url: str) -> str:
    """Find the proxy for an address in the environment; empty if there is none, as for this machine itself."""
    proxies = getproxies_environment()
    parts = urlsplit(url)
    if not proxies or parts.hostname in LOOPBACK or proxy_bypass(parts.netloc):
        return ""
    found = proxies.get(parts.scheme) or proxies.get("all", "")
    return found if "://" in found or not found else f"http://{found}"


def _never_left(error: urllib3.exceptions.HTTPError) -> bool:
    """Tell whether a request has certainly not arrived: no connection was made."""
    cause = error.original_error if isinstance(error, urllib3.exceptions.ProxyError) else error
    return isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _can_help(error: urllib3.exceptions.HTTPError) -> bool:
    return not isinstance(error, urllib3.exceptions.SSLError | urllib3.exceptions.LocationValueError)


def _can_wait(answer: Answer, again: bool, busy: frozenset[int]) -> bool:
    return answer.status in busy and (again or answer.status == TOO_MANY)


def _asked_for(answer: Answer) -> float | None:
    """Read for how many seconds the server asks to wait."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _reason(error: BaseException) -> str:
    """Say in words of the system what went wrong with a connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    late = isinstance(error, urllib3.exceptions.TimeoutError)
    return "it does not answer in time" if late else "the connection was closed"
