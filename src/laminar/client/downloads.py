"""Bytes on their way from a signed address, gone on with where the connection was lost."""

from __future__ import annotations

import io

import urllib3

from laminar.client.transport import Waits, origin
from laminar.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.client.transport import Answer

#: Status of an answer that is all of the content, and not the rest that was asked for.
WHOLE = 200


class Download(io.RawIOBase):
    """The content behind an address, as a stream.

    Where the connection is lost, the rest is asked for, of the same content only: its entity tag says whether it is.
    """

    def __init__(self, url: str, ask: Callable[[Mapping[str, str]], Answer], patience: float) -> None:
        """Ask for it.

        Args:
            url: The address, to name it in errors.
            ask: Asks for the content, with headers.
            patience: Seconds without a byte after which it is given up.
        """
        self._where = origin(url)
        self._ask = ask
        self._patience = patience
        self._answer = ask({})
        self._tag = self._answer.headers.get("ETag")
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; 0 at the end.

        Raises:
            StorageError: The connection was lost, and the rest cannot be had.
        """
        view = memoryview(buffer).cast("B")
        waits = Waits(self._patience)
        while True:
            try:
                data = self._answer.read(len(view))
            except urllib3.exceptions.HTTPError as error:
                if self._tag is None or waits.next() is None:
                    raise StorageError(f"What is read from {self._where} was cut off at byte {self._at:,}.") from error
                self._go_on()
                continue
            view[: len(data)] = data
            self._at += len(data)
            return len(data)

    def close(self) -> None:
        """Close the connection."""
        if not self.closed:
            self._answer.close()
        super().close()

    def _go_on(self) -> None:
        self._answer.close()
        assert self._tag is not None
        self._answer = self._ask({"Range": f"bytes={self._at}-", "If-Range": self._tag})
        if self._answer.status == WHOLE:
            raise StorageError(f"What is read from {self._where} was replaced at byte {self._at:,}. Read it again.")
