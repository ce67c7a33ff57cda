"""What the experiments share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers import Served
from trials import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """Make trials of a program; whatever they leave is ended with the test."""
    made: list[Trial] = []

    def make(program: str, **options: Any) -> Trial:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Trial(program, folder, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start servers that share a store and a journal; whatever they leave is ended with the test."""
    made: list[Served] = []

    def start(**options: Any) -> Served:
        made.append(Served(tmp_path, **options))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.end()
