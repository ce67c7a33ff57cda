"""The line of an attempt: what one server has taken and never answered is asked of the next."""

from __future__ import annotations

import queue
import threading

import msgspec
import peers

from laminar.client.line import Line
from laminar.model.ids import ActionKey, AttemptKey
from laminar.wire.agents import Answers, AnswerView, Asking, Attending, Taken
from laminar.wire.messages import Answer, Recall

KEY = AttemptKey(ActionKey("default/development", "run", "a0", 0), 1, 1)


def lost() -> Answer:
    return Answer("", None, None, "nowhere")


def test_what_a_server_took_that_was_lost_before_its_line_was_known_is_asked_of_the_next() -> None:
    taken, again = threading.Event(), threading.Event()
    asked: list[list[str]] = []

    def answer(request: bytes) -> bytes:
        """Be the first server, which takes the question and is lost; then the second, which answers it."""
        head, _, body = request.partition(b"\r\n\r\n")
        if b"/attempt/messages" in head:
            asked.append([message.id for message in msgspec.json.decode(body, type=Asking).messages])
            (again if taken.is_set() else taken).set()
            return reply(Taken(line="first" if len(asked) == 1 else "second"))
        assert taken.wait(20)
        attending = msgspec.json.decode(body, type=Attending)
        if attending.after:
            return peers.answer(401)  # it has its answer: else it would ask on and on
        if attending.line != "second":
            return reply(Answers(line="second", last=0, answers=[]))
        assert again.wait(20)
        return reply(Answers(line="second", last=1, answers=[AnswerView(id="x" * 16)]))

    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    with peers.peer(answer) as peer:
        Line(peer.url, "lam_0123_secret", lost).ask(KEY, Recall("x" * 16), answers.put)
        assert answers.get(timeout=20).where == ""
    assert len(asked) in (2, 3)  # once more, where the line of the first server is heard of after that of the second
    assert all(one == ["x" * 16] for one in asked)


def reply(what: msgspec.Struct) -> bytes:
    return peers.answer(body=msgspec.json.encode(what))
