"""What a user may say about how an action is carried out: resources, retries, time-outs."""

from __future__ import annotations

from laminar.errors import FlowError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Megabytes in one unit of a memory string.
UNITS = {
    "": 1.0,
    "k": 1e-3,
    "m": 1.0,
    "g": 1e3,
    "t": 1e6,
    "ki": 1.024e-3,
    "mi": 1.048576,
    "gi": 1073.741824,
    "ti": 1099511.627776,
}


def megabytes(value: Any, what: str = "memory") -> float:
    """Read an amount of memory.

    Args:
        value: A number of megabytes, or a string such as ``"512Mi"``, ``"2Gi"``, ``"1.5G"``.
        what: Name of the setting, for the error.

    Returns:
        Megabytes (10^6 bytes).

    Raises:
        FlowError: The value is no amount of memory.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        amount = float(value)
    else:
        text = str(value).strip().lower().removesuffix("b")
        digits = text.rstrip("kmgti")
        try:
            amount = float(digits) * UNITS[text[len(digits) :]]
        except (ValueError, KeyError):
            raise FlowError(
                f"{what}={value!r} is no amount of memory. "
                "Give megabytes as a number, or a string such as '512Mi' or '2Gi'."
            ) from None
    if not 0 < amount < float("inf"):
        raise FlowError(f"{what}={value!r} must be more than nothing.")
    return amount


def positive(value: Any, what: str, *, zero: bool = False) -> float:
    """Read a number that may not be negative.

    Raises:
        FlowError: It is not a number, or too small.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise FlowError(f"{what}={value!r} is not a number.") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FlowError(f"{what} expects a number, got {value!r} of type {type(value).__name__}.")
    if not (value >= 0 if zero else value > 0) or value == float("inf"):
        raise FlowError(f"{what}={value!r} must be {'0 or more' if zero else 'more than 0'}.")
    return value


class Resources(Value):
    """What an action needs of a machine.

    Attributes:
        cpu: Cores, may be a fraction.
        memory: Megabytes, or a string such as ``"2Gi"``.
        gpu: Number of GPUs, or a string such as ``"A100:1"``.
        disk: Megabytes of scratch space, or a string such as ``"10Gi"``.
        shm: Megabytes of shared memory, or a string.

    Raises:
        FlowError: An amount makes no sense.
    """

    cpu: float | str | None = None
    memory: float | str | None = None
    gpu: int | str | None = None
    disk: float | str | None = None
    shm: float | str | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if self.cpu is not None:
            positive(self.cpu, "cpu")
        for name in ("memory", "disk", "shm"):
            amount = getattr(self, name)
            if amount is not None:
                megabytes(amount, name)
        if self.gpu is not None:
            count = str(self.gpu).rpartition(":")[2]
            if not count.isdecimal():
                raise FlowError(f"gpu={self.gpu!r} is no number of GPUs. Give 1, '1' or 'A100:1'.")


class ReusePolicy(Value):
    """Keep containers warm: each action is a fresh fork inside one that stays up, isolated from the others.

    Attributes:
        replicas: Containers that are kept at a time, as ``(fewest, most)``; a number alone means both. The fewest are
            started at the beginning of a run, more when all are busy.
        idle_ttl: Seconds after which a container without work ends by itself, also if nobody is left to tell it so.
        concurrency: Actions that run in one container at a time; they share its resources.

    Raises:
        FlowError: A number makes no sense.

    Usage::

        Container(reuse=ReusePolicy(replicas=(1, 4), idle_ttl=300))
    """

    replicas: int | tuple[int, int] = (0, 1)
    idle_ttl: float = 60.0
    concurrency: int = 1

    def validate(self) -> None:
        """Refuse nonsense at once."""
        fewest, most = self.bounds()
        if not 0 <= fewest <= most or most < 1:
            raise FlowError(
                f"ReusePolicy(replicas={self.replicas!r}): expects a number from 1, or (fewest, most) such as (0, 4)."
            )
        if not _whole(self.concurrency) or self.concurrency < 1:
            raise FlowError(f"ReusePolicy(concurrency={self.concurrency!r}): expects a whole number from 1.")
        positive(self.idle_ttl, "ReusePolicy(idle_ttl)")

    def bounds(self) -> tuple[int, int]:
        """Give the fewest and the most containers.

        Raises:
            FlowError: It is neither a number nor a pair of them.
        """
        pair = self.replicas if isinstance(self.replicas, (tuple, list)) else (self.replicas, self.replicas)
        if len(pair) != 2 or not all(_whole(number) for number in pair):
            raise FlowError(
                f"ReusePolicy(replicas={self.replicas!r}): expects a number from 1, or (fewest, most) such as (0, 4)."
            )
        return pair[0], pair[1]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Retry(Value):
    """Try again after a failure, with exponential backoff.

    Before attempt ``n + 1`` it waits ``delay * backoff ** (n - 1)`` seconds, plus up to ``jitter`` of that at random.

    Attributes:
        attempts: Tries in all; 1 means no retry.
        delay: Seconds before the first retry.
        backoff: Factor of each further delay.
        jitter: Share of the delay that is added at random, from 0.
        memory: Factor of the memory after a memory kill; such a try uses no ordinary attempt. None: no such retry.
        memory_max: Most memory that it may grow to, in megabytes or as ``"4Gi"``.

    Raises:
        FlowError: A number makes no sense.
    """

    attempts: int = 1
    delay: float = 0.1
    backoff: float = 2.0
    jitter: float = 0.1
    memory: float | None = None
    memory_max: float | str | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int) or self.attempts < 1:
            raise FlowError(f"Retry(attempts={self.attempts!r}): expects a whole number from 1; 1 means no retry.")
        positive(self.delay, "Retry(delay)", zero=True)
        positive(self.backoff, "Retry(backoff)")
        positive(self.jitter, "Retry(jitter)", zero=True)
        if self.memory is not None and positive(self.memory, "Retry(memory)") <= 1:
            raise FlowError(
                f"Retry(memory={self.memory!r}) must be more than 1: it is the factor by which memory grows."
            )
        if self.memory_max is not None:
            megabytes(self.memory_max, "Retry(memory_max)")
        if self.memory is not None and self.memory_max is None:
            raise FlowError("Retry(memory=…) needs memory_max=…, the most memory that a retry may ask for.")


class Timeout(Value):
    """Stop an attempt that takes too long.

    Attributes:
        seconds: How long one attempt may run.

    Raises:
        FlowError: The number makes no sense.
    """

    seconds: float

    def validate(self) -> None:
        """Refuse nonsense at once."""
        positive(self.seconds, "Timeout(seconds)")
