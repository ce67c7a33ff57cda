"""What arrays and tables consist of: numpy, pandas, polars and Arrow, for the canonical digest.

None of them is imported here: a value can only be one of theirs if they are loaded already.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    class Digester(Protocol):
        """What digests the parts; see :class:`laminar.data.canonical.Digester`."""

        def token(self, value: Any) -> bytes:
            """Give the bytes that stand for a value."""

        def node(self, kind: str, children: Iterable[Any]) -> bytes:
            """Give the token of something that consists of others."""

        def raw(self, kind: str, head: tuple[Any, ...], data: Any) -> bytes:
            """Give the token of a buffer."""


def way(kind: type, digester: Digester) -> Callable[[Any], bytes] | None:
    """Give what digests values of a type; None if it is neither array nor table.

    Args:
        kind: The type.
        digester: Digests the parts.
    """
    for parent in kind.__mro__:
        family = FAMILIES.get(parent.__module__.partition(".")[0])
        if family is not None:
            return family(kind, digester)
    return None


def _name(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _numpy(kind: type, digester: Digester) -> Callable[[Any], bytes] | None:
    numpy = sys.modules["numpy"]
    if issubclass(kind, numpy.ndarray) and kind.__reduce__ is numpy.ndarray.__reduce__:
        return lambda value: _array(value, digester)
    if "numpy.ma" in sys.modules and issubclass(kind, numpy.ma.MaskedArray):
        return lambda value: digester.node("masked", _masked(value))
    if issubclass(kind, numpy.generic):
        return lambda value: digester.node("numpy scalar", (_name(value), numpy.asarray(value)))
    return None


def _array(value: Any, digester: Digester) -> bytes:
    """Digest an array by type, dtype, shape and content; how it lies in memory does not count."""
    numpy = sys.modules["numpy"]
    if type(value) is not numpy.ndarray:
        own = getattr(value, "__dict__", None)
        plain = value.view(numpy.ndarray)
        return digester.node("array", (_name(value), None if isinstance(value, numpy.memmap) else own, plain))
    if value.dtype.names is not None:  # what lies between the fields is nobody's
        fields = [value[name] for name in value.dtype.names]
        return digester.node("records", (value.dtype, value.shape, *fields))
    if value.dtype.hasobject or value.dtype.kind == "T":
        return digester.node("objects", (value.dtype, value.shape, value.ravel().tolist()))
    content = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8)
    return digester.raw("array", (value.dtype.str, _metadata(value.dtype, digester), value.shape), content)


def _masked(value: Any) -> tuple[Any, ...]:
    """Take a masked array apart; what lies under the mask does not count."""
    content = value.data.copy()
    content[value.mask] = content.dtype.type()
    return (_name(value), value.fill_value, value.mask, content)


def _metadata(dtype: Any, digester: Digester) -> bytes | None:
    return None if dtype.metadata is None else digester.token(dict(dtype.metadata))


def _pandas(kind: type, digester: Digester) -> Callable[[Any], bytes] | None:
    pandas = sys.modules["pandas"]
    parts = {
        pandas.DataFrame: _frame,
        pandas.Series: _series,
        pandas.Index: _index,
        pandas.api.extensions.ExtensionArray: _extension,
    }
    for parent, take in parts.items():
        if issubclass(kind, parent):
            return lambda value: digester.node(_name(value), take(value))
    return None


def _frame(value: Any) -> tuple[Any, ...]:
    columns = [value.iloc[:, place].array for place in range(value.shape[1])]
    return (value.columns, value.index, value.attrs, value.flags.allows_duplicate_labels, columns)


def _series(value: Any) -> tuple[Any, ...]:
    return (value.name, value.index, value.attrs, value.flags.allows_duplicate_labels, value.array)


def _index(value: Any) -> tuple[Any, ...]:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.MultiIndex):
        return (list(value.names), list(value.levels), list(value.codes))
    if isinstance(value, pandas.RangeIndex):
        return (value.name, value.start, value.stop, value.step)
    return (value.name, getattr(value, "freqstr", None), value.array)


def _extension(value: Any) -> tuple[Any, ...]:
    """Take a column apart; what lies under a missing value does not count."""
    pandas = sys.modules["pandas"]
    dtype = value.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return (dtype.categories, dtype.ordered, value.codes)
    if isinstance(dtype, pandas.IntervalDtype):
        return (str(dtype), value.closed, value.left, value.right)
    if hasattr(value, "asi8"):
        return (str(dtype), value.asi8)
    if hasattr(value, "_mask") and hasattr(dtype, "numpy_dtype"):
        return (str(dtype), value.isna(), value.to_numpy(dtype=dtype.numpy_dtype, na_value=0))
    if isinstance(dtype, pandas.ArrowDtype):
        return (str(dtype), value.__arrow_array__())
    if isinstance(value, pandas.arrays.NumpyExtensionArray):
        return (str(dtype), value.to_numpy())
    return (repr(dtype), value.astype(object).tolist())


def _polars(kind: type, digester: Digester) -> Callable[[Any], bytes] | None:
    polars = sys.modules["polars"]
    if issubclass(kind, polars.DataFrame):
        return lambda value: digester.node(_name(value), (value.shape, value.get_columns()))
    if issubclass(kind, polars.Series):
        return lambda value: digester.node(_name(value), _polars_series(value))
    return None


def _polars_series(value: Any) -> tuple[Any, ...]:
    polars = sys.modules["polars"]
    if value.dtype in (polars.Categorical, polars.Enum):  # the numbers of categories differ between processes
        text = value.cast(polars.String)
        return (value.name, repr(value.dtype), text)
    if value.dtype.is_numeric() and not value.dtype.is_decimal() and value.null_count() == 0:
        return (value.name, repr(value.dtype), value.to_numpy())
    return (value.name, repr(value.dtype), value.to_list())


def _arrow(kind: type, digester: Digester) -> Callable[[Any], bytes] | None:
    arrow = sys.modules["pyarrow"]
    if issubclass(kind, (arrow.Table, arrow.RecordBatch)):
        return lambda value: digester.node(
            _name(value), (value.num_rows, value.schema, [_combined(column) for column in value.columns])
        )
    if issubclass(kind, arrow.ChunkedArray):
        return lambda value: digester.node(_name(value), (_combined(value),))
    if issubclass(kind, arrow.Array):
        return lambda value: digester.raw(_name(value), (len(value),), _stream(value))
    if issubclass(kind, arrow.Schema):
        return lambda value: digester.raw(_name(value), (), value.serialize())
    return None


def _combined(column: Any) -> Any:
    """Give a column as one array: in which pieces it came does not count."""
    arrow = sys.modules["pyarrow"]
    if not isinstance(column, arrow.ChunkedArray):
        return column
    whole = column.combine_chunks()
    return whole if isinstance(whole, arrow.Array) else arrow.concat_arrays(whole.chunks)


def _stream(array: Any) -> Any:
    arrow = sys.modules["pyarrow"]
    sink = arrow.BufferOutputStream()
    batch = arrow.RecordBatch.from_arrays([array], names=[""])
    with arrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


FAMILIES: dict[str, Callable[[type, Digester], Callable[[Any], bytes] | None]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _arrow,
}
