"""The server's log: a line for each request and each event, JSON for machines and plain text for people."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, TextIO

#: Seconds for which a mistake that was logged is not logged again.
QUIET = 60.0
log = logging.getLogger("laminar.server")


def write_to(stream: TextIO, form: str) -> None:
    """Write the log to a stream, and that of the libraries beneath from warnings on.

    Args:
        stream: Where to.
        form: ``json``, ``plain``, or ``auto``: plain in a terminal.
    """
    plain = form == "plain" or (form == "auto" and stream.isatty())
    handler = _Lines(stream)
    handler.setFormatter(_Plain() if plain else _Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.INFO)


def event(message: str, **fields: Any) -> None:
    """Log that something happened."""
    log.info(message, extra={"fields": fields})


def mistake(message: str, error: BaseException, **fields: Any) -> None:
    """Log a mistake of the server, with its traceback.

    The same one is logged once a minute, and then with how often it was made since: what is tried again each second
    would else fill the disk whose fullness it may tell of.
    """
    again = _repeats.count((message, repr(error), repr(fields)))
    if again is not None:
        log.error(message, exc_info=error, extra={"fields": {**fields, **({"again": again} if again else {})}})


class Repeats:
    """Mistakes that were logged of late, and how often each was made since."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with none.

        Args:
            now: The time in seconds, from whenever.
        """
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, int]] = {}

    def count(self, what: Hashable) -> int | None:
        """Give how often a mistake was made since it was logged; None if it is not to be logged yet."""
        now = self._now()
        with self._lock:
            until, times = self._known.get(what, (now, 0))
            if now < until:
                self._known[what] = until, times + 1
                return None
            self._known = {key: known for key, known in self._known.items() if known[0] > now}
            self._known[what] = now + QUIET, 0
            return times


_repeats = Repeats()


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = getattr(record, "fields", {})
    return found


class _Lines(logging.StreamHandler["TextIO"]):
    """Writes lines, one after the other.

    A signal can come while one is written, and what hears it has a line of its own: in the middle of the first a stream
    would refuse it, and the signal would be lost with that.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: deque[logging.LogRecord] = deque()
        self._writes = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, and those that have come meanwhile; others than this thread are kept out by the lock."""
        self._waiting.append(record)
        if self._writes:
            return
        self._writes = True
        try:
            while self._waiting:
                super().emit(self._waiting.popleft())
        finally:
            self._writes = False


class _Json(logging.Formatter):
    """One object on each line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Plain(logging.Formatter):
    """The time, what happened, and what else is known; nothing of a request can break a line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        parts = (f"{name}={_shown(value)}" for name, value in _fields(record).items())
        text = " ".join((clock, _printable(record.getMessage()), *parts))
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text) if not text.isprintable() or " " in text or not text else text


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)
