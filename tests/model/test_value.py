"""Records with named fields."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.model.value import Value


class Point(Value):
    x: int
    y: int = 0
    label: str = "here"


class Labelled(Point):
    colour: str = "red"


class Fixed(Value, frozen=True):
    x: int
    y: int = 0


class FixedToo(Fixed):
    z: int = 0


class Checked(Value):
    x: int

    def validate(self) -> None:
        if self.x < 0:
            raise ValueError(f"x is {self.x}")


# Fields


def test_fields_are_taken_by_position_by_name_and_by_default() -> None:
    assert Point(1, 2, "there") == Point(1, y=2, label="there") == Point(label="there", y=2, x=1)
    assert Point(1) == Point(1, 0, "here")


def test_a_subclass_has_the_fields_of_its_base_first() -> None:
    assert Labelled(1, 2, "there", "blue") == Labelled(x=1, y=2, label="there", colour="blue")
    assert repr(Labelled(1)) == "Labelled(x=1, y=0, label='here', colour='red')"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Point(), "Point needs x."),
        (lambda: Point(y=1), "Point needs x."),
        (lambda: Fixed(), "Fixed needs x."),
        (lambda: Point(1, z=2), "Point has no field 'z'. Its fields: x, y, label."),
        (lambda: Point(1, 2, "a", 4), "Point takes at most 3 values, got 4."),
        (lambda: Point(1, x=2), "Point got field 'x' twice."),
        (lambda: Point(1, 2, "a", label="b"), "Point got field 'label' twice."),
        (lambda: Point(1).replace(z=3), "Point has no field 'z'. Its fields: x, y, label."),
    ],
)
def test_fields_that_are_missing_unknown_or_given_twice_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(TypeError) as refusal:
        make()
    assert str(refusal.value) == message


def test_a_record_is_checked_when_it_is_made_and_when_it_is_replaced() -> None:
    with pytest.raises(ValueError, match="x is -1"):
        Checked(-1)
    with pytest.raises(ValueError, match="x is -2"):
        Checked(1).replace(x=-2)


# Equality


@given(st.integers(), st.integers(), st.integers(), st.integers())
def test_records_are_equal_if_all_their_fields_are(x: int, y: int, other_x: int, other_y: int) -> None:
    same = (x, y) == (other_x, other_y)
    assert (Fixed(x, y) == Fixed(other_x, other_y)) is same
    assert (Point(x, y) == Point(other_x, other_y)) is same
    assert len({Fixed(x, y), Fixed(y=other_y, x=other_x)}) == (1 if same else 2)


def test_records_of_different_classes_are_never_equal() -> None:
    assert Point(1) != Labelled(1)
    assert Fixed(1, 0) != FixedToo(1, 0)
    assert Fixed(1, 0) != (1, 0)


@given(st.integers(), st.integers())
def test_a_pickled_record_comes_back_equal(x: int, y: int) -> None:
    assert pickle.loads(pickle.dumps(Fixed(x, y))) == Fixed(x, y)
    assert pickle.loads(pickle.dumps(Point(x, y))) == Point(x, y)


# Copies


def test_a_copy_is_equal_and_changes_apart() -> None:
    point = Labelled(1, colour="blue")
    copy = point.copy()
    assert copy == point
    assert type(copy) is Labelled
    copy.x = 2
    assert (point.x, copy.x) == (1, 2)


def test_replacing_gives_a_changed_record_of_the_same_class_and_leaves_the_old_one() -> None:
    fixed = FixedToo(1, 2, 3)
    assert fixed.replace(y=5) == FixedToo(1, 5, 3)
    assert fixed == FixedToo(1, 2, 3)


# Changes


def test_a_field_can_be_set_but_none_added() -> None:
    point = Point(1)
    point.x = 3
    assert point == Point(3)
    with pytest.raises(AttributeError, match=r"Point has no field 'z'\. Its fields: x, y, label\."):
        point.z = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("record", [Fixed(1), FixedToo(1)])
def test_a_frozen_record_and_those_that_inherit_from_it_cannot_be_changed(record: Any) -> None:
    with pytest.raises(AttributeError, match=r"cannot be changed; use replace\(x=…\)\."):
        record.x = 2
    with pytest.raises(AttributeError, match=r"cannot be changed"):
        record.new = 2
    assert record.x == 1


@pytest.mark.parametrize("record", [Fixed(1), FixedToo(1)])
def test_no_field_of_a_record_can_be_deleted(record: Any) -> None:
    with pytest.raises(AttributeError):
        del record.x
    assert record.x == 1
