"""Names of runs, actions and attempts."""

from __future__ import annotations

import os
import time

from laminar.model.value import Value

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KSUID_EPOCH = 1_400_000_000
KSUID_LENGTH = 27


def new_run_id(now: float | None = None, entropy: bytes | None = None) -> str:
    """Make a KSUID: 27 letters that sort by time of making.

    The variant with milliseconds: 32 bits of seconds since 2014-05-13, 8 bits of 4 milliseconds, 120 random bits, in
    base 62 (https://github.com/segmentio/ksuid, https://github.com/svix/python-ksuid). Written here because the
    library takes 33 ms to import.

    Args:
        now: Seconds since the epoch; the clock's by default.
        entropy: 15 bytes of chance; the system's by default.

    Returns:
        The id.
    """
    moment = time.time() if now is None else now
    seconds = int(moment)
    ticks = int((moment - seconds) * 250)
    payload = entropy if entropy is not None else os.urandom(15)
    number = int.from_bytes((seconds - KSUID_EPOCH).to_bytes(4, "big") + bytes((ticks,)) + payload, "big")
    letters = []
    for _ in range(KSUID_LENGTH):
        number, digit = divmod(number, 62)
        letters.append(ALPHABET[digit])
    return "".join(reversed(letters))


class ActionKey(Value, frozen=True, hot=True):
    """Name of one action: a split of a layer, or a call of a task.

    Attributes:
        space: What the run is a run of: the flow's name.
        run: Id of the run.
        name: The layer's name.
        index: Which split, from 0.
    """

    space: str
    run: str
    name: str
    index: int = 0

    def __hash__(self) -> int:
        """Hash by the parts that differ most."""
        return hash(self.name) + self.index

    def __str__(self) -> str:
        """Show the action as ``Layer[index]``."""
        return f"{self.name}[{self.index}]"


class AttemptKey(Value, frozen=True, hot=True):
    """Name of one try of an action.

    Attributes:
        action: The action tried.
        number: Which try, from 1.
        epoch: Which holder of the run started it; grows by one each time that a run is taken.
    """

    action: ActionKey
    number: int
    epoch: int

    def __hash__(self) -> int:
        """Hash by the action; it has few attempts."""
        return hash(self.action.name) + self.action.index

    def __str__(self) -> str:
        """Show the attempt as ``Layer[index]#number``."""
        return f"{self.action}#{self.number}"
