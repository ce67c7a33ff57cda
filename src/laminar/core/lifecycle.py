"""What to do when an attempt has ended: try again, try again with more memory, or give up."""

from __future__ import annotations

from laminar.model.amounts import megabytes
from laminar.model.policies import Resources, Retry
from laminar.model.states import Outcome
from laminar.model.value import Value


class Tries(Value, frozen=True):
    """How often an action has failed, by what its retry budget counts.

    Attributes:
        ordinary: Failures that use up ``Retry.attempts``.
        memory: Memory kills that were answered with more memory.
        interrupted: How often its place was taken from it.
    """

    ordinary: int = 0
    memory: int = 0
    interrupted: int = 0


class Again(Value, frozen=True):
    """Try again.

    Attributes:
        delay: Seconds to wait first.
        tries: The count from now on.
        memory: Megabytes to ask for from now on, if they change.
        reason: Why, as a sentence for people.
    """

    delay: float
    tries: Tries
    memory: float | None
    reason: str


class GiveUp(Value, frozen=True):
    """The action has failed.

    Attributes:
        reason: Why no further try, as a sentence for people.
    """

    reason: str


def backoff(retry: Retry, failures: int, dice: float) -> float:
    """Compute the seconds to wait after some failures.

    Args:
        retry: The policy.
        failures: How many ordinary failures there have been, from 1.
        dice: A random number from 0 to 1.

    Returns:
        ``delay * backoff ** (failures - 1)``, plus up to ``jitter`` of it; at most ``delay_max``.
    """
    most = float("inf") if retry.delay_max is None else retry.delay_max
    try:
        base = retry.delay * retry.backoff ** (failures - 1)
    except OverflowError:  # a power of 2.0 beyond 2 ** 1023
        return most
    return min(base + base * retry.jitter * dice, most)


#: How often an action is tried again because its place was taken from it. One that is killed each time has another
#: reason to die.
INTERRUPTIONS = 20


def after_failure(
    outcome: Outcome,
    *,
    final: bool,
    retry: Retry,
    tries: Tries,
    resources: Resources,
    dice: float,
    excused: bool = False,
) -> Again | GiveUp:
    """Decide what follows a failed attempt.

    Args:
        outcome: How the attempt ended; not ``SUCCEEDED``.
        final: Whether the error itself says that no retry can help.
        retry: The policy.
        tries: Failures before this one.
        resources: What the attempt had asked for.
        dice: A random number from 0 to 1.
        excused: Whether that end is no fault of the action's, and so uses up no retry.

    Returns:
        The decision.
    """
    if outcome is Outcome.CANCELLED:
        return GiveUp("it was cancelled")
    if final:
        return GiveUp("the error says that no retry can help")
    if excused and tries.interrupted < INTERRUPTIONS:
        count = tries.interrupted + 1
        return Again(
            delay=backoff(retry, count, dice),
            tries=tries.replace(interrupted=count),
            memory=None,
            reason=f"its place was taken from it ({outcome.value}), which uses up no retry",
        )
    if outcome is Outcome.OUT_OF_MEMORY and retry.memory is not None:
        return _more_memory(retry, tries, resources)
    failures = tries.ordinary + 1
    if failures >= retry.attempts:
        return GiveUp(
            "it was the only attempt" if retry.attempts == 1 else f"all {retry.attempts} attempts are used up"
        )
    return Again(
        delay=backoff(retry, failures, dice),
        tries=tries.replace(ordinary=failures),
        memory=None,
        reason=f"attempt {failures} of {retry.attempts} ended: {outcome.value}",
    )


def _more_memory(retry: Retry, tries: Tries, resources: Resources) -> Again | GiveUp:
    now = resources.limit().memory
    if now is None or retry.memory is None or retry.memory_max is None:
        return GiveUp("memory ran out, and the memory asked for is unknown, so it cannot grow")
    most = megabytes(retry.memory_max, "memory_max")
    if now >= most:
        return GiveUp(f"memory ran out at {now:g} MB, the most that memory_max allows")
    more = min(now * retry.memory, most)
    return Again(
        delay=0.0,
        tries=tries.replace(memory=tries.memory + 1),
        memory=more,
        reason=f"memory ran out at {now:g} MB; trying with {more:g} MB",
    )
