"""Kinds: what fits an annotation, what text and JSON become, and what is said of them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import pathlib
import subprocess
import sys
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
import typing_extensions
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from laminar.tasks.kinds import Mismatch, UnresolvedError, kind_of

T = TypeVar("T")
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Person:
    name: str
    age: int
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Node:
    value: float
    next: Node | None = None
    others: dict[str, Node] = dataclasses.field(default_factory=dict, hash=False)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = dataclasses.field(default_factory=list)


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict, total=False):
    depth: typing.Required[int]
    name: str


class Shape(msgspec.Struct, tag=True, rename="camel"):
    corner_count: int
    where: list[Point] = []
    path: pathlib.Path | None = None


class Account(pydantic.BaseModel):
    owner: str
    balance: decimal.Decimal = decimal.Decimal(0)
    limits: dict[str, int] = {}


class Plain:
    def __init__(self, number: int) -> None:
        self.number = number


Money = NewType("Money", int)
Bound = TypeVar("Bound", bound=int)
Either = TypeVar("Either", int, str)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ints = st.integers()
floats = st.floats(allow_nan=False)
zones = st.one_of(st.none(), st.just(dt.UTC), st.just(dt.timezone(dt.timedelta(hours=5, minutes=30))))
people = st.builds(Person, texts, ints, st.lists(texts, max_size=2))
points = st.builds(Point, ints, floats)
nodes = st.recursive(
    st.builds(Node, floats),
    lambda inner: st.builds(Node, floats, inner, st.dictionaries(texts, inner, max_size=2)),
    max_leaves=4,
)

#: Annotations with values that fit them; text of each is read back as an equal value.
CASES: dict[Any, st.SearchStrategy[Any]] = {
    int: ints,
    str: texts,
    bool: st.booleans(),
    float: floats,
    complex: st.complex_numbers(allow_nan=False),
    bytes: st.binary(max_size=5),
    bytearray: st.binary(max_size=5).map(bytearray),
    None: st.none(),
    list[int]: st.lists(ints, max_size=3),
    list[list[bool]]: st.lists(st.lists(st.booleans(), max_size=2), max_size=2),
    list[bytes]: st.lists(st.binary(max_size=4), max_size=2),
    typing.List[float]: st.lists(floats, max_size=3),  # noqa: UP006
    list: st.lists(st.one_of(ints, texts, st.none(), st.booleans()), max_size=3),
    tuple[int, ...]: st.lists(ints, max_size=3).map(tuple),
    tuple[int, str]: st.tuples(ints, texts),
    tuple[()]: st.just(()),
    set[str]: st.sets(texts, max_size=3),
    frozenset[int]: st.frozensets(ints, max_size=3),
    set[tuple[int, bool]]: st.sets(st.tuples(ints, st.booleans()), max_size=2),
    dict[str, int]: st.dictionaries(texts, ints, max_size=3),
    dict[int, list[float]]: st.dictionaries(ints, st.lists(floats, max_size=2), max_size=2),
    dict[tuple[int, int], str]: st.dictionaries(st.tuples(ints, ints), texts, max_size=2),
    dict[dt.date, Color]: st.dictionaries(st.dates(), st.sampled_from(Color), max_size=2),
    dict: st.dictionaries(texts, st.one_of(ints, texts), max_size=2),
    Mapping[str, bool]: st.dictionaries(texts, st.booleans(), max_size=2),
    Sequence[int]: st.lists(ints, max_size=3),
    collections.deque[int]: st.lists(ints, max_size=3).map(collections.deque),
    collections.Counter[str]: st.lists(texts, max_size=4).map(collections.Counter),
    Optional[int]: st.one_of(st.none(), ints),  # noqa: UP045
    int | None: st.one_of(st.none(), ints),
    Union[bool, list[int]]: st.one_of(st.booleans(), st.lists(ints, max_size=2)),  # noqa: UP007
    float | int: st.one_of(ints, floats),
    int | dt.date | None: st.one_of(ints, st.dates(), st.none()),
    Literal["a", 1, None]: st.sampled_from(["a", 1, None]),
    Literal[Color.RED, b"x"]: st.sampled_from([Color.RED, b"x"]),
    Annotated[int, "how many"]: ints,
    Money: ints,
    Bound: ints,
    Color: st.sampled_from(Color),
    Level: st.sampled_from(Level),
    Rights: st.sampled_from([Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]),
    dt.datetime: st.datetimes(timezones=zones).map(lambda value: value.replace(fold=0)),
    dt.date: st.dates(),
    dt.time: st.times(timezones=zones).map(lambda value: value.replace(fold=0)),
    dt.timedelta: st.timedeltas(),
    dt.timezone: st.sampled_from([dt.UTC, dt.timezone(-dt.timedelta(hours=3, minutes=30))]),
    decimal.Decimal: st.decimals(allow_nan=False),
    fractions.Fraction: st.fractions(),
    uuid.UUID: st.uuids(),
    pathlib.Path: texts.map(pathlib.Path),
    pathlib.PurePosixPath: texts.map(pathlib.PurePosixPath),
    Person: people,
    list[Person]: st.lists(people, max_size=2),
    dict[str, Person | None]: st.dictionaries(texts, st.one_of(st.none(), people), max_size=2),
    Node: nodes,
    Box[int]: st.builds(Box, ints, st.lists(ints, max_size=2)),
    Box[Box[str]]: st.builds(Box, st.builds(Box, texts)),
    Point: points,
    Options: st.one_of(ints.map(lambda depth: {"depth": depth}), st.builds(dict, depth=ints, name=texts)),
    Shape: st.builds(
        Shape, st.integers(-(2**63), 2**63 - 1), st.lists(st.builds(Point, st.integers(0, 9), floats), max_size=2)
    ),
    Account: st.builds(Account, owner=texts, limits=st.dictionaries(texts, ints, max_size=2)),
    np.int16: st.integers(-(2**15), 2**15 - 1).map(np.int16),
    np.float64: floats.map(np.float64),
    np.bool_: st.booleans().map(np.bool_),
}

#: Values of every kind, to be refused by all others.
VALUES = st.one_of(
    ints,
    texts,
    st.booleans(),
    floats,
    st.binary(max_size=3),
    st.none(),
    st.dates(),
    st.datetimes(),
    people,
    points,
    st.sampled_from(Color),
    st.uuids(),
    st.lists(ints, max_size=2),
    st.builds(Plain, ints),
)


def ids(cases: Iterable[Any]) -> list[str]:
    return [str(case) for case in cases]


@pytest.mark.parametrize("annotation", CASES, ids=ids(CASES))
def test_text_of_a_value_is_read_as_the_value(annotation: Any) -> None:
    kind = kind_of(annotation)

    @settings(MANY, max_examples=25)
    @given(CASES[annotation])
    def holds(value: Any) -> None:
        assert kind.check(value) is value
        back = kind.parse(kind.text(value))
        assert back == value
        assert type(back) is type(value)
        assert repr(back) == repr(value) or isinstance(value, (set, frozenset))

    holds()


@pytest.mark.parametrize("annotation", CASES, ids=ids(CASES))
def test_json_of_a_value_is_read_as_the_value(annotation: Any) -> None:
    kind = kind_of(annotation)

    @settings(MANY, max_examples=25)
    @given(CASES[annotation])
    def holds(value: Any) -> None:
        assert kind.from_plain(json.loads(json.dumps(kind.plain(value)))) == value

    holds()


#: Annotations with what tells whether a value fits, written apart from the kinds.
SIMPLE: dict[Any, Callable[[Any], bool]] = {
    int: lambda value: type(value) is int or isinstance(value, Level),
    str: lambda value: type(value) is str,
    bool: lambda value: type(value) is bool,
    float: lambda value: type(value) in (int, float),
    bytes: lambda value: type(value) is bytes,
    type(None): lambda value: value is None,
    dt.date: lambda value: type(value) is dt.date,
    dt.datetime: lambda value: type(value) is dt.datetime,
    Person: lambda value: type(value) is Person,
    Point: lambda value: type(value) is Point,
    Color: lambda value: type(value) is Color,
    uuid.UUID: lambda value: type(value) is uuid.UUID,
    Plain: lambda value: type(value) is Plain,
}


def fits(annotation: Any, value: Any) -> bool:
    try:
        kind_of(annotation).check(value)
    except Mismatch:
        return False
    return True


@MANY
@given(st.sampled_from(list(SIMPLE)), VALUES)
def test_a_simple_kind_takes_its_values_and_no_others(annotation: Any, value: Any) -> None:
    if annotation is float and type(value) is int:
        assume(abs(value) < 2**1000)
    assert fits(annotation, value) == SIMPLE[annotation](value)


#: How a place inside a value is reached: the annotation around one, the value around one, and the path that says so.
AROUND: list[tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = [
    (lambda inner: list[inner], lambda value: [value], "[0]"),
    (lambda inner: tuple[int, inner], lambda value: (1, value), "[1]"),
    (lambda inner: tuple[inner, ...], lambda value: (value,), "[0]"),
    (lambda inner: dict[str, inner], lambda value: {"k": value}, "['k']"),
    (lambda inner: Mapping[str, inner], lambda value: {"k": value}, "['k']"),
    (lambda inner: Sequence[inner], lambda value: (value,), "[0]"),
    (lambda inner: Box[inner], lambda value: Box(value), ".content"),
    (lambda inner: Annotated[inner, 1], lambda value: value, ""),
    (lambda inner: collections.deque[inner], lambda value: collections.deque([value]), "[0]"),
]


@MANY
@given(st.lists(st.sampled_from(AROUND), min_size=1, max_size=4), st.sampled_from(list(SIMPLE)), VALUES)
def test_a_wrong_value_never_passes_at_any_depth(around: Any, annotation: Any, value: Any) -> None:
    assume(not (annotation is float and type(value) is int))
    right, whole, path = SIMPLE[annotation](value), value, ""
    for wrap, put, step in around:
        annotation, whole, path = wrap(annotation), put(whole), step + path
    kind = kind_of(annotation)
    if right:
        assert kind.check(whole) is whole
    else:
        with pytest.raises(Mismatch) as caught:
            kind.check(whole)
        assert caught.value.path == path
        assert caught.value.got is value


@MANY
@given(st.sampled_from(list(CASES)), VALUES)
def test_a_message_about_any_value_is_one_short_line(annotation: Any, value: Any) -> None:
    assume(not fits(annotation, value))
    with pytest.raises(Mismatch) as caught:
        kind_of(annotation).check(value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_numbers_widen_as_typing_has_it_and_nothing_else_is_converted() -> None:
    assert repr(kind_of(float).check(1)) == "1.0"
    assert repr(kind_of(complex).check(1)) == "(1+0j)"
    assert repr(kind_of(list[float]).check([1, 2.5])) == "[1.0, 2.5]"
    assert repr(kind_of(dict[str, float]).check({"a": 1})) == "{'a': 1.0}"
    assert repr(kind_of(tuple[float, int]).check((1, 1))) == "(1.0, 1)"
    assert repr(kind_of(Point).check(Point(1, 2))) == "Point(x=1, y=2.0)"
    assert repr(kind_of(Node).check(Node(1, Node(2)))) == repr(Node(1.0, Node(2.0)))
    assert repr(kind_of(float | int).check(1)) == "1"
    assert repr(kind_of(float | str).check(1)) == "1.0"
    for annotation, value in [
        (int, True),
        (float, True),
        (int, 1.0),
        (str, 1),
        (int, "1"),
        (float, 10**400),
        (list[int], (1,)),
        (tuple[int, ...], [1]),
        (set[int], [1]),
        (bytes, "a"),
        (Color, "RED"),
        (Literal[1], True),
        (np.float64, 1.0),
        (pathlib.Path, "a"),
    ]:
        assert not fits(annotation, value), (annotation, value)


def test_the_original_is_left_alone_where_a_copy_is_converted() -> None:
    original = [Node(1), Node(2)]
    converted = kind_of(list[Node]).check(original)
    assert [type(node.value) for node in original] == [int, int]
    assert [type(node.value) for node in converted] == [float, float]


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (list[int], [1, 2, "x"], "expects int, got str at [2]: 'x'"),
        (list[Person], [Person("a", 1), Person("b", "2")], "expects int, got str at [1].age: '2'"),  # type: ignore[arg-type]
        (dict[str, list[int]], {"a": [1], "b": [None]}, "expects int, got NoneType at ['b'][0]: None"),
        (dict[int, int], {"a": 1}, "expects int, got str at .keys()[0]: 'a'"),
        (tuple[int, str], (1,), "expects tuple[int, str], got tuple: (1,) (it has 1 members, not 2)"),
        (Options, {"dept": 1}, "got dict: {'dept': 1} (there is no key 'dept')"),
        (Options, {"name": "x"}, "(it lacks the key 'depth')"),
        (int | None, "x", "expects int | None, got str: 'x'"),
        (list[int] | None, [1, "x"], "expects int, got str at [1]: 'x'"),
        (npt.NDArray[np.float64], np.zeros(2, np.int64), "(its dtype is int64)"),
        (Literal["a", "b"], "c", "expects Literal['a', 'b'], got str: 'c'"),
    ],
)
def test_a_message_says_what_was_expected_where_and_what_came(annotation: Any, value: Any, said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        kind_of(annotation).check(value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (bool, "Yes", True),
        (bool, "0", False),
        (bool, "off", False),
        (int, "1_000", 1000),
        (float, "1e3", 1000.0),
        (Color, "GREEN", Color.GREEN),
        (Color, "g", Color.GREEN),
        (Level, "2", Level.HIGH),
        (Rights, "READ|WRITE", Rights.READ | Rights.WRITE),
        (int | None, "null", None),
        (str | None, "None", None),
        (int | str, "5", 5),
        (int | str, "five", "five"),
        (float | int, "5", 5),
        (bool | int, "1", 1),
        (str | int, "5", "5"),
        (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
        (dt.datetime, "2026-01-31T12:00Z", dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)),
        (dt.timedelta, "1h30m", dt.timedelta(hours=1.5)),
        (dt.timedelta, "PT0.1S", dt.timedelta(milliseconds=100)),
        (dt.timedelta, "-2d", dt.timedelta(days=-2)),
        (dt.timedelta, "1w 2s", dt.timedelta(weeks=1, seconds=2)),
        (Point, "[1, 2.5]", Point(1, 2.5)),
        (Point, '{"x": 1}', Point(1)),
        (Person, '{"name": "A", "age": 3}', Person("A", 3)),
        (Shape, '{"type": "Shape", "cornerCount": 3, "path": "a/b"}', Shape(3, path=pathlib.Path("a/b"))),
        (list[dt.date], '["2026-01-31"]', [dt.date(2026, 1, 31)]),
        (Any, "[1]", [1]),
        (Any, "one", "one"),
        (Either, "x", "x"),
    ],
)
def test_a_command_line_is_read_as_people_write_it(annotation: Any, text: str, value: Any) -> None:
    back = kind_of(annotation).parse(text)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "said"),
    [
        (bool, "maybe", "write true or false"),
        (int, "1.5", "expects int, got str: '1.5'"),
        (list[int], "1,2", "expects list[int] as JSON, got str: '1,2' (it is no JSON"),
        (list[int], '{"a": 1}', "write a JSON array"),
        (list[int], '[1, "a"]', "expects int, got str at [1]: 'a'"),
        (Person, '{"name": "A", "agee": 3}', "there is no field 'agee'. Did you mean 'age'?"),
        (Person, '{"name": "A"}', "it lacks age"),
        (Person, '{"name": "A", "age": "3"}', "expects int, got str at .age: '3'"),
        (Shape, '{"type": "Shape", "cornerCount": "x"}', "at .cornerCount"),
        (Account, '{"owner": "a", "limits": {"x": "y"}}', "at .limits.x: 'y'"),
        (Color, "BLUE", "expects one of RED, GREEN, got str: 'BLUE'"),
        (Literal["a", "b"], "c", "expects one of a, b"),
        (dt.date, "yesterday", "such as 2026-01-31"),
        (dt.timedelta, "P1M", "such as 1h30m"),
        (dt.timedelta, "", "such as 1h30m"),
        (Plain, "x", "it has no form as text"),
        (uuid.UUID, "x", "expects UUID"),
        (decimal.Decimal, "x", "expects Decimal"),
        (int | None, "x", "expects int | null"),
    ],
)
def test_text_that_does_not_fit_is_refused_with_what_to_write(annotation: Any, text: str, said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        kind_of(annotation).parse(text)
    assert said in str(caught.value)


def test_a_constructor_that_refuses_is_heard() -> None:
    with pytest.raises(Mismatch, match="ValueError: no one is that old"):
        kind_of(Aged).parse('{"age": 200}')


@dataclasses.dataclass
class Aged:
    age: int

    def __post_init__(self) -> None:
        if self.age > 150:
            raise ValueError("no one is that old")


@pytest.mark.parametrize(
    ("annotation", "described", "metavar"),
    [
        (int, "int", "INTEGER"),
        (list[str], "list[str] as JSON", "JSON"),
        (Color, "one of RED, GREEN", "[RED|GREEN]"),
        (Literal["a", "b"], "one of a, b", "[a|b]"),
        (int | None, "int | null", "INTEGER|null"),
        (pathlib.Path, "Path", "PATH"),
        (dt.date, "date, such as 2026-01-31", "DATE"),
        (Any, "any value", "TEXT"),
        (Person, "Person as JSON", "JSON"),
        (list[Box[int]], "list[Box[int]] as JSON", "JSON"),
        (pd.DataFrame, "pandas.DataFrame as JSON", "JSON"),
    ],
)
def test_a_kind_says_what_to_write(annotation: Any, described: str, metavar: str) -> None:
    kind = kind_of(annotation)
    assert (kind.describe(), kind.metavar) == (described, metavar)


def test_arrays_and_tables_are_told_by_type_and_dtype() -> None:
    assert fits(np.ndarray, np.zeros(2))
    assert fits(npt.NDArray[np.float64], np.zeros(2))
    assert fits(npt.NDArray[np.floating[Any]], np.zeros(2, np.float32))
    assert fits(npt.NDArray[Any], np.zeros(2, np.int8))
    assert not fits(npt.NDArray[np.floating[Any]], np.zeros(2, np.int8))
    assert not fits(np.ndarray, [1.0])
    array = kind_of(npt.NDArray[np.float32]).parse("[[1, 2], [3, 4]]")
    assert (array.dtype, array.tolist()) == (np.float32, [[1, 2], [3, 4]])
    assert kind_of(np.ndarray).plain(np.array(["2026-01-01"], "datetime64[D]")) == ["2026-01-01"]
    tables = [pd.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]}), pa.table({"a": [1, 2]})]
    for table in tables:
        kind = kind_of(type(table))
        assert kind.check(table) is table
        assert kind.plain(table) == [{"a": 1}, {"a": 2}]
        assert kind.known
        assert kind.from_plain([{"a": 1}, {"a": 2}]).equals(table)
        assert not any(fits(type(other), table) for other in tables if other is not table)
    assert kind_of(pd.Series).plain(pd.Series([1, 2])) == kind_of(pl.Series).plain(pl.Series([1, 2])) == [1, 2]


def test_classes_of_ones_own_are_taken_but_not_known() -> None:
    kind = kind_of(Plain)
    value = Plain(1)
    assert kind.check(value) is value
    assert not kind.known
    assert not kind_of(list[Plain]).known
    assert not kind_of(dict[str, Plain] | None).known
    assert not kind_of(Box[Plain]).known
    assert all(kind_of(annotation).known for annotation in CASES)
    assert kind_of(Callable[[int], str]).check(len) is len
    assert not fits(Callable[..., Any], 1)
    assert fits(type[Plain], Plain)
    assert not fits(type[Plain], int)
    assert fits(range, range(3))


def test_values_without_a_kind_are_shown_as_they_say_they_are() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    kind = kind_of(Any)
    assert kind.plain({"a": [dt.date(2026, 1, 31), Person("A", 1)]}) == {
        "a": ["2026-01-31", {"name": "A", "age": 1, "tags": []}]
    }
    assert kind.plain(cyclic) == ["[[...]]"]
    assert kind.plain(Plain(1)).startswith("<")
    assert kind.check(cyclic) is cyclic


def test_recursive_types_and_values_do_not_loop() -> None:
    @dataclasses.dataclass
    class Ring:
        number: int
        next: Any = None

    Ring.__annotations__["next"] = Ring | None
    Ring.__dataclass_fields__["next"].type = Ring | None  # type: ignore[assignment]
    kind = kind_of(Ring)
    ring = Ring(1)
    ring.next = Ring(2, ring)
    assert kind.check(ring) is ring
    ring.next.number = "x"
    with pytest.raises(Mismatch, match=r"expects int, got str at \.next\.number: 'x'"):
        kind.check(ring)
    assert kind.known
    assert "again" in json.dumps(kind.schema())


def test_aliases_stand_for_what_they_name() -> None:
    pair = typing_extensions.TypeAliasType("pair", tuple[T, T], type_params=(T,))
    assert kind_of(pair[int]).parse("[1, 2]") == (1, 2)
    assert not fits(pair[int], (1, "x"))
    assert fits(list[pair[str]], [("a", "b")])


def test_typed_dictionaries_and_protocols_of_either_module_are_known() -> None:
    assert fits(Later, {"depth": 1})
    assert not fits(Later, {"name": "x"})
    assert fits(Runs, Plain(1))
    assert not fits(Named, Plain(1))


class Later(typing_extensions.TypedDict, total=False):
    depth: typing_extensions.Required[int]
    name: str


class Runs(typing.Protocol):
    other: int


@typing.runtime_checkable
class Named(typing.Protocol):
    def name(self) -> str: ...


def test_an_annotation_that_is_no_type_is_refused() -> None:
    for annotation in (5, "Missing", [int], list["Missing"]):  # type: ignore[name-defined]  # noqa: F821
        with pytest.raises(UnresolvedError):
            kind_of(annotation)


def test_schemas_are_json_and_differ_where_the_structure_does() -> None:
    schemas = [json.dumps(kind_of(annotation).schema(), sort_keys=True) for annotation in CASES]
    different = [
        one
        for annotation, one in zip(CASES, schemas, strict=True)
        if annotation not in (Annotated[int, "how many"], Money, Bound, Optional[int])  # noqa: UP045
    ]
    assert len(set(different)) == len(different)
    changed = dataclasses.make_dataclass("Person", [("name", str), ("age", float), ("tags", list[str])])
    assert kind_of(changed).schema() != kind_of(Person).schema()


def test_a_schema_is_the_same_in_every_process() -> None:
    program = f"""
import json, sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import test_types_kinds as cases
print(json.dumps([cases.kind_of(annotation).schema() for annotation in cases.CASES]))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {json.dumps([kind_of(annotation).schema() for annotation in CASES]) + "\n"}
