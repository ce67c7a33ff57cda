"""Protocols for types that pickle should not serve: by bytes, by stream, by file."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import BinaryIO

import pytest

from laminar import Flow, Layer
from laminar.configurations import datastores, executors, serde
from laminar.data.serde.contract import Protocol
from laminar.errors import UnpicklableArtifactError
from laminar.testing.serde import ProtocolConformance


class Reading:
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and other.numbers == self.numbers

    def __reduce__(self) -> str:
        raise AssertionError("it was pickled, though its type has a protocol")


class Later(Reading): ...


class ByBytes(serde.Protocol):
    def dumps(self, value: Reading) -> bytes:
        return json.dumps(value.numbers).encode()

    def loads(self, stream: bytes) -> Reading:
        return Reading(json.loads(stream))


class ByStream(serde.Protocol):
    def dump(self, value: Reading, file: BinaryIO) -> None:
        for number in value.numbers:
            file.write(number.to_bytes(8, "big"))

    def load(self, file: BinaryIO) -> Reading:
        numbers = []
        while part := file.read(8):
            numbers.append(int.from_bytes(part, "big"))
        return Reading(numbers)


class ByFile(serde.Protocol):
    def write(self, value: Reading, uri: str) -> None:
        Path(uri).write_text(json.dumps(value.numbers))

    def read(self, uri: str) -> Reading:
        return Reading(json.loads(Path(uri).read_text()))


PROTOCOLS = [ByBytes, ByStream, ByFile]


class TestProtocols(ProtocolConformance):
    @pytest.fixture(params=PROTOCOLS, ids=lambda kind: kind.__name__)
    def protocol(self, request: pytest.FixtureRequest) -> Protocol:
        return request.param()

    @pytest.fixture
    def values(self) -> list[Reading]:
        return [Reading([]), Reading([1]), Reading([1, 2, 3]), Reading(list(range(400_000)))]


@pytest.mark.parametrize("kind", PROTOCOLS, ids=lambda kind: kind.__name__)
def test_a_flow_uses_the_protocol_of_the_datastore_for_exactly_that_type(kind: type[Protocol]) -> None:
    class ReadingFlow(Flow): ...

    @ReadingFlow.register
    class Measure(Layer):
        def __call__(self) -> None:
            self.one = Reading([1, 2, 3])
            self.shard(many=[Reading([4]), Reading([5])])

    @ReadingFlow.register
    class Sum(Layer):
        def __call__(self, measure: Measure) -> None:
            self.total = sum(measure.one.numbers) + sum(reading.numbers[0] for reading in measure.many)

    datastore = datastores.Memory()
    datastore.protocol(Reading)(kind)
    execution = ReadingFlow(datastore=datastore, executor=executors.Thread())()
    assert execution.layer(Sum).total == 15
    assert execution.layer(Measure).one == Reading([1, 2, 3])


def test_a_subclass_is_not_served_by_the_protocol_of_its_base() -> None:
    class LaterFlow(Flow): ...

    @LaterFlow.register
    class Measure(Layer):
        def __call__(self) -> None:
            self.one = Later([1])

    datastore = datastores.Memory()
    datastore.protocol(Reading)(ByBytes)
    assert datastore.find_protocol(f"{__name__}.Later") is None
    with pytest.raises(UnpicklableArtifactError, match="it was pickled"):
        LaterFlow(datastore=datastore, executor=executors.Thread())()


def test_one_protocol_may_serve_several_types() -> None:
    datastore = datastores.Memory()
    datastore.protocol(Reading, Later)(ByBytes)
    assert isinstance(datastore.find_protocol(f"{__name__}.Reading"), ByBytes)
    assert isinstance(datastore.find_protocol(f"{__name__}.Later"), ByBytes)


@pytest.mark.parametrize("method", ["dumps", "loads"])
def test_a_protocol_without_methods_says_which_are_missing(method: str) -> None:
    class Nothing(serde.Protocol): ...

    with pytest.raises(NotImplementedError, match="Nothing defines none of"):
        getattr(Nothing(), method)(b"")


def test_an_error_of_a_protocol_reaches_the_caller_as_itself() -> None:
    class Refusing(serde.Protocol):
        def dumps(self, value: Reading) -> bytes:
            raise LookupError("no such encoding")

    class RefusedFlow(Flow): ...

    @RefusedFlow.register
    class Measure(Layer):
        def __call__(self) -> None:
            self.one = Reading([1])

    datastore = datastores.Memory()
    datastore.protocol(Reading)(Refusing)
    with pytest.raises(LookupError, match="no such encoding") as raised:
        RefusedFlow(datastore=datastore, executor=executors.Thread())()
    assert any("artifact 'one' of layer Measure" in note for note in raised.value.__notes__)


SCRIPT = """
    import sys
    from laminar import Flow, Layer
    from laminar.configurations import datastores, executors, serde

    class Reading:
        def __init__(self, number):
            self.number = number

        def __reduce__(self):
            raise AssertionError("it was pickled")

    datastore = datastores.Local(root=sys.argv[1])

    @datastore.protocol(Reading)
    class ByBytes(serde.Protocol):
        def dumps(self, value):
            return str(value.number).encode()

        def loads(self, stream):
            return Reading(int(stream))

    class ScriptFlow(Flow): ...

    @ScriptFlow.register
    class Measure(Layer):
        def __call__(self):
            self.one = Reading(42)

    @ScriptFlow.register
    class Show(Layer):
        def __call__(self, measure: Measure):
            assert type(measure.one) is Reading
            self.number = measure.one.number

    if flow := ScriptFlow(datastore=datastore, executor=executors.Process(method=sys.argv[2])):
        print(flow().layer(Show).number)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_protocol_of_the_script_serves_its_processes(tmp_path: Path, method: str) -> None:
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(script), str(tmp_path / "root"), method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
