"""What was found out about a part of an installation."""

from __future__ import annotations

from laminar.model.value import Value

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Check(Value, frozen=True):
    """What was found out about one thing.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``warning`` or ``problem``.
        found: What was found.
        remedy: What to do about it; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Check:
    """Say that something is as it should be."""
    return Check(name, OK, found)


def warning(name: str, found: str, remedy: str) -> Check:
    """Say that something works, and may cause trouble."""
    return Check(name, WARNING, found, remedy)


def problem(name: str, found: str, remedy: str = "") -> Check:
    """Say that something does not work."""
    return Check(name, PROBLEM, found, remedy)
