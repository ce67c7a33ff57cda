"""Values of all sorts, as layers assign them, and exceptions of all sorts, as layers raise them."""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import re
import threading
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Bytes of the artifact that is larger than any buffer.
LARGE = 24 * 2**20


class Colour(enum.Enum):
    """An enumeration of a user's module."""

    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    """A named tuple of a user's module."""

    x: int
    y: int


@dataclass
class Row:
    """A dataclass of a user's module."""

    name: str
    cells: list[float] = field(default_factory=list)


class Slotted:
    """A class without a dictionary for its attributes."""

    __slots__ = ("amount",)

    def __init__(self, amount: int) -> None:
        """Keep an amount."""
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        """Compare the amounts."""
        return isinstance(other, Slotted) and other.amount == self.amount

    def __hash__(self) -> int:
        """Hash the amount."""
        return hash(self.amount)


def samples() -> dict[str, Any]:
    """Give values of all sorts by name, new ones with each call."""
    return {
        "nothing": None,
        "truth": True,
        "whole": -(2**70),
        "broken": 0.1 + 0.2,
        "infinite": float("inf"),
        "imaginary": 1 - 2j,
        "text": "grüße ☃ 𝄞 \x00 end",
        "raw": bytes(range(256)),
        "mutable": bytearray(b"abc"),
        "sequence": [1, [2, [3, []]]],
        "pair": (1, "two", None),
        "mapping": {"b": 1, "a": {2: (3,)}, None: [True]},
        "distinct": {1, "a", None},
        "frozen": frozenset({1, 2}),
        "span": range(3, 30, 4),
        "cut": slice(1, None, 2),
        "dots": Ellipsis,
        "packed": array.array("d", [0.5, -1.5]),
        "queue": deque([1, 2, 3], maxlen=3),
        "counted": Counter("laminar"),
        "ordered": OrderedDict([("z", 1), ("a", 2)]),
        "grouped": defaultdict(list, {"a": [1]}),
        "exact": decimal.Decimal("1.10"),
        "share": fractions.Fraction(2, 6),
        "day": datetime.date(2024, 2, 29),
        "moment": datetime.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=datetime.UTC),
        "length": datetime.timedelta(days=-1, microseconds=1),
        "unique": uuid.UUID(int=2**100),
        "path": pathlib.PurePosixPath("/a/b c"),
        "pattern": re.compile(r"(\w+)\s", re.IGNORECASE),
        "address": ipaddress.ip_network("10.0.0.0/8"),
        "spaced": SimpleNamespace(a=1, b=[2]),
        "colour": Colour.RED,
        "point": Point(1, 2),
        "row": Row("first", [1.5, -2.0]),
        "slotted": Slotted(3),
        "kind": Row,
        "function": samples,
    }


def large() -> bytes:
    """Give the artifact that is larger than any buffer, of blocks that compress and differ."""
    block = 2**16
    return b"".join(number.to_bytes(8, "big") * (block // 8) for number in range(LARGE // block))


def adder(amount: int) -> Callable[[int], int]:
    """Make a function that only its definition describes."""
    return lambda number: number + amount


class PlainError(Exception):
    """An exception of a user's module."""


class CodedError(Exception):
    """An exception that cannot be made from its text alone."""

    def __init__(self, text: str, code: int) -> None:
        """Keep a code beside the text."""
        super().__init__(text)
        self.code = code


class LockedError(Exception):
    """An exception that holds something which cannot be pickled."""

    def __init__(self) -> None:
        """Keep a lock and a number."""
        super().__init__("holds a lock")
        self.lock = threading.Lock()
        self.number = 3


class MuteError(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        """Refuse to say anything."""
        raise RuntimeError
