"""Values come back as they were, are stored once, and are never taken for what they are not."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.data.artifacts import Artifacts
from laminar.data.local import LocalBlobs
from laminar.data.memory import MemoryBlobs
from laminar.data.serde.contract import Registry
from laminar.errors import CorruptBlobError, UnpicklableArtifactError
from laminar.model.action import Ref

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner) | st.frozensets(LEAVES),
    max_leaves=20,
)


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def artifacts(blobs: MemoryBlobs) -> Artifacts:
    return Artifacts(blobs, "Flow", Registry())


def blob_of(ref: Ref) -> str:
    return f"Flow/artifacts/{ref.hexdigest}.gz"


@given(VALUES)
def test_any_value_comes_back_equal_and_of_its_type(value: object) -> None:
    artifacts = Artifacts(MemoryBlobs(), "Flow", Registry())
    ref = artifacts.write(value)
    back = artifacts.read(ref)
    assert back == value
    assert type(back) is type(value)
    assert ref.dtype == f"{type(value).__module__}.{type(value).__name__}"


def test_what_equals_is_not_confused_with_what_differs(artifacts: Artifacts) -> None:
    values = [1, 1.0, True, "1", b"1", (1,), [1], {1}, None, 0.0, -0.0, "", b""]
    refs = [artifacts.write(value) for value in values]
    assert len({ref.hexdigest for ref in refs}) == len(values)
    back = [artifacts.read(ref) for ref in refs]
    assert list(map(repr, back)) == list(map(repr, values))
    assert math.copysign(1, back[10]) == -1


def test_a_blob_is_the_gzipped_pickle_under_the_hash_of_the_pickle(artifacts: Artifacts, blobs: MemoryBlobs) -> None:
    ref = artifacts.write({"a": [1, 2, 3]})
    data = gzip.decompress(blobs.read(blob_of(ref)))
    assert hashlib.sha256(data).hexdigest() == ref.hexdigest
    assert pickle.loads(data) == {"a": [1, 2, 3]}


def test_a_value_is_stored_once(artifacts: Artifacts, blobs: MemoryBlobs) -> None:
    first, second = artifacts.write(["same"] * 10), artifacts.write(["same"] * 10)
    assert first == second
    assert blobs.names("Flow/artifacts") == [f"{first.hexdigest}.gz"]


def test_readers_get_copies(artifacts: Artifacts) -> None:
    value = [1, 2]
    ref = artifacts.write(value)
    value.append(3)
    first = artifacts.read(ref)
    first.append(4)
    assert artifacts.read(ref) == [1, 2]


DAMAGES = {
    "one byte differs": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "the end is missing": lambda data: data[: len(data) // 2],
    "the trailer is missing": lambda data: data[:-4],
    "it is empty": lambda data: b"",
    "it is no gzip": lambda data: b"something else entirely",
    "it is another value": lambda data: gzip.compress(pickle.dumps("another")),
    "it goes on behind its end": lambda data: gzip.compress(gzip.decompress(data) + b"x"),
}


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "large"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=[name.replace(" ", "-") for name in DAMAGES])
def test_a_damaged_blob_is_never_data_and_counts_as_absent(
    artifacts: Artifacts, blobs: MemoryBlobs, damage: object, size: int
) -> None:
    value = hashlib.shake_128(b"seed").digest(size)
    ref = artifacts.write(value)
    blobs.write(blob_of(ref), damage(blobs.read(blob_of(ref))))  # type: ignore[operator]
    with pytest.raises(CorruptBlobError, match=rf"{ref.hexdigest}\.gz is damaged .*removed.*Resume the run"):
        artifacts.read(ref)
    assert artifacts.missing([ref]) == {ref.hexdigest}
    with pytest.raises(FileNotFoundError, match=ref.hexdigest):
        artifacts.read(ref)
    assert artifacts.write(value) == ref
    assert artifacts.read(ref) == value


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "large"])
def test_writing_a_value_again_mends_a_blob_that_was_cut_short(
    artifacts: Artifacts, blobs: MemoryBlobs, size: int
) -> None:
    value = hashlib.shake_128(b"seed").digest(size)
    ref = artifacts.write(value)
    blobs.write(blob_of(ref), blobs.read(blob_of(ref))[: size // 2])
    artifacts.write(value)
    assert artifacts.read(ref) == value


class Canary:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the bytes of a blob were interpreted before their hash was checked",))


def test_the_hash_is_checked_before_a_byte_is_interpreted(artifacts: Artifacts, blobs: MemoryBlobs) -> None:
    ref = artifacts.write("harmless")
    blobs.write(blob_of(ref), gzip.compress(pickle.dumps(Canary())))
    with pytest.raises(CorruptBlobError):
        artifacts.read(ref)


def test_a_missing_blob_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(FileNotFoundError, match=r"memory://Flow/artifacts/0{64}\.gz"):
        artifacts.read(Ref("builtins.int", "0" * 64))


@pytest.mark.parametrize("size", [(1 << 20) - 200, 1 << 20, (1 << 20) + 200, 5 << 20])
def test_values_around_the_streaming_limit_come_back(artifacts: Artifacts, blobs: MemoryBlobs, size: int) -> None:
    value = hashlib.shake_128(b"seed").digest(size)
    ref = artifacts.write(value)
    assert artifacts.read(ref) == value
    assert hashlib.sha256(gzip.decompress(blobs.read(blob_of(ref)))).hexdigest() == ref.hexdigest
    assert artifacts.write(value) == ref


def test_a_large_list_of_small_things_comes_back(artifacts: Artifacts) -> None:
    value = [(number, str(number)) for number in range(200_000)]
    assert artifacts.read(artifacts.write(value)) == value


def test_arrays_come_back_with_their_type_shape_and_order(artifacts: Artifacts) -> None:
    numpy = pytest.importorskip("numpy")
    for array in (
        numpy.arange(600_000, dtype="float32").reshape(300, 2000),
        numpy.asfortranarray(numpy.arange(600_000.0).reshape(300, 2000)),
        numpy.arange(2_000_000)[::3],
        numpy.zeros((0, 3)),
        numpy.array(["a", None, 3], dtype=object),
    ):
        back = artifacts.read(artifacts.write(array))
        assert back.dtype == array.dtype
        assert back.flags["F_CONTIGUOUS"] == array.flags["F_CONTIGUOUS"] or array.strides != back.strides
        numpy.testing.assert_array_equal(back, array)


def test_an_upload_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    artifacts = Artifacts(LocalBlobs(str(tmp_path)), "Flow", Registry())
    with pytest.raises(UnpicklableArtifactError):
        artifacts.write([b"x" * 3_000_000, (number for number in range(3))])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


PEAK = """
    import hashlib, resource, sys
    import numpy
    from laminar.data.artifacts import Artifacts
    from laminar.data.local import LocalBlobs
    from laminar.data.serde.contract import Registry
    from laminar.model.action import Ref

    artifacts = Artifacts(LocalBlobs(sys.argv[1]), "Flow", Registry())
    ref = Ref("numpy.ndarray", sys.argv[2])
    if sys.argv[2] == "write":
        value = numpy.tile(numpy.random.default_rng(0).standard_normal(250_000), 100)
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.argv[2] == "write":
        ref = artifacts.write(value)
    else:
        value = artifacts.read(ref)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(ref.hexdigest, value.nbytes, (peak - floor) * 1024, hashlib.sha256(value).hexdigest())
"""


def test_a_large_array_passes_in_little_more_memory_than_its_own(tmp_path: Path) -> None:
    pytest.importorskip("numpy")

    def measure(argument: str) -> list[str]:
        command = [sys.executable, "-c", textwrap.dedent(PEAK), str(tmp_path), argument]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()

    hexdigest, size, more, content = measure("write")
    assert int(size) == 200_000_000
    assert int(more) <= 0.3 * int(size), "writing took memory beside the value"
    same, _, more, back = measure(hexdigest)
    assert (same, back) == (hexdigest, content)
    assert int(more) <= 1.3 * int(size), "reading took more than the value"


class Part:
    def __init__(self, thing: object) -> None:
        self.thing = thing


class BadState:
    def __getstate__(self) -> object:
        raise ZeroDivisionError("no state today")


def _closure() -> object:
    file = io.TextIOWrapper(io.BytesIO())
    return lambda: file


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ((number for number in range(3)), "", "builtins.generator"),
        ({"good": 1, "bad": [1, (number for number in ())]}, "['bad'][1]", "builtins.generator"),
        (Part(Part([0, sys._getframe()])), ".thing.thing[1]", "builtins.frame"),
        (_closure(), ".<closure file>", "_io.TextIOWrapper"),
        ([1, BadState()], "[1]", "test_artifacts.BadState"),
    ],
    ids=["itself", "in containers", "in objects", "in a closure", "its own method raises"],
)
def test_an_unpicklable_part_is_named(artifacts: Artifacts, value: object, path: str, kind: str) -> None:
    with pytest.raises(UnpicklableArtifactError) as raised:
        artifacts.write(value)
    assert (f"its part {path!r} is" if path else "it is") in str(raised.value)
    assert f" is a {kind}, which cannot be pickled" in str(raised.value).replace("tests.data.", "")


def test_a_value_nested_too_deeply_is_refused_not_a_crash(artifacts: Artifacts) -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnpicklableArtifactError, match="recursion"):
        artifacts.write(value)
    while value:  # take it apart from outside in, since freeing it recurses too
        value = value.pop()  # type: ignore[assignment]


def test_functions_and_local_classes_come_back_working(artifacts: Artifacts) -> None:
    class Local:
        def __init__(self, number: int) -> None:
            self.number = number

        def double(self) -> int:
            return self.number * 2

    back = artifacts.read(artifacts.write([Local(21), lambda number: number + 1]))
    assert back[0].double() == 42
    assert back[1](41) == 42


MAIN = """
    import enum, sys
    from dataclasses import dataclass
    from laminar.data.artifacts import Artifacts
    from laminar.data.local import LocalBlobs
    from laminar.data.serde.contract import Registry
    from laminar.model.action import Ref

    @dataclass
    class Point:
        x: int

    class Color(enum.Enum):
        RED = 1

    class Sub(Point): ...

    if __name__ == "__main__":
        artifacts = Artifacts(LocalBlobs(sys.argv[1]), "Flow", Registry())
        if sys.argv[2] == "write":
            ref = artifacts.write([Point(1), Sub(2), Color.RED, Point])
            print(ref.dtype, ref.hexdigest)
        else:
            point, sub, color, kind = artifacts.read(Ref("builtins.list", sys.argv[2]))
            assert type(point) is Point and point == Point(1), point
            assert type(sub) is Sub and isinstance(sub, Point) and sub.x == 2
            assert color is Color.RED
            assert kind is Point
            print("same classes")
"""


def test_classes_of_the_script_come_back_as_those_of_the_script(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(MAIN))

    def run(argument: str) -> str:
        command = [sys.executable, str(script), str(tmp_path / "root"), argument]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    dtype, hexdigest = run("write").split()
    assert dtype == "builtins.list"
    assert run(hexdigest) == "same classes\n"


def test_classes_of_a_script_can_be_read_where_that_script_is_not(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(MAIN))
    command = [sys.executable, str(script), str(tmp_path / "root"), "write"]
    _, hexdigest = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    artifacts = Artifacts(LocalBlobs(str(tmp_path / "root")), "Flow", Registry())
    point, sub, color, kind = artifacts.read(Ref("builtins.list", hexdigest))
    assert (point.x, sub.x, color.name) == (1, 2, "RED")
    assert type(point) is kind
