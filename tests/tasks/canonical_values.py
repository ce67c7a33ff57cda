"""Values of many kinds, each to be told from all others: ``python canonical_values.py`` prints the digest of each.

With ``--serve`` it digests what comes pickled on standard input, one after the other, as a process that stays.
"""

from __future__ import annotations

import array
import collections
import enum
import fractions
import functools
import io
import itertools
import pickle
import re
import sys
import types
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic

from laminar.tasks.fingerprints import digest


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Number(enum.IntEnum):
    ONE = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Row:
    n: int
    tags: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Narrow:
    n: int


@dataclass
class Twin:
    n: int
    tags: list = field(default_factory=list)


class Pair(NamedTuple):
    a: int
    b: int


class Model(pydantic.BaseModel):
    n: int


class Struct(msgspec.Struct):
    n: int


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n


class Whole(int):
    pass


class Names(set):
    pass


class Handle:
    """Tells by itself what it stands for."""

    def __init__(self, content):
        self.content = content
        self.file = io.StringIO()

    def __laminar_digest__(self):
        return self.content


def added(n):
    return lambda x: x + n


def cycle():
    found = [1]
    found.append(found)
    return found


def wider():
    found = [1, []]
    found[1].append(found)
    return found


AT = datetime(2026, 10, 25, 1, 30)  # noqa: DTZ001 - a time without a zone is a value too
NESTED = {"a": [{"b": (1, {2, 3})}]}
RECORDS = np.dtype([("a", "i4"), ("b", "f8")])
VALUES = [
    *(None, True, False, 0, 1, 2**70, -1, 0.0, -0.0, 1.0, float("nan"), float("inf"), 1j, complex(0.0, -0.0)),
    *("", "a", "1", b"", b"a", bytearray(b"a"), memoryview(b"a"), "\ud800", "é", "e\u0301"),
    *([], (), set(), frozenset(), {}, [1], (1,), {1}, frozenset({1}), [[]], [()], [1, 2], [2, 1], [1, [2]], [[1], 2]),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, {1: "a"}, {"1": "a"}, {1.0: "a"}, {True: "a"}, NESTED),
    *(
        {"a", "b", "c"},
        {"a", b"a"},
        {(1, 2), (2, 1)},
        {frozenset({"a", "b"}), frozenset({"c"})},
        {Color.RED, Color.BLUE},
    ),
    *(collections.OrderedDict(a=1), collections.defaultdict(list, a=1), collections.defaultdict(int, a=1)),
    *(collections.Counter("a"), collections.deque([1]), collections.deque([1], 3), types.MappingProxyType({"a": 1})),
    *(array.array("i", [1]), array.array("h", [1]), range(3), range(0, 3, 2), range(0, 4, 2), slice(3), slice(0, 3)),
    *(..., NotImplemented, Color.RED, Color.BLUE, Number.ONE, Rights.READ, Rights.READ | Rights.WRITE),
    *(Row(1), Row(1, [2]), Twin(1), Narrow(1), Pair(1, 2), Pair(2, 1), Model(n=1), Model(n=2), Struct(1), Struct(2)),
    *(Plain(n=1), Plain(m=1), Plain(n=1.0), Slots(1), Slots(2), Whole(1), Names("a"), Names("b"), object(), [object()]),
    *(Handle(b"a"), Handle(b"b"), [Handle(b"a")], ValueError(1), ValueError("1"), KeyError(1), re.compile("a")),
    *(
        re.compile("a", re.IGNORECASE),
        fractions.Fraction(1),
        Decimal(1),
        Decimal("1.0"),
        Decimal("-0"),
        uuid.UUID(int=1),
    ),
    *(AT, AT.replace(fold=1), AT.replace(tzinfo=UTC), AT.replace(tzinfo=ZoneInfo("UTC")), AT.replace(microsecond=1)),
    *(AT.replace(tzinfo=ZoneInfo("Europe/Berlin")), AT.replace(tzinfo=ZoneInfo("Europe/Paris")), AT.date(), AT.time()),
    *(AT.replace(tzinfo=timezone(timedelta(hours=1))), AT.replace(tzinfo=timezone(timedelta(hours=1), "X"))),
    *(date(2026, 1, 1), time(1), time(1, tzinfo=UTC), timedelta(1), timedelta(0, 1), ZoneInfo("UTC")),
    *(Path("a"), PurePosixPath("a"), PureWindowsPath("a"), Path("b"), functools.partial(int, base=2)),
    *(
        functools.partial(int, base=3),
        functools.partial(float),
        int,
        float,
        Row,
        Color,
        len,
        print,
        [].append,
        itertools,
    ),
    *(lambda: 1, lambda: 2, lambda x: 1, added(1), added(2), added, Row(1).__eq__, Row(2).__eq__, cycle(), wider()),
    *(
        np.array([1]),
        np.array([1], "i4"),
        np.array([1], ">i8"),
        np.array([1.0]),
        np.array([[1]]),
        np.array(1),
        np.array([2]),
    ),
    *(np.array([1, "a"], object), np.array([1, b"a"], object), np.array(["a"]), np.array([b"a"]), np.array([], "f8")),
    *(np.array([], "i8"), np.zeros((0, 2)), np.zeros((2, 0)), np.array([0.0]), np.array([-0.0]), np.array([np.nan])),
    *(
        np.array(["2026"], "M8[Y]"),
        np.array(["2026"], "M8[D]"),
        np.array([(1, 2.0)], RECORDS),
        np.array([(1, 3.0)], RECORDS),
    ),
    *(np.array(["a"], np.dtypes.StringDType()), np.array(["b"], np.dtypes.StringDType()), np.ma.array([1], mask=[1])),
    *(
        np.ma.array([1], mask=[0]),
        np.int64(1),
        np.float64(1),
        np.float32(1),
        np.bool_(True),
        np.str_("a"),
        np.dtype("f8"),
    ),
    *(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": ["1"]}), pd.DataFrame({"b": [1]})),
    *(pd.DataFrame({"a": [1]}, index=[1]), pd.DataFrame({"a": [1]}, index=["x"]), pd.DataFrame({"a": [1], "b": [2]})),
    *(
        pd.DataFrame({"b": [2], "a": [1]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1]}, dtype="Int64"),
    ),
    *(
        pd.DataFrame({"a": [1], "b": [2]}).set_index(["a", "b"]),
        pd.DataFrame(),
        pd.DataFrame(index=[1]),
        pd.Series([1]),
    ),
    *(
        pd.Series([1], name="a"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([None, 1.0]),
    ),
    *(
        pd.Series(["a", "b"], dtype="category"),
        pd.Series(pd.Categorical(["a", "b"], ["b", "a"])),
        pd.Series(["a", "b"]),
    ),
    *(pd.Series(pd.Categorical(["a", "b"], ["a", "b"], ordered=True)), pd.Series(["a", "b"], dtype=object)),
    *(pd.date_range("2026", periods=2), pd.date_range("2026", periods=2, tz="UTC"), pd.date_range("2026", periods=3)),
    *(pd.period_range("2026", periods=2, freq="M"), pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left")),
    *(
        pd.Series([1], dtype="int64[pyarrow]"),
        pd.Series([2], dtype="int64[pyarrow]"),
        pd.array([True, None], dtype="boolean"),
    ),
    *(
        pd.Timestamp("2026"),
        pd.Timestamp("2026", tz="UTC"),
        pd.Timedelta(1),
        pd.NaT,
        pd.NA,
        pd.arrays.SparseArray([0, 1]),
    ),
    *(pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1.0]}), pl.DataFrame({"b": [1]}), pl.DataFrame({"a": [1, None]})),
    *(
        pl.Series("a", [1]),
        pl.Series("a", ["x", None]),
        pl.Series("a", ["x"], pl.Categorical),
        pl.Series("a", [[1], [2]]),
    ),
    *(pl.Series("a", ["x"], pl.Enum(["x", "y"])), pl.Series("a", [0.0]), pl.Series("a", [-0.0]), pl.Series("a", [AT])),
    *(pa.table({"a": [1]}), pa.table({"b": [1]}), pa.table({"a": [1.0]}), pa.array([1]), pa.array([1, None])),
    *(pa.array(["a"]), pa.array(["a"]).dictionary_encode(), pa.chunked_array([[1], [2]]), pa.array([[1], [2]])),
    *(pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}), pa.schema([("a", pa.int64())])),
]


def serve():
    """Digest what is sent, until nothing more comes."""
    while True:
        try:
            value = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        sys.stdout.buffer.write(digest(value))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        print("\n".join(digest(value).hex() for value in VALUES))
