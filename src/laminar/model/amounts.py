"""Amounts as people write them: memory, cores, seconds, counts."""

from __future__ import annotations

from laminar.errors import PolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeGuard

    class Duration(Protocol):
        """A length of time that knows its seconds, such as a :class:`~datetime.timedelta`."""

        def total_seconds(self) -> float:
            """Give the seconds."""


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
        PolicyError: The value is no amount of memory.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        amount = float(value)
    else:
        text = str(value).strip().lower().removesuffix("b")
        digits = text.rstrip("kmgti")
        try:
            amount = float(digits) * UNITS[text[len(digits) :]]
        except (ValueError, KeyError):
            raise PolicyError(
                f"{what}={value!r} is no amount of memory. "
                "Give megabytes as a number, or a string such as '512Mi' or '2Gi'."
            ) from None
    if not 0 < amount < float("inf"):
        raise PolicyError(f"{what}={value!r} must be more than nothing.")
    return amount


def cores(value: Any, what: str = "cpu") -> float:
    """Read a number of cores.

    Args:
        value: A number, or a string such as ``"2"``, ``"0.5"``, or ``"500m"`` for half a core.
        what: Name of the setting, for the error.

    Raises:
        PolicyError: It is no such number.
    """
    if isinstance(value, str) and value.strip().endswith("m"):
        try:
            return positive(float(value.strip()[:-1]) / 1000, what)
        except (ValueError, PolicyError):
            raise PolicyError(f"{what}={value!r} is no number of cores. Give 0.5, '0.5' or '500m'.") from None
    return positive(value, what)


def positive(value: Any, what: str, *, zero: bool = False) -> float:
    """Read a number that may not be negative.

    Raises:
        PolicyError: It is not a number, or too small.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise PolicyError(f"{what}={value!r} is not a number.") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PolicyError(f"{what} expects a number, got {value!r} of type {type(value).__name__}.")
    if not (value >= 0 if zero else value > 0) or value == float("inf"):
        raise PolicyError(f"{what}={value!r} must be {'0 or more' if zero else 'more than 0'}.")
    return value


def seconds(value: float | Duration, what: str, *, zero: bool = False) -> float:
    """Read a time.

    Args:
        value: Seconds, or a :class:`~datetime.timedelta`.
        what: Name of the setting, for the error.
        zero: Whether none at all will do.

    Raises:
        PolicyError: It is neither, or too short.
    """
    total = getattr(value, "total_seconds", None)  # asked of the value, so that datetime need not be imported
    return positive(total() if total is not None else value, what, zero=zero)


def whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number, which True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)
