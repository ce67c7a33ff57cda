"""Kinds of values that are written as one word of text: moments and spans of time, decimals, UUIDs, paths."""

from __future__ import annotations

from laminar.tasks.kinds.contract import Kind, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import timedelta
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


class Worded(Kind):
    """A type whose values are text on a command line and in JSON alike."""

    def __init__(
        self, kind: type, metavar: str, read: Callable[[str], Any], write: Callable[[Any], str], hint: str = ""
    ) -> None:
        """Take the type, what stands for its values in a usage line, and how they are read and written."""
        self.type = kind
        self.name = kind.__name__
        self.exact = frozenset((kind,))
        self._metavar = metavar
        self._read = read
        self._write = write
        self._hint = hint

    @property
    def metavar(self) -> str:
        """Give the word that was taken."""
        return self._metavar

    def check(self, value: Any) -> Any:
        """Take values of the type; a datetime is no date here, since the two cannot be compared."""
        if isinstance(value, self.type) and (self.name != "date" or type(value).__name__ != "datetime"):
            return value
        raise self.refuse(value)

    def parse(self, text: str) -> Any:
        """Read the text."""
        try:
            return self._read(text)
        except (ValueError, ArithmeticError):
            raise self.misread(text, self._hint) from None

    def from_plain(self, plain: Plain) -> Any:
        """Read the text."""
        if isinstance(plain, str):
            return self.parse(plain)
        raise self.misread(plain, self._hint)

    def plain(self, value: Any) -> Plain:
        """Write the text."""
        return self._write(value)

    def text(self, value: Any) -> str:
        """Write the text."""
        return self._write(value)

    def describe(self) -> str:
        """Name the type, and show how it is written."""
        return f"{self.name}, {self._hint}" if self._hint else self.name

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the type."""
        return type_name(self.type)


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile what this file knows; None for the rest. The modules are loaded already by who names their types."""
    if not isinstance(annotation, type):
        return None
    module, name = annotation.__module__, annotation.__name__
    if module == "datetime":
        return _time(annotation)
    if module == "decimal" and name == "Decimal":
        return Worded(annotation, "DECIMAL", annotation, str)
    if module == "fractions" and name == "Fraction":
        return Worded(annotation, "FRACTION", annotation, str)
    if module == "uuid" and name == "UUID":
        return Worded(annotation, "UUID", annotation, str)
    return _path(annotation) if module.partition(".")[0] in ("pathlib", "os") else None


def _path(kind: type) -> Kind | None:
    import os
    import pathlib

    if kind is os.PathLike:
        return Worded(kind, "PATH", pathlib.Path, os.fspath)
    return Worded(kind, "PATH", kind, str) if issubclass(kind, pathlib.PurePath) else None


def _time(kind: type) -> Kind | None:
    import datetime

    if kind is datetime.timedelta:
        return Worded(kind, "DURATION", duration, duration_text, "such as 1h30m, 2.5s or PT1H30M")
    if kind is datetime.datetime:
        return Worded(kind, "DATETIME", kind.fromisoformat, kind.isoformat, "such as 2026-01-31T12:00:00+01:00")
    if kind is datetime.date:
        return Worded(kind, "DATE", kind.fromisoformat, kind.isoformat, "such as 2026-01-31")
    if kind is datetime.time:
        return Worded(kind, "TIME", kind.fromisoformat, kind.isoformat, "such as 12:30")
    if kind is datetime.timezone:
        return Worded(kind, "OFFSET", _offset, str, "such as UTC or UTC+01:00")
    return None


def _offset(text: str) -> Any:
    from datetime import UTC, datetime, timezone

    rest = text.removeprefix("UTC")
    if not rest:
        return UTC
    moment = datetime.fromisoformat(f"2000-01-01T00:00{rest}")
    return timezone(moment.utcoffset())  # type: ignore[arg-type]


#: Microseconds in a unit, as ISO 8601 and as people write it.
UNITS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}


def duration(text: str) -> timedelta:
    """Read a span of time: ISO 8601 (``P1DT2H``), or numbers with units (``1h30m``, ``-2.5s``).

    Raises:
        ValueError: It is neither. Months and years have no fixed length, so they are not read.
    """
    import re
    from datetime import timedelta
    from fractions import Fraction  # exact: a tenth of a second is 100,000 microseconds, not about as many

    days, clock = ("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in units) for units in ("wd", "hms"))
    word = "".join(text.lower().split())
    iso = re.fullmatch(rf"([+-]?)p{days}(?:t{clock})?", word)
    match = iso or re.fullmatch(rf"([+-]?){days}{clock}", word)
    if match is None or not any(match.groups()[1:]):
        raise ValueError(text)
    sign, *counts = match.groups()
    total = sum(Fraction(count) * size for count, size in zip(counts, UNITS.values(), strict=True) if count)
    return timedelta(microseconds=round(-total if sign == "-" else total))


def duration_text(value: timedelta) -> str:
    """Write a span of time as ISO 8601 does."""
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    seconds = f"{value.seconds}.{value.microseconds:06}" if value.microseconds else str(value.seconds)
    return f"{sign}P{value.days}DT{seconds}S"
