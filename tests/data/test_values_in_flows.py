"""What layers assign, shard, read and cannot save, and what happens when a blob is lost."""

from __future__ import annotations

import ctypes
import gzip
import os
import pickle
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from laminar import Accessor, Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter, Retry
from laminar.errors import FlowError, StorageError, UnpicklableArtifactError


def in_memory(kind: type[Flow]) -> Flow:
    return kind(datastore=datastores.Memory(), executor=executors.Thread())


def test_an_unpicklable_artifact_names_layer_artifact_and_part() -> None:
    class SocketFlow(Flow): ...

    @SocketFlow.register
    class Connect(Layer):
        def __call__(self) -> None:
            self.fine = "kept"
            self.settings = {"retries": 3, "peers": [None, socket.socket()]}

    flow = in_memory(SocketFlow)
    with pytest.raises(UnpicklableArtifactError) as raised:
        flow()
    message = str(raised.value)
    assert "Layer Connect cannot save its artifact 'settings': its part \"['peers'][1]\" is a socket.socket" in message
    assert "@datastore.protocol" in message


def test_an_unpicklable_item_names_its_place_in_the_shard() -> None:
    class ShardFlow(Flow): ...

    @ShardFlow.register
    class Make(Layer):
        def __call__(self) -> None:
            self.shard(items=[1, 2, (number for number in ())])

    with pytest.raises(UnpicklableArtifactError, match=r"Layer Make cannot save its artifact 'items\[2\]'"):
        in_memory(ShardFlow)()


def test_an_unpicklable_parameter_names_itself() -> None:
    class ParameterFlow(Flow): ...

    @ParameterFlow.register
    class Never(Layer):
        def __call__(self) -> None:
            pytest.fail("a layer ran before the parameters were stored")

    with pytest.raises(UnpicklableArtifactError, match=r"Layer Parameters cannot save its artifact 'handle'"):
        in_memory(ParameterFlow)(handle=ctypes.c_void_p(1))


class NumbersFlow(Flow): ...


@NumbersFlow.register
class Make(Layer):
    def __call__(self) -> None:
        self.shard(items=(number * 10 for number in range(5)), empty=[])
        self.plain = [1, 2]


@NumbersFlow.register(foreach=ForEach(parameters=[Parameter(layer=Make, attribute="items")]))
class Half(Layer):
    def __call__(self, make: Make) -> None:
        if make.items < 30:
            self.half = make.items / 2


@pytest.fixture(scope="module")
def numbers() -> Accessor[int]:
    found = in_memory(NumbersFlow)().layer(Make).items
    assert isinstance(found, Accessor)
    return found


def test_an_accessor_has_a_length_indexes_and_an_order(numbers: Accessor[int]) -> None:
    assert len(numbers) == 5
    assert list(numbers) == [0, 10, 20, 30, 40]
    assert (numbers[0], numbers[4], numbers[-1], numbers[-5]) == (0, 40, 40, 0)
    assert 20 in numbers
    assert numbers.index(30) == 3
    assert list(reversed(numbers)) == [40, 30, 20, 10, 0]


@pytest.mark.parametrize("key", [slice(None), slice(1, 3), slice(None, None, -1), slice(3, 99), slice(-2, None)])
def test_a_slice_of_an_accessor_is_a_list_as_a_list_would_give(numbers: Accessor[int], key: slice) -> None:
    assert numbers[key] == [0, 10, 20, 30, 40][key]


@pytest.mark.parametrize("index", [5, -6, 1000])
def test_past_its_end_an_accessor_raises_an_index_error(numbers: Accessor[int], index: int) -> None:
    with pytest.raises(IndexError, match=rf"Make.items has 5 elements; there is none at {index}"):
        numbers[index]


def test_an_index_that_is_no_number_is_refused(numbers: Accessor[int]) -> None:
    with pytest.raises(TypeError):
        numbers["first"]  # type: ignore[call-overload]


def test_an_accessor_over_nothing_is_empty() -> None:
    execution = in_memory(NumbersFlow)()
    empty = execution.layer(Make).empty
    assert (len(empty), list(empty), empty[:]) == (0, [], [])
    with pytest.raises(IndexError):
        empty[0]


def test_an_element_that_its_split_has_not_assigned_says_so() -> None:
    halves = in_memory(NumbersFlow)().layer(Half).half
    assert len(halves) == 5
    assert halves.available == [0, 1, 2]
    assert halves[:3] == [0, 5, 10]
    with pytest.raises(AttributeError, match=r"Half.half: split 3 has not assigned it"):
        halves[3]


def test_elements_are_loaded_when_they_are_asked_for(tmp_path: Path) -> None:
    execution = NumbersFlow(datastore=datastores.Local(root=str(tmp_path)), executor=executors.Thread())()
    items = execution.layer(Make).items
    blob = tmp_path / "NumbersFlow" / "artifacts" / f"{items.refs[2].hexdigest}.gz"
    blob.unlink()
    assert items[:2] == [0, 10]
    assert items[3] == 30
    with pytest.raises(AttributeError, match=r"blob .* is missing. Resume the run"):
        items[2]


class MendFlow(Flow): ...


class Counted(Layer):
    folder = ""

    def count(self) -> None:
        with open(os.path.join(os.environ["COUNTS"], self.name), "a") as file:
            file.write(f"{self.index}\n")


@MendFlow.register
class First(Counted):
    def __call__(self) -> None:
        self.count()
        self.value = "first"
        self.shard(items=[1, 2, 3])


@MendFlow.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="items")]))
class Each(Counted):
    def __call__(self, first: First) -> None:
        self.count()
        self.value = first.items * 7


@MendFlow.register(retry=Retry(attempts=1))
class Last(Counted):
    def __call__(self, first: First, each: Each) -> None:
        self.count()
        self.value = [first.value, *each.value]


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "counts"
    folder.mkdir()
    monkeypatch.setenv("COUNTS", str(folder))
    return folder


def ran(counts: Path) -> dict[str, list[str]]:
    found = {path.name: sorted(path.read_text().split()) for path in counts.iterdir()}
    for path in counts.iterdir():
        path.unlink()
    return found


def blob_of(root: Path, layer: str, index: int) -> Path:
    import json

    archive = next((root / "MendFlow" / "archives").iterdir()) / layer / str(index) / "value.json"
    hexdigest = json.loads(archive.read_text())["artifacts"][0]["hexdigest"]
    return root / "MendFlow" / "artifacts" / f"{hexdigest}.gz"


def test_a_resume_makes_again_what_is_missing_and_nothing_else(tmp_path: Path, counts: Path) -> None:
    flow = MendFlow(datastore=datastores.Local(root=str(tmp_path / "root")), executor=executors.Thread())
    execution = flow()
    assert ran(counts) == {"First": ["0"], "Each": ["0", "1", "2"], "Last": ["0"]}
    blob_of(tmp_path / "root", "Each", 1).unlink()
    execution = flow.execution(execution.known_id).resume()
    assert ran(counts) == {"Each": ["1"]}
    assert execution.layer(Last).value == ["first", 7, 14, 21]
    assert list(execution.layer(Each).value) == [7, 14, 21]


@pytest.mark.parametrize(
    "data", [b"", b"garbage", gzip.compress(pickle.dumps("forged"))], ids=["empty", "garbage", "another value"]
)
def test_a_damaged_blob_is_found_by_its_reader_and_made_again_by_a_resume(
    tmp_path: Path, counts: Path, data: bytes
) -> None:
    flow = MendFlow(datastore=datastores.Local(root=str(tmp_path / "root")), executor=executors.Thread())
    execution = flow()
    ran(counts)
    blob = blob_of(tmp_path / "root", "Each", 2)
    blob.write_bytes(data)
    with pytest.raises(AttributeError, match=r"is damaged .* it was removed. Resume the run"):
        list(execution.layer(Each).value)
    assert not blob.exists()
    assert list(flow.execution(execution.known_id).resume().layer(Each).value) == [7, 14, 21]
    assert ran(counts) == {"Each": ["2"]}


@pytest.fixture
def read_only(tmp_path: Path, needs: Callable[[object, str], None]) -> Iterator[Path]:
    """A folder that even root cannot write."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", str(folder)], check=False)
    needs(mounted.returncode == 0, "the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("executor", [executors.Thread, executors.Process])
def test_a_root_that_cannot_be_written_is_an_error_before_anything_runs(
    tmp_path: Path, counts: Path, read_only: Path, executor: type[executors.Executor]
) -> None:
    root = read_only / "root"
    flow = MendFlow(datastore=datastores.Local(root=str(root)), executor=executor())
    reason = "Read-only file system" if os.geteuid() == 0 else "Permission denied"
    with pytest.raises(StorageError, match=rf"The datastore at {root} cannot be written: {reason}. Choose another"):
        flow()
    assert ran(counts) == {}


def test_memory_and_an_executor_that_leaves_the_process_are_refused_at_once() -> None:
    with pytest.raises(FlowError, match=r"Memory\(\) cannot be seen from other processes.*executors.Thread\(\)"):
        MendFlow(datastore=datastores.Memory(), executor=executors.Process())
