"""How an attempt that ran as a process has ended: by its manifest, its exit status, and what the kernel killed."""

from __future__ import annotations

import os
import pickle
import signal

from laminar.host import files
from laminar.model.action import Ended
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.action import Manifest, Request


#: Exit code of an attempt whose manifest could not be written (``EX_IOERR`` of ``sysexits.h``).
UNDELIVERED = 74


def take_manifest(path: str) -> Manifest | None:
    """Read and remove the manifest that an attempt handed over; None if it did not."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    os.unlink(path)
    manifest: Manifest = pickle.loads(data)  # noqa: S301 - from a process that this one started
    return manifest


class Watch:
    """What must be remembered of an attempt to tell how it ended."""

    def __init__(self, request: Request, *, limited: bool = False) -> None:
        """Begin with an attempt that nobody has stopped.

        Args:
            request: What was asked for.
            limited: Whether the place holds it to the memory that it asks for.
        """
        self.request = request
        self._limited = limited
        self.stopped = False

    def ended(self, status: int, cpu: float | None, memory: float | None, *, killed: bool) -> Ended:
        """Tell how an attempt ended.

        Args:
            status: Exit status of its process; negative: the signal that ended it.
            cpu: Processor seconds used, if known.
            memory: Peak resident memory in megabytes, if known.
            killed: Whether the kernel killed for memory while it ran.
        """
        key = self.request.key
        try:
            manifest = take_manifest(self.request.manifest)
        except Exception as error:
            return Ended(key, Outcome.LOST, detail=f"its result could not be read: {error}", cpu=cpu, memory=memory)
        if manifest is not None:
            outcome = Outcome.SUCCEEDED if manifest.failure is None else Outcome.RAISED
            return Ended(key, outcome, manifest, cpu=cpu, memory=memory)
        if self.stopped:
            return Ended(key, Outcome.CANCELLED, detail="its processes were stopped", cpu=cpu, memory=memory)
        if status < 0:
            number = -status
            if number == signal.SIGKILL and killed:
                detail = self._memory_kill(memory)
                return Ended(key, Outcome.OUT_OF_MEMORY, signal=number, detail=detail, cpu=cpu, memory=memory)
            detail = f"its process was killed by {_name(number)}"
            output = files.last_lines(self.request.log)
            return Ended(key, Outcome.KILLED, signal=number, detail=detail, output=output, cpu=cpu, memory=memory)
        if status == UNDELIVERED and os.path.exists(f"{self.request.manifest}.part"):
            detail = f"its result could not be written to {self.request.manifest}.{files.room(self.request.manifest)}"
            return Ended(key, Outcome.LOST, detail=detail.removesuffix("."), cpu=cpu, memory=memory)
        detail = f"its process exited with code {status} and no result, as os._exit({status}) does"
        output = files.last_lines(self.request.log)
        return Ended(key, Outcome.EXITED, code=status, detail=detail, output=output, cpu=cpu, memory=memory)

    def _memory_kill(self, peak: float | None) -> str:
        """Say that the kernel killed it for memory, how much it had, and how much it might have."""
        asked = self.request.resources.memory
        had = f"; its peak was {peak:.0f} MB" if peak else ""
        might = f"; its limit is memory={asked!r}" if self._limited and asked is not None else ""
        return f"the kernel killed it for memory{had}{might}"


def _name(number: int) -> str:
    """Name a signal; those for real time have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
