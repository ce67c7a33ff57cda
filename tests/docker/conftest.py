"""Fixtures for tests of layers in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gates import Gate
from yards import KEPT, Yard

from engines import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def yard(tmp_path: Path, engine_named: Callable[[str], Engine]) -> Iterator[Yard]:
    """A folder whose flow runs on Docker."""
    made = Yard(tmp_path, engine_named("docker"))
    yield made
    made.close()


@pytest.fixture
def podman_yard(tmp_path: Path, engine_named: Callable[[str], Engine]) -> Iterator[Yard]:
    """A folder whose flow runs on Podman."""
    made = Yard(tmp_path, engine_named("podman"))
    yield made
    made.close()


@pytest.fixture(params=[None, KEPT], ids=["cold", "warm"])
def policy(request: pytest.FixtureRequest) -> str | None:
    """By which policy containers are kept: not at all, and some."""
    found: str | None = request.param
    return found


@pytest.fixture
def gate(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate before Docker's socket, for the schedulers of the yard."""
    made = Gate(yard.folder / "gate.sock", yard.engine.address)
    monkeypatch.setenv("DOCKER_HOST", made.address)
    yield made
    made.close()
