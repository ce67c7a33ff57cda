"""Attempts are stopped also when the engine fails at that moment."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from gates import Gate
from yards import ONE, Yard

if TYPE_CHECKING:
    import socket

    import pytest


class Deaf(Gate):
    """A gate that closes the connection instead of killing who speaks."""

    def _kill(self, client: socket.socket) -> None:
        self.killed.set()


def test_a_kill_that_the_engine_did_not_hear_is_sent_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Deaf(yard.folder / "gate.sock", yard.engine.address)
    gate.kill_at("kill.signal=SIGKILL", before=True)
    monkeypatch.setenv("DOCKER_HOST", gate.address)
    yard.flow(ONE, body="deaf(); held('there')", GRACE="0.1")
    yard.hold("there")
    scheduler = yard.begin()
    yard.reached("there")
    scheduler.send_signal(signal.SIGINT)
    _, said = yard.end(scheduler)
    assert gate.killed.is_set()
    assert yard.outcomes("Only") == ["cancelled"], said
    yard.settled()
    gate.close()
