"""Tables and columns by Arrow: what comes back is what went in."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.extra import pandas as pdst
from pandas.testing import assert_frame_equal, assert_series_equal
from polars.testing import assert_frame_equal as assert_polars_equal
from polars.testing.parametric import dataframes, series

from laminar.data.artifacts import Artifacts
from laminar.data.memory import MemoryBlobs
from laminar.data.serde import frames
from laminar.data.serde.contract import Registry
from laminar.errors import UnpicklableArtifactError
from laminar.testing.serde import ProtocolConformance

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def written(value: Any) -> bytes:
    protocol = frames.registry().find(f"{type(value).__module__}.{type(value).__name__}")
    assert protocol is not None
    file = io.BytesIO()
    protocol.dump(value, file)
    return file.getvalue()


def through(value: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return passed(value)


def passed(value: Any) -> Any:
    artifacts = Artifacts(MemoryBlobs(), "tasks", frames.registry())
    return artifacts.read(artifacts.write(value))


def by_arrow(value: Any) -> bool:
    return written(value)[:1] == frames.ARROW


def assert_same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    assert_frame_equal(
        left, right, check_exact=True, check_freq=True, check_index_type="exact", check_column_type="exact"
    )
    assert [type(kind) for kind in left.dtypes] == [type(kind) for kind in right.dtypes]
    assert list(left.dtypes) == list(right.dtypes)
    assert repr(left.attrs) == repr(right.attrs)
    assert type(left.index) is type(right.index)


numbers = npst.scalar_dtypes().filter(lambda kind: kind.kind in "biufMm" and kind.byteorder in "=|<")
columns = st.one_of(
    st.builds(lambda kind: pdst.column(dtype=kind), numbers.filter(lambda kind: kind.kind in "biuf")),
    st.just(pdst.column(elements=st.text(max_size=5), dtype="str")),
    st.just(pdst.column(elements=st.one_of(st.none(), st.text(max_size=3), st.integers()), dtype=object)),
)
indexes = st.one_of(
    pdst.range_indexes(max_size=6),
    pdst.indexes(dtype=np.int64, max_size=6),
    pdst.indexes(elements=st.text(max_size=3), dtype="str", max_size=6),
    pdst.indexes(dtype=np.float64, max_size=6),
)
names = st.one_of(st.none(), st.text(max_size=3), st.integers(0, 3))


@st.composite
def pandas_frames(draw: Any) -> pd.DataFrame:
    kinds = draw(st.lists(columns, max_size=4))
    index = draw(indexes)
    data = {}
    for place, kind in enumerate(kinds):
        column = draw(pdst.data_frames([kind], index=st.just(index)))
        data[draw(st.one_of(st.text(max_size=3), st.integers(0, 5), st.just(f"c{place}")))] = column.iloc[:, 0]
    frame = pd.DataFrame(data, index=index)
    frame.index.name = draw(names)
    frame.columns.name = draw(names)
    frame.attrs = draw(
        st.dictionaries(st.text(max_size=2), st.one_of(st.integers(), st.text(), st.tuples()), max_size=2)
    )
    return frame


@FEW
@given(pandas_frames())
def test_a_pandas_frame_comes_back_as_it_was(frame: pd.DataFrame) -> None:
    assert_same(through(frame), frame)


@FEW
@given(pandas_frames(), st.one_of(st.none(), st.text(max_size=3), st.integers()))
def test_a_pandas_series_comes_back_as_it_was(frame: pd.DataFrame, name: Any) -> None:
    for place in range(frame.shape[1]):
        one = frame.iloc[:, place].rename(name)
        assert_series_equal(through(one), one, check_exact=True, check_freq=True, check_index_type="exact")


SPECIAL = {
    "a time zone": pd.DataFrame({"t": pd.date_range("2026-03-28", periods=3, tz="Europe/Berlin")}),
    "another unit": pd.DataFrame({"t": pd.Series(np.array([1, 2], "datetime64[s]"))}),
    "spans of time": pd.DataFrame({"t": pd.Series(np.array([1, 2], "timedelta64[ms]"))}),
    "ordered categories": pd.DataFrame({"c": pd.Categorical(["b", None, "a"], ["b", "c", "a"], ordered=True)}),
    "categories of numbers": pd.DataFrame({"c": pd.Categorical([3, 1, 3], [3, 2, 1])}),
    "nullable numbers": pd.DataFrame({"n": pd.array([1, None], "Int64"), "b": pd.array([None, True], "boolean")}),
    "nullable floats": pd.DataFrame({"n": pd.array([1.5, None, 0.0], "Float64") / pd.array([1, 1, 0], "Float64")}),
    "objects": pd.DataFrame({"o": [1, "a", None, (1, 2)]}, dtype=object),
    "a frequency": pd.DataFrame({"n": [1, 2]}, index=pd.date_range("2026", periods=2, freq="D")),
    "a named index": pd.DataFrame({"n": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "an index named as a column": pd.DataFrame({"n": [1, 2]}, index=pd.Index([3, 4], name="n")),
    "a column named as Arrow names an index": pd.DataFrame({"__index_level_0__": [1, 2]}, index=pd.Index([3, 4])),
    "several levels": pd.DataFrame({"n": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])),
    "columns in levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])),
    "a name twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "no columns": pd.DataFrame(index=range(3)),
    "nothing": pd.DataFrame(),
    "complex numbers": pd.DataFrame({"z": [1j, 2.0]}),
    "periods": pd.DataFrame({"p": pd.period_range("2026-01", periods=2, freq="M")}),
    "intervals": pd.DataFrame({"i": pd.interval_range(0, 2)}),
    "Arrow's own types": pd.DataFrame({"a": pd.array([1, None], "int64[pyarrow]")}),
    "strings of Python": pd.DataFrame({"s": pd.array(["a", None], "string[python]")}),
    "strings of Arrow": pd.DataFrame({"s": pd.array(["a", None], "string[pyarrow]")}),
    "half a surrogate": pd.DataFrame({"s": pd.Series(["a\ud800"], dtype=object)}),
    "minus zero": pd.DataFrame({"f": [0.0, -0.0, np.inf, np.nan]}),
    "sparse numbers": pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}),
    "an offset as time zone": pd.DataFrame({"t": pd.to_datetime(["2026-01-01T00:00+02:00"])}),
}


@pytest.mark.parametrize("frame", SPECIAL.values(), ids=SPECIAL.keys())
def test_what_pandas_can_hold_comes_back_as_it_was(frame: pd.DataFrame) -> None:
    back = through(frame)
    assert_same(back, frame)
    for name in back.columns[back.dtypes.map(lambda kind: kind.kind == "f")]:
        assert (np.signbit(back[name]) == np.signbit(frame[name])).all()


def test_categories_keep_their_order() -> None:
    back = through(SPECIAL["ordered categories"])
    assert list(back["c"].cat.categories) == ["b", "c", "a"]
    assert back["c"].cat.ordered


def test_labels_that_may_not_repeat_stay_so() -> None:
    frame = pd.DataFrame({"n": [1]}).set_flags(allows_duplicate_labels=False)
    assert through(frame).flags.allows_duplicate_labels is False


def test_a_frame_that_comes_back_can_be_changed() -> None:
    for frame in (SPECIAL["minus zero"], SPECIAL["a time zone"], SPECIAL["nullable numbers"]):
        back = through(frame)
        back.iloc[0, 0] = back.iloc[1, 0]
        back["new"] = 1
        assert back.iloc[0, 0] is back.iloc[1, 0] or back.iloc[0, 0] == back.iloc[1, 0]


@pytest.mark.parametrize(
    "name", ["a time zone", "ordered categories", "minus zero", "a named index", "strings of Arrow"]
)
def test_what_arrow_can_carry_goes_by_arrow(name: str) -> None:
    assert by_arrow(SPECIAL[name])
    assert by_arrow(SPECIAL[name].iloc[:, 0])


@pytest.mark.parametrize("name", ["objects", "several levels", "a frequency", "a name twice", "half a surrogate"])
def test_what_arrow_would_change_goes_by_pickle(name: str) -> None:
    assert not by_arrow(SPECIAL[name])


@FEW
@given(dataframes(max_cols=4, max_size=8))
def test_a_polars_frame_comes_back_as_it_was(frame: pl.DataFrame) -> None:
    back = through(frame)
    assert back.schema == frame.schema
    assert_polars_equal(back, frame)


@FEW
@given(series(max_size=8))
def test_a_polars_series_comes_back_as_it_was(one: pl.Series) -> None:
    back = through(one)
    assert back.name == one.name
    assert_polars_equal(back.to_frame(), one.to_frame())


def test_polars_objects_are_refused_since_polars_cannot_serialise_them() -> None:
    with pytest.raises(UnpicklableArtifactError, match="Object"):
        through(pl.DataFrame({"o": pl.Series([{1}, {2}], dtype=pl.Object)}))
    assert by_arrow(pl.DataFrame({"n": [1]}))
    assert by_arrow(pl.Series("n", [1]))


def test_tables_and_batches_of_arrow_come_back_as_they_were() -> None:
    schema = pa.schema([("n", pa.int64()), ("d", pa.dictionary(pa.int8(), pa.string()))], metadata={"who": "me"})
    table = pa.table(
        {"n": [1, None, 3], "d": pa.array(["a", "b", "a"]).dictionary_encode().cast(schema[1].type)}, schema
    )
    for value in (table, pa.concat_tables([table, table]), table.slice(1, 1), table.slice(0, 0)):
        back = through(value)
        assert back.equals(value, check_metadata=True)
        assert by_arrow(value)
    for batch in (table.to_batches()[0], table.to_batches()[0].slice(3, 0)):
        back = through(batch)
        assert type(back) is pa.RecordBatch
        assert back.equals(batch, check_metadata=True)


class TestPandas(ProtocolConformance):
    @pytest.fixture
    def protocol(self) -> frames.PandasFrame:
        return frames.PandasFrame()

    @pytest.fixture
    def values(self) -> list[pd.DataFrame]:
        return [SPECIAL["a time zone"], SPECIAL["objects"], SPECIAL["minus zero"]]

    def same(self, left: pd.DataFrame, right: pd.DataFrame) -> bool:
        return bool(left.equals(right))


class TestPolars(ProtocolConformance):
    @pytest.fixture
    def protocol(self) -> frames.PolarsFrame:
        return frames.PolarsFrame()

    @pytest.fixture
    def values(self) -> list[pl.DataFrame]:
        return [pl.DataFrame({"n": [1, None]}), pl.DataFrame({"n": ["a"]})]

    def same(self, left: pl.DataFrame, right: pl.DataFrame) -> bool:
        return left.equals(right)


def test_flows_keep_their_registry_and_read_frames_of_old() -> None:
    blobs = MemoryBlobs()
    frame = SPECIAL["minus zero"]
    ref = Artifacts(blobs, "flow", Registry()).write(frame)
    assert_same(Artifacts(blobs, "flow", Registry()).read(ref), frame)


def test_no_library_is_loaded_before_a_value_of_its_own() -> None:
    program = """
        import sys
        from laminar.data.artifacts import Artifacts
        from laminar.data.memory import MemoryBlobs
        from laminar.data.serde import frames
        artifacts = Artifacts(MemoryBlobs(), "tasks", frames.registry())
        assert artifacts.read(artifacts.write({"plain": [1, 2]})) == {"plain": [1, 2]}
        print(sorted({"pandas", "polars", "pyarrow", "numpy"} & set(sys.modules)))
    """
    said = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
