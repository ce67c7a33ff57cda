"""The server's log says each mistake, and the same one not each second."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from laminar.server import logs
from laminar.server.logs import Repeats


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, own = logging.getLogger(), logs.log.level
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.write_to(stream, "json")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logs.log.setLevel(own)


def test_a_mistake_that_is_made_again_is_logged_once(stream: io.StringIO) -> None:
    for run in ("a", "b"):
        for _ in range(3):
            logs.mistake("a run is left", OSError(28, "full"), run=run)
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["message"], line["run"]) for line in said] == [("a run is left", "a"), ("a run is left", "b")]
    assert "OSError" in said[0]["traceback"]


def test_after_a_minute_it_is_logged_again_with_how_often_it_was_made() -> None:
    now = 100.0
    repeats = Repeats(lambda: now)
    assert [repeats.count("full") for _ in range(4)] == [0, None, None, None]
    now += logs.QUIET
    assert repeats.count("full") == 3
    now += logs.QUIET
    assert repeats.count("full") == 0
