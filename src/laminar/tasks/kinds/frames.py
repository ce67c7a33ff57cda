"""Kinds of tables and columns of pandas, polars and Arrow. Loaded only where an annotation names one."""

from __future__ import annotations

import sys

from laminar.tasks.kinds.contract import Kind, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


class Frame(Kind):
    """A table or a column. Which columns a table has is not checked: its annotation does not say."""

    def __init__(self, kind: type, name: str, read: Callable[[Any], Any], write: Callable[[Any], Any]) -> None:
        """Take the type and its name, and how it is made of JSON and written as JSON."""
        self.type = kind
        self.name = name
        self.exact = frozenset((kind,))
        self._read = read
        self._write = write

    def check(self, value: Any) -> Any:
        """Take objects of the type."""
        if isinstance(value, self.type):
            return value
        raise self.refuse(value)

    def from_plain(self, plain: Plain) -> Any:
        """Make a table of an array of rows or an object of columns, or a column of an array."""
        if not isinstance(plain, (list, dict)):
            raise self.misread(plain, "write an array of rows")
        try:
            return self._read(plain)
        except Exception as error:  # each library has a tree of errors of its own
            raise self.misread(plain, str(error)) from None

    def plain(self, value: Any) -> Plain:
        """Give the rows; as their ``repr`` where JSON cannot say them."""
        try:
            rows = self._write(value)
            encoded(rows)
        except Exception:  # as above
            return repr(value)
        return rows

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the type."""
        return {"frame": self.name}


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile what this file knows; None for the rest."""
    kind = origin or annotation
    if not isinstance(kind, type):
        return None
    families = {"pandas": _pandas, "polars": _polars, "pyarrow": _arrow}
    root = kind.__module__.partition(".")[0]
    ways = families[root](kind.__name__)
    return Frame(kind, f"{root}.{kind.__name__}", *ways) if ways else None


def _pandas(name: str) -> tuple[Any, Any] | None:
    pandas = sys.modules["pandas"]
    if name == "DataFrame":
        return pandas.DataFrame, lambda value: _decoded(value.to_json(orient="records", date_format="iso"))
    if name == "Series":
        return pandas.Series, lambda value: _decoded(value.to_json(orient="values", date_format="iso"))
    return None


def _polars(name: str) -> tuple[Any, Any] | None:
    polars = sys.modules["polars"]
    if name == "DataFrame":
        return polars.DataFrame, lambda value: _decoded(value.write_json())
    if name == "Series":
        return polars.Series, lambda value: _decoded(value.to_frame("it").write_json(), "it")
    return None


def _arrow(name: str) -> tuple[Any, Any] | None:
    arrow = sys.modules["pyarrow"]

    def columns(plain: Plain) -> Any:
        kind = getattr(arrow, name)
        return kind.from_pylist(plain) if isinstance(plain, list) else kind.from_pydict(plain)

    return (columns, lambda value: value.to_pylist()) if name in ("Table", "RecordBatch") else None


def _decoded(text: str, column: str = "") -> Plain:
    import json  # 5 ms, and only tables that are shown need it

    rows = json.loads(text)
    return [row[column] for row in rows] if column else rows
