"""Tables and columns of pandas, polars and Arrow, as a stream of Arrow's IPC format.

What comes back is what went in, to the index, the types and the attributes. Arrow does not know all that pandas can
hold; a frame that it would change goes by pickle. The first byte of the stream says which of both it is.

No library is loaded here before a value of its own is at hand.
"""

from __future__ import annotations

import importlib
import json

from laminar.data.serde import pickled
from laminar.data.serde.contract import Protocol, Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

ARROW, PICKLE = b"A", b"P"
#: Kinds of numpy's types that Arrow carries unchanged: bool, int, unsigned, float, datetime, timedelta.
PLAIN_KINDS = "biufMm"
#: The column that a series becomes.
COLUMN = "value"
#: Under this key of a table's metadata lies what Arrow knows no place for.
EXTRA = b"laminar"


class _Frames(Protocol):
    """Arrow if it carries a value unchanged, else pickle."""

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Serialise to a stream."""
        made = self.to_arrow(value)
        if made is None:
            file.write(PICKLE)
            file.write(pickled.dumps(value))
        else:
            file.write(ARROW)
            self.write_arrow(made, file)

    def load(self, file: BinaryIO) -> Any:
        """Deserialise from a stream."""
        return self.read_arrow(file) if file.read(1) == ARROW else pickled.load(file)

    def to_arrow(self, value: Any) -> Any:
        """Give what Arrow is to write; None where it would change the value."""
        raise NotImplementedError

    def write_arrow(self, made: Any, file: BinaryIO) -> None:
        """Write a table of Arrow."""
        with importlib.import_module("pyarrow.ipc").new_stream(file, made.schema) as writer:
            writer.write_table(made)

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a table of Arrow, and give what it was made of."""
        raise NotImplementedError


def _table(file: BinaryIO) -> Any:
    return importlib.import_module("pyarrow.ipc").open_stream(file).read_all()


class PandasFrame(_Frames):
    """``pandas.DataFrame``."""

    def to_arrow(self, value: Any) -> Any:
        """Give a table, if Arrow carries index, columns, types and attributes."""
        return _of_pandas(value)

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a frame."""
        return _to_pandas(_table(file))


class PandasSeries(_Frames):
    """``pandas.Series``: a frame of one column."""

    def to_arrow(self, value: Any) -> Any:
        """Give a table of one column; the name of the series is beside it."""
        if (
            value.attrs
            or not (value.name is None or type(value.name) is str)
            or not value.flags.allows_duplicate_labels
        ):
            return None
        made = _of_pandas(value.to_frame(COLUMN))
        if made is None:
            return None
        return made.replace_schema_metadata({**made.schema.metadata, EXTRA: json.dumps([value.name]).encode()})

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a series."""
        table = _table(file)
        (name,) = json.loads(table.schema.metadata[EXTRA])
        return _to_pandas(table)[COLUMN].rename(name)


def _of_pandas(frame: Any) -> Any:
    """Give a table for a frame; None where Arrow cannot carry it, or would change it."""
    try:
        pyarrow = importlib.import_module("pyarrow")  # 100 ms, and pandas has mostly loaded it
    except ImportError:
        return None
    if not frame.flags.allows_duplicate_labels or not _named(frame) or not all(map(_carried, _types(frame))):
        return None
    try:
        if not _alike(frame.iloc[:0], _to_pandas(pyarrow.Table.from_pandas(frame.iloc[:0]))):
            return None
        return pyarrow.Table.from_pandas(frame)
    except Exception:  # Arrow has many ways to say that it cannot, and pandas some more
        return None


def _to_pandas(table: Any) -> Any:
    return table.to_pandas()


def _named(frame: Any) -> bool:
    """Tell whether all names are text; Arrow makes text of others, and warns."""
    names = (name for name in (*frame.index.names, *frame.columns.names) if name is not None)
    return all(type(name) is str for name in (*names, *frame.columns))


def _types(frame: Any) -> list[Any]:
    """List the types of columns, of the index, and of the categories in them."""
    types = [*frame.dtypes, frame.index.dtype]
    return types + [kind.categories.dtype for kind in types if hasattr(kind, "categories")]


def _carried(kind: Any) -> bool:
    """Tell whether Arrow has the type. Objects can be anything, and are never as they were."""
    return kind.kind in PLAIN_KINDS or type(kind).__name__ in ("CategoricalDtype", "StringDtype", "DatetimeTZDtype")


def _alike(left: Any, right: Any) -> bool:
    """Tell whether two frames without rows have the same columns, index, types and attributes."""
    return (
        repr(left.attrs) == repr(right.attrs)
        and _same_labels(left.columns, right.columns)
        and list(left.columns) == list(right.columns)
        and _same_labels(left.index, right.index)
        and all(_same_type(one, other) for one, other in zip(left.dtypes, right.dtypes, strict=True))
    )


def _same_labels(left: Any, right: Any) -> bool:
    """Tell whether two indexes are of one kind, whatever is in them."""
    return (
        type(left) is type(right)
        and type(left).__name__ != "MultiIndex"
        and repr(left.names) == repr(right.names)
        and _same_type(left.dtype, right.dtype)
        and getattr(left, "freq", None) == getattr(right, "freq", None)
        and getattr(left, "step", None) == getattr(right, "step", None)
    )


def _same_type(left: Any, right: Any) -> bool:
    """Tell whether two types are the same, to the order of categories and the class of the time zone."""
    if type(left) is not type(right) or left != right or type(_zone(left)) is not type(_zone(right)):
        return False
    if not hasattr(left, "categories"):
        return True
    ordered = left.ordered == right.ordered and list(left.categories) == list(right.categories)
    return ordered and _same_labels(left.categories, right.categories)


def _zone(kind: Any) -> Any:
    return getattr(kind, "tz", None)


class PolarsFrame(_Frames):
    """``polars.DataFrame``."""

    def to_arrow(self, value: Any) -> Any:
        """Give the frame itself, which writes Arrow; not one that holds objects, or rows without columns."""
        return value if value.width and not any("Object" in str(kind) for kind in value.dtypes) else None

    def write_arrow(self, made: Any, file: BinaryIO) -> None:
        """Write it."""
        made.write_ipc_stream(file)

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a frame."""
        return importlib.import_module("polars").read_ipc_stream(file)


class PolarsSeries(PolarsFrame):
    """``polars.Series``: a frame of one column."""

    def to_arrow(self, value: Any) -> Any:
        """Give it as a frame."""
        return super().to_arrow(value.to_frame())

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a series."""
        return super().read_arrow(file).to_series()


class ArrowTable(_Frames):
    """``pyarrow.Table``."""

    def to_arrow(self, value: Any) -> Any:
        """Give the table."""
        return value

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a table."""
        return _table(file)


class ArrowBatch(ArrowTable):
    """``pyarrow.RecordBatch``."""

    def write_arrow(self, made: Any, file: BinaryIO) -> None:
        """Write it."""
        with importlib.import_module("pyarrow.ipc").new_stream(file, made.schema) as writer:
            writer.write_batch(made)

    def read_arrow(self, file: BinaryIO) -> Any:
        """Read a batch."""
        return importlib.import_module("pyarrow.ipc").open_stream(file).read_next_batch()


#: The names of types as archives write them; pandas and polars have renamed modules, and may again.
NAMES: dict[str, type[_Frames]] = {
    "pandas.DataFrame": PandasFrame,
    "pandas.core.frame.DataFrame": PandasFrame,
    "pandas.Series": PandasSeries,
    "pandas.core.series.Series": PandasSeries,
    "polars.DataFrame": PolarsFrame,
    "polars.dataframe.frame.DataFrame": PolarsFrame,
    "polars.Series": PolarsSeries,
    "polars.series.series.Series": PolarsSeries,
    "pyarrow.lib.Table": ArrowTable,
    "pyarrow.lib.RecordBatch": ArrowBatch,
}


def registry() -> Registry:
    """Give a registry that knows tables and columns. That of a flow's datastore does not, and keeps what it has."""
    made = Registry()
    for name, protocol in NAMES.items():
        made.name(name, protocol())
    return made
