"""A client of a server's API: requests and answers as records, refusals as errors."""

from __future__ import annotations

import functools
import io
import re
from urllib.parse import quote, urlencode

import msgspec

from laminar.client.downloads import Download
from laminar.client.events import MEDIA_TYPE, follow
from laminar.client.transport import BAD, Transport, origin
from laminar.errors import (
    ConfigurationError,
    DigestMismatchError,
    ServerBusyError,
    ServerError,
    UploadRefusedError,
)
from laminar.wire import problems
from laminar.wire.paths import API

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, BinaryIO

    from laminar.client.events import Event
    from laminar.client.transport import Answer

JSON = "application/json"
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
ABSENT = 404
#: How many bytes of an answer that is not understood are shown.
SHOWN = 200
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
#: What stores that speak S3's protocol say in a refusal.
_CODE = re.compile(rb"<Code>(\w+)</Code>")
DIGESTS = frozenset({b"BadDigest", b"InvalidDigest", b"XAmzContentSHA256Mismatch"})


class Client:
    """Asks one server. Threads may share it; a copy in another process makes its own connections.

    Attributes:
        endpoint: Address of the server.
        project: The project that paths of :meth:`space_path` are in.
        domain: The domain that they are in.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | None = None,
        *,
        project: str = "default",
        domain: str = "development",
        timeout: float = 30.0,
        patience: float = 30.0,
        at_first: float = 0.0,
        ca_file: str | None = None,
    ) -> None:
        """Remember where and how; nothing is asked yet.

        Args:
            endpoint: Address of the server, such as ``http://127.0.0.1:8080``.
            token: What the server is shown. It is in no message.
            project: The project.
            domain: The domain.
            timeout: Seconds that the server may be silent.
            patience: Seconds for which a request that can be repeated is tried again, once the server has answered.
            at_first: The same, while it has not answered yet.
            ca_file: File of the authority that the server's certificate is from; by default those of the system.

        Raises:
            ConfigurationError: The address is none of a server, or the token has other letters than tokens have.
        """
        if token is not None and _TOKEN.fullmatch(token) is None:
            raise ConfigurationError("The token for the server holds letters that no token has. Copy it again.")
        self.project, self.domain = project, domain
        self._token = token
        self._transport = Transport(endpoint, timeout=timeout, patience=patience, at_first=at_first, ca_file=ca_file)
        self.endpoint = self._transport.endpoint

    def __repr__(self) -> str:
        """Show the address and the space, not the token."""
        return f"Client({self.endpoint!r}, project={self.project!r}, domain={self.domain!r})"

    def __enter__(self) -> Client:
        """Give the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close all connections. They are made again when they are needed."""
        self._transport.close()

    def space_path(self, path: str) -> str:
        """Name something of the client's project and domain, for :meth:`call`."""
        return f"/projects/{quote(self.project, safe='')}/domains/{quote(self.domain, safe='')}{path}"

    def call(
        self,
        method: str,
        path: str,
        *,
        body: msgspec.Struct | None = None,
        query: Mapping[str, str | int | float | bool | None] | None = None,
        returns: Any = None,
        again: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Ask the server.

        Args:
            method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
            path: What is asked for, below ``/api/v1``; names in it are quoted already.
            body: What is sent.
            query: Behind the question mark; what is None is left out.
            returns: Type of what is given back; None drops the answer.
            again: Whether it does no harm to ask twice; by default that is so of all methods but POST and PATCH.
            timeout: Seconds that the server may be silent; by default those of the client.

        Returns:
            The answer, of the type asked for.

        Raises:
            ServerNotReachableError: Nobody answers, or the connection was lost.
            ServerError: The server refuses; it is of the class that the server names, below ``LaminarError``.
        """
        content = None if body is None else msgspec.json.encode(body)
        answer = self._transport.ask(
            method,
            f"{API}{path}{_query(query)}",
            headers=self._headers(JSON, None if content is None else JSON),
            body=content,
            timeout=timeout,
            again=method in REPEATABLE if again is None else again,
        )
        self._see(answer, f"{method} {path}")
        return None if returns is None else self._read(answer.data, returns, f"{method} {path}")

    def events(
        self, path: str, after: int = 0, query: Mapping[str, str | int | float | bool | None] | None = None
    ) -> Iterator[Event]:
        """Follow a stream of events, and go on behind the last one where the connection is lost.

        Args:
            path: The stream, below ``/api/v1``.
            after: Number of the last event that is known.
            query: Behind the question mark.

        Returns:
            For each event its number, its kind, and its data as JSON; it ends when the server says so.

        Raises:
            ServerNotReachableError: Nobody answers, or no more.
            ServerError: The server refuses.
        """
        url = f"{API}{path}{_query(query)}"

        def ask(last: int) -> Answer:
            headers = {**self._headers(MEDIA_TYPE), **({"Last-Event-ID": str(last)} if last else {})}
            answer = self._transport.ask("GET", url, headers=headers, again=True, whole=False)
            self._see(answer, f"GET {path}")
            return answer

        return follow(ask, after, self._transport.patience)

    def put(self, url: str, content: bytes | BinaryIO, headers: Mapping[str, str] | None = None) -> None:
        """Send bytes to a signed address. The client's token is not shown there.

        Args:
            url: The address, or a path on the server.
            content: The bytes; a file is sent from where it stands to its end.
            headers: What was signed with the address.

        Raises:
            DigestMismatchError: What arrived is not what was announced.
            UploadRefusedError: The store does not take it.
            ServerNotReachableError: Nobody answers, or the connection was lost.
        """
        length = len(content) if isinstance(content, bytes) else _rest(content)
        answer = self._transport.ask(
            "PUT", url, headers={**(headers or {}), "Content-Length": str(length)}, body=content, again=True
        )
        self._see_stored(answer, self._transport.absolute(url), UploadRefusedError)

    def get(self, url: str) -> BinaryIO:
        """Open what lies at a signed address. The client's token is not shown there.

        Args:
            url: The address, or a path on the server.

        Returns:
            A stream that goes on where a connection was lost.

        Raises:
            FileNotFoundError: There is nothing.
            ServerError: The store refuses.
            ServerNotReachableError: Nobody answers, or the connection was lost.
        """

        def ask(headers: Mapping[str, str]) -> Answer:
            answer = self._transport.ask("GET", url, headers=headers, again=True, whole=False)
            self._see_stored(answer, self._transport.absolute(url), ServerError)
            return answer

        return io.BufferedReader(Download(self._transport.absolute(url), ask, self._transport.patience), 1 << 18)

    def _headers(self, accept: str, content: str | None = None) -> dict[str, str]:
        headers = {"Accept": accept}
        if content is not None:
            headers["Content-Type"] = content
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _see(self, answer: Answer, what: str) -> None:
        """See whether the server has done what it was asked for."""
        if not 200 <= answer.status < BAD:
            raise self._refusal(answer, what)

    def _refusal(self, answer: Answer, what: str) -> Exception:
        data = answer.data
        if answer.headers.get("Content-Type", "").startswith(problems.MEDIA_TYPE):
            try:
                return problems.error_of(msgspec.json.decode(data, type=problems.Problem))
            except msgspec.DecodeError:
                pass
        kind = ServerBusyError if answer.status in (502, 503, 504) else ServerError
        return kind(
            f"{self.endpoint} answered {what} with status {answer.status}, not as a laminar server does: "
            f"{data[:SHOWN]!r}. See that the address is right, and what stands between."
        )

    def _read(self, data: bytes, kind: Any, what: str) -> Any:
        try:
            return _decoder(kind).decode(data)
        except msgspec.DecodeError as error:
            raise ServerError(
                f"{self.endpoint} answered {what} with something that this version does not understand: {error}. "
                "Use the same version of laminar on both sides."
            ) from None

    def _see_stored(self, answer: Answer, url: str, kind: type[ServerError]) -> None:
        """See whether a store has done what it was asked for, be it the server's own or one that signs."""
        if 200 <= answer.status < BAD:
            return
        if answer.status == ABSENT:
            raise FileNotFoundError(f"There is nothing at a signed address of {origin(url)}.")
        if answer.headers.get("Content-Type", "").startswith(problems.MEDIA_TYPE):
            raise self._refusal(answer, "a signed request")
        code = _CODE.search(answer.data)
        if code and code[1] in DIGESTS:
            raise DigestMismatchError(
                f"The bytes that arrived at {origin(url)} are not those announced. Send them again."
            )
        said = code[1].decode() if code else f"status {answer.status}"
        raise kind(f"The store at {origin(url)} refuses a signed request: {said}. Ask for a new address.")


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _query(query: Mapping[str, str | int | float | bool | None] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    text = urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()})
    return f"?{text}" if text else ""


def _rest(file: BinaryIO) -> int:
    """Count the bytes of a file from where it stands."""
    start = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(start)
    return end - start
