"""Kinds of numpy's arrays and scalars. Loaded only where an annotation names one, so numpy is loaded already."""

from __future__ import annotations

import typing

import numpy as np

from laminar.tasks.kinds import scalars
from laminar.tasks.kinds.contract import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


class Array(Kind):
    """An array; of one type of numbers, where the annotation names it. Its shape is not checked."""

    def __init__(self, dtype: type[Any] | None) -> None:
        """Take the type of the members; None takes all."""
        self.dtype = dtype
        self.name = f"numpy.ndarray of {dtype.__name__}" if dtype else "numpy.ndarray"

    def check(self, value: Any) -> Any:
        """Take arrays whose dtype is of the type."""
        if not isinstance(value, np.ndarray):
            raise self.refuse(value)
        if self.dtype is not None and not issubclass(value.dtype.type, self.dtype):
            raise self.refuse(value, f"its dtype is {value.dtype}")
        return value

    def from_plain(self, plain: Plain) -> Any:
        """Make one of nested JSON arrays."""
        try:
            array = np.asarray(plain, dtype=self._target())
        except (TypeError, ValueError, OverflowError) as error:
            raise self.misread(plain, str(error)) from None
        return self.check(array)

    def _target(self) -> Any:
        """Give the dtype to make; None lets numpy choose, where the annotation leaves a choice (``np.floating``)."""
        try:
            return np.dtype(self.dtype) if self.dtype is not None and not self.dtype.__subclasses__() else None
        except TypeError:
            return None

    def plain(self, value: Any) -> Plain:
        """Give nested arrays; of what JSON cannot say, the text."""
        return (value if value.dtype.kind in "biufU" else value.astype(str)).tolist()

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the type of the members."""
        return {"numpy.ndarray": self.dtype.__name__ if self.dtype else "any"}


class Number(scalars.Scalar):
    """One of numpy's scalars, such as ``numpy.float64``; a builtin number is none."""

    def __init__(self, kind: type[Any]) -> None:
        """Take the type."""
        super().__init__(kind, kind.__name__.upper())
        self.name = f"numpy.{kind.__name__}"

    def parse(self, text: str) -> Any:
        """Read the text as numpy does."""
        if self.type is np.bool_:
            return np.bool_(scalars.Bool(bool, "").parse(text))
        try:
            return self.type(text)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.misread(text, str(error)) from None

    def from_plain(self, plain: Plain) -> Any:
        """Read a number or text."""
        if isinstance(plain, (list, dict)) or plain is None:
            raise self.misread(plain)
        return self.parse(str(plain))

    def plain(self, value: Any) -> Plain:
        """Give the number; as text where JSON has none such."""
        return (
            value.item()
            if isinstance(value, (np.bool_, np.integer, np.float16, np.float32, np.float64))
            else str(value)
        )

    def text(self, value: Any) -> str:
        """Write it."""
        return str(value)

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the type."""
        return self.name


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile what this file knows; None for the rest."""
    kind = origin or annotation
    if kind is np.ndarray:
        return Array(_member(args[1]) if len(args) == 2 else None)
    if isinstance(kind, type) and issubclass(kind, np.generic):
        return Number(kind)
    return None


def _member(dtype: Any) -> type[Any] | None:
    """Read the scalar type in ``numpy.dtype[…]``; a variable or Any takes all."""
    for arg in typing.get_args(dtype):
        member = arg.__bound__ if isinstance(arg, typing.TypeVar) else arg
        found = typing.get_origin(member) or member
        if isinstance(found, type) and issubclass(found, np.generic):
            return None if found is np.generic else found
    return None
