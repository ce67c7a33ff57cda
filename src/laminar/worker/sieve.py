"""Between what a process writes and its log: a pipe, and a thread that hides secrets."""

from __future__ import annotations

import fcntl
import os
import selectors
import sys
import threading
from contextlib import suppress

from laminar.worker.redaction import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.worker.redaction import Redactor

#: Bytes that wait in the pipe, so that code which writes much while it holds the interpreter's lock is not stopped by
#: a thread that cannot run meanwhile. The most that Linux gives to everybody.
CAPACITY = 1 << 20
OUTPUTS = (1, 2)


class Sieve:
    """Redacts all that this process writes to its standard output and error, its C code and subprocesses included.

    Both outputs must lead to one log already. What was written before :meth:`close` is in the log after it; what a
    subprocess writes later is not. If the process is killed, what the thread has not yet read is lost.

    Usage::

        redirect(log)
        with Sieve(Redactor(values)):
            ...
    """

    def __init__(self, redactor: Redactor) -> None:
        """Remember what to hide."""
        self._stream = Stream(redactor)

    def __enter__(self) -> Sieve:
        """Put the pipe in place."""
        _flush()
        self._log = os.dup(OUTPUTS[0])
        self._read, write = os.pipe()
        self._ended, self._end = os.pipe()
        for end in (self._read, self._ended):
            os.set_blocking(end, False)
        _widen(write)
        for output in OUTPUTS:
            os.dup2(write, output)
        os.close(write)
        self._thread = threading.Thread(target=self._pass_on, name="laminar-sieve", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let the outputs lead to the log again, after all that was written has arrived there."""
        _flush()
        for output in OUTPUTS:
            os.dup2(self._log, output)
        os.write(self._end, b".")  # closing it would tell nothing while a forked child has it open
        self._thread.join()
        for handle in (self._log, self._read, self._ended, self._end):
            os.close(handle)

    def _pass_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._read, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                ended = any(key.fd == self._ended for key, _ in selector.select())
                if not self._take() or ended:
                    break
        self._write(self._stream.close())

    def _take(self) -> bool:
        """Pass on all that is in the pipe, and tell whether more may come."""
        try:
            data = os.read(self._read, CAPACITY)
        except BlockingIOError:
            return True
        self._write(self._stream.write(data))
        return bool(data)

    def _write(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk: whoever writes must not wait for it for ever
            while data:
                data = data[os.write(self._log, data) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _widen(pipe: int) -> None:
    with suppress(AttributeError, OSError):  # Linux alone knows it; elsewhere a pipe of 64 KiB does too
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CAPACITY)
