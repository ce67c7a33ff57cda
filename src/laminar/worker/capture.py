"""The output of attempts that run as threads: what they print goes to their own log."""

from __future__ import annotations

import contextvars
import os
import sys

from laminar.host.files import open_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from laminar.worker.redaction import Redactor, Stream

_log: contextvars.ContextVar[Log | None] = contextvars.ContextVar("laminar_log", default=None)


class Log:
    """The log of one attempt: created when something is written, unbuffered."""

    def __init__(self, path: str) -> None:
        """Remember the path."""
        self._path = path
        self._handle = -1
        self._stream: Stream | None = None

    def hide(self, redactor: Redactor) -> None:
        """Hide secrets in all that is written from now on."""
        from laminar.worker.redaction import Stream  # 17 ms, and only tasks with secrets need it

        self._stream = Stream(redactor)

    def write(self, text: str) -> int:
        """Write text."""
        data = text.encode("utf-8", "backslashreplace")
        self._write(data if self._stream is None else self._stream.write(data))
        return len(text)

    def _write(self, data: bytes) -> None:
        if self._handle < 0:
            self._handle = open_log(self._path)
        os.write(self._handle, data)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._stream is not None and (held := self._stream.close()):
            self._write(held)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Splitter:
    """A stand-in for ``sys.stdout`` that sends what an attempt writes to its log, and all else to the original."""

    def __init__(self, original: TextIO) -> None:
        """Remember the original."""
        self.original = original

    def write(self, text: str) -> int:
        """Write text where it belongs."""
        log = _log.get()
        return self.original.write(text) if log is None else log.write(text)

    def flush(self) -> None:
        """Flush the original."""
        self.original.flush()

    def __getattr__(self, name: str) -> Any:
        """Behave as the original in all else."""
        return getattr(self.original, name)


class Capture:
    """Installs the splitters while attempts run as threads. May be entered several times at once."""

    _depth = 0

    def __enter__(self) -> Capture:
        """Install the splitters."""
        if Capture._depth == 0:
            sys.stdout = Splitter(sys.stdout)
            sys.stderr = Splitter(sys.stderr)
        Capture._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Put the originals back."""
        Capture._depth -= 1
        if Capture._depth == 0:
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if isinstance(stream, Splitter):
                    setattr(sys, name, stream.original)


def capture_here(path: str) -> Log:
    """Send what the current context prints from now on to a log; who calls this closes it."""
    log = Log(path)
    _log.set(log)
    return log


class captured:  # noqa: N801 - used as a function
    """Send what the current context prints to a log."""

    def __init__(self, path: str) -> None:
        """Remember the path of the log."""
        self._log = Log(path)

    def __enter__(self) -> None:
        """Begin."""
        self._token = _log.set(self._log)

    def __exit__(self, *_: object) -> None:
        """End."""
        _log.reset(self._token)
        self._log.close()


def hide(redactor: Redactor) -> None:
    """Hide secrets in what the current context prints from now on, if that goes to a log."""
    log = _log.get()
    if log is not None:
        log.hide(redactor)
