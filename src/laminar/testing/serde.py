"""What every :class:`laminar.data.serde.contract.Protocol` must do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from laminar.data.artifacts import Artifacts
from laminar.data.memory import MemoryBlobs
from laminar.data.serde.contract import Registry

if TYPE_CHECKING:
    from typing import Any

    from laminar.data.serde.contract import Protocol


class ProtocolConformance:
    """Subclass it and give the fixtures ``protocol``, an object of the protocol's class, and ``values``."""

    @pytest.fixture
    def protocol(self) -> Protocol:
        """Give the protocol."""
        raise NotImplementedError("Give the fixture 'protocol'.")

    @pytest.fixture
    def values(self) -> list[Any]:
        """Give some values that it serves, all of one type; no two of them alike."""
        raise NotImplementedError("Give the fixture 'values'.")

    def same(self, left: Any, right: Any) -> bool:
        """Tell whether two values are alike; override it for types whose ``==`` gives no truth value."""
        return bool(left == right)

    def test_a_value_comes_back_from_a_file(self, protocol: Protocol, values: list[Any], tmp_path: Path) -> None:
        """What is written to a path is read from it."""
        for number, value in enumerate(values):
            uri = str(tmp_path / str(number))
            protocol.write(value, uri)
            back = protocol.read(uri)
            assert type(back) is type(value)
            assert self.same(back, value)

    def test_a_value_comes_back_from_a_stream(self, protocol: Protocol, values: list[Any]) -> None:
        """What is dumped to a stream is loaded from it, unless the protocol works on files only."""
        if protocol.wants_files():
            pytest.skip("this protocol works on files only")
        for value in values:
            stream = io.BytesIO()
            protocol.dump(value, stream)
            stream.seek(0)
            assert self.same(protocol.load(stream), value)

    def test_a_value_gives_the_same_bytes_each_time(
        self, protocol: Protocol, values: list[Any], tmp_path: Path
    ) -> None:
        """Artifacts are named by the hash of their bytes, so equal values must have equal bytes, others not."""
        seen = set()
        for number, value in enumerate(values):
            written = []
            for turn in "ab":
                path = tmp_path / f"{number}{turn}"
                protocol.write(value, str(path))
                written.append(path.read_bytes())
            assert written[0] == written[1]
            seen.add(written[0])
        assert len(seen) == len(values)

    def test_a_value_comes_back_as_an_artifact(self, protocol: Protocol, values: list[Any]) -> None:
        """What a layer would assign is what a layer downstream would read."""
        registry = Registry()
        registry.protocol(type(values[0]))(type(protocol))
        artifacts = Artifacts(MemoryBlobs(), "Flow", registry)
        for value in values:
            assert self.same(artifacts.read(artifacts.write(value)), value)
