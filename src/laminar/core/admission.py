"""Who may start now: slots are computed from what is live, so there is no counter to drift."""

from __future__ import annotations


def free_slots(live: int, capacity: int) -> int:
    """Count the attempts that may start.

    Args:
        live: Attempts that hold a slot.
        capacity: Attempts that may hold one at a time.

    Returns:
        0 or more.
    """
    return max(0, capacity - live)


def waiting_reason(capacity: int, holders: list[str]) -> str:
    """Say in one sentence what an action waits for.

    Args:
        capacity: Attempts that may run at a time; 0 while the executor gets ready.
        holders: Names of some that do.

    Returns:
        The sentence.
    """
    if not capacity:
        return "waits for the executor to get ready"
    sentence = f"waits for a slot of the executor, which runs {capacity} at a time"
    if not holders:
        return sentence
    return f"{sentence}; {', '.join(holders[:3])}{', …' if len(holders) > 3 else ''} came before"
