"""Signed claims: what attempts, agents and addresses of the store prove themselves with.

The form is ``<claims>.<mac>``: JSON and its HMAC-SHA-256, each in URL-safe base64. There is one algorithm and no header
that could name another, and ``use`` is among what is signed: a claim made for one purpose is none for any other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time

import msgspec

from laminar.errors import AuthenticationError, ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Holds the key for several servers that share a database.
VARIABLE = "LAMINAR_SIGNING_KEY"
FILE = "signing.key"
#: What the claims of an address in the store are for.
STORE = "store"
#: Bytes of a key that is made here, and of the shortest that is taken.
LENGTH, SHORTEST = 32, 16
#: Characters of the longest text that is looked at.
LONGEST = 8192


class Signer:
    """Signs claims, and reads those that it signed.

    Args:
        key: The secret; whoever has it can make any claim.
        now: The time, in seconds since the epoch.
    """

    def __init__(self, key: bytes, now: Callable[[], float] = time.time) -> None:
        """Take the key."""
        self._key = key
        self._now = now

    def sign(self, use: str, claims: Mapping[str, Any], seconds: float) -> str:
        """Sign claims.

        Args:
            use: What they are for; only who verifies for the same use takes them.
            claims: What is claimed, as JSON can say it.
            seconds: How long they count.

        Returns:
            Text that can stand in a header or a URL.
        """
        payload = msgspec.json.encode({"use": use, "expires": self._now() + seconds, "claims": claims})
        return f"{_text(payload)}.{_text(self._mac(payload))}"

    def verify(self, text: str, use: str) -> dict[str, Any]:
        """Read claims.

        Args:
            text: What ``sign`` has returned.
            use: What they must be for.

        Raises:
            AuthenticationError: They were not signed here, are for another use, or are over.
        """
        payload = self._payload(text)
        if payload is None or payload["use"] != use:
            raise AuthenticationError("The signature is not one of this server's. Ask it for another.")
        if payload["expires"] <= self._now():
            raise AuthenticationError("The signature is over. Ask the server for another.")
        found: dict[str, Any] = payload["claims"]
        return found

    def _payload(self, text: str) -> dict[str, Any] | None:
        payload, dot, mac = text.partition(".")
        if not dot or len(text) > LONGEST:
            return None
        try:
            data = _bytes(payload)
            genuine = hmac.compare_digest(_bytes(mac), self._mac(data))
        except (binascii.Error, ValueError):
            return None
        return msgspec.json.decode(data) if genuine else None

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return "Signer(…)"


def key(folder: str) -> bytes:
    """Give the key of a server, and make one at its first start.

    Args:
        folder: The server's folder. The file in it can be read by its owner alone.

    Raises:
        ConfigurationError: The key is too short.
    """
    given = os.environ.get(VARIABLE, "").encode()
    path = os.path.join(folder, FILE)
    found = given or _read(path)
    if len(found) < SHORTEST:
        where, remedy = (VARIABLE, "Make another.") if given else (path, "Remove it, and another is made.")
        raise ConfigurationError(f"{where} holds {len(found)} bytes; a key has {SHORTEST} or more. {remedy}")
    return found


def _read(path: str) -> bytes:
    _make(path)
    with open(path, "rb") as file:
        return file.read().strip()


def _make(path: str) -> None:
    """Write a new key whole and at once, unless there is one, such as that of a server that starts at the same time."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    fresh = f"{path}.{secrets.token_hex(8)}"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_hex(LENGTH).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(fresh)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
