"""Attempts are stopped also when the engine fails at that moment, or is another one by then."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from gates import Gate
from yards import ONE, Yard

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from engines import Engine


class Deaf(Gate):
    """A gate that closes the connection instead of killing who speaks."""

    def _kill(self, client: socket.socket) -> None:
        self.killed.set()


class Mute(Gate):
    """A gate that closes the connection whenever it hears its word."""

    def _kill(self, client: socket.socket) -> None:
        pass


@pytest.mark.parametrize(
    ("steps", "words"),
    [("", "no python on its PATH"), ("RUN ln -s python3 /usr/bin/python\n", "its Python has no laminar")],
    ids=["no python", "no laminar"],
)
def test_what_an_image_lacks_is_known_also_where_the_words_of_its_containers_are_lost(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, steps: str, words: str
) -> None:
    image = f"{yard.engine.prefix}-lacks"
    yard.engine.docker("build", "--tag", image, "-", stdin=f"FROM {yard.engine.image}\n{steps}")
    gate = Mute(yard.folder / "gate.sock", yard.engine.address)
    gate.kill_at(r"GET \S+/logs", before=True)  # Podman 4.3 gives an empty line there now and then
    monkeypatch.setenv("DOCKER_HOST", gate.address)
    yard.flow(ONE, layer=f"container=Container(image={image!r})")
    code, said = yard.run()
    assert code == 1
    assert words in said
    gate.close()


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


def test_abort_asks_the_engine_that_the_run_has_used(yard: Yard, engine_named: Callable[[str], Engine]) -> None:
    yard.flow(ONE, body="held('there')")
    yard.hold("there")
    scheduler = yard.begin()
    yard.reached("there")
    yard.kill(scheduler)
    engine_named("podman")  # DOCKER_HOST leads there now
    answer = yard.laminar("abort", "one")
    assert answer.code == 0, answer.err
    assert yard.containers() == []


def test_a_resume_with_another_engine_ends_what_the_first_has_left(
    yard: Yard, engine_named: Callable[[str], Engine]
) -> None:
    yard.flow(ONE, body="held('there')")
    yard.hold("there")
    scheduler = yard.begin()
    yard.reached("there")
    yard.kill(scheduler)
    yard.release("there")
    engine_named("podman")  # DOCKER_HOST leads there now
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert yard.containers() == []
    assert f"removes what this run has left at the container engine {yard.engine.address}" in said
