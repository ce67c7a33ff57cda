"""The lines of attempts: what they ask goes to the engine thread of their run, what it answers waits here for them."""

from __future__ import annotations

import secrets
import threading
from collections import deque

from laminar.engine.contract import Doors
from laminar.engine.task import ROOT
from laminar.errors import StaleAttemptError
from laminar.model.action import Asked, Door
from laminar.model.ids import ActionKey, AttemptKey
from laminar.server.bell import Bell
from laminar.wire.agents import Answers, AnswerView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.model.action import Event
    from laminar.server.signing import Signer
    from laminar.wire.agents import Asking, Attending
    from laminar.wire.messages import Answer

#: Answers in one piece.
MOST = 500
#: Length and letters of the names of children: 10 bytes in base 32.
NAME = 16
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")
#: Seconds that the token of an attempt counts; it is dead with the attempt in any case.
FOREVER = 10 * 365 * 24 * 3600.0


class _Line:
    """What waits for one attempt."""

    def __init__(self, key: AttemptKey, deliver: Callable[[Event], None]) -> None:
        self.key = key
        self.deliver = deliver
        self.id = secrets.token_hex(8)
        self.bell = Bell()
        self._answers: deque[tuple[int, AnswerView]] = deque()
        self._last = 0
        self._lock = threading.Lock()

    def reply(self, answer: Answer) -> None:
        """Take an answer."""
        with self._lock:
            self._last += 1
            self._answers.append((self._last, AnswerView.of(answer)))
        self.bell.ring()

    def answers(self, after: int) -> Answers:
        """Give the answers that the attempt has not heard."""
        with self._lock:
            while self._answers and self._answers[0][0] <= after:
                self._answers.popleft()
            found = [self._answers[place] for place in range(min(MOST, len(self._answers)))]
        last = found[-1][0] if found else after
        return Answers(line=self.id, last=last, answers=[answer for _, answer in found])


class Lines:
    """The lines of all attempts that live on one server."""

    def __init__(self, signer: Signer) -> None:
        """Begin with none.

        Args:
            signer: Makes the tokens of attempts.
        """
        self._signer = signer
        self._lock = threading.Lock()
        self._lines: dict[AttemptKey, _Line] = {}
        #: Names that attempts were given by a server before, and those that they have now.
        self._now: dict[AttemptKey, AttemptKey] = {}

    def open(self, key: AttemptKey, deliver: Callable[[Event], None], flow: str = "") -> str:
        """Let an attempt ask from now on; gives its token.

        Args:
            key: The attempt.
            deliver: Takes what it asks.
            flow: Name of the flow whose records it may write.
        """
        with self._lock:
            self._lines[key] = _Line(key, deliver)
        action = key.action
        claims = {
            "space": action.space,
            "run": action.run,
            "name": action.name,
            "index": action.index,
            "number": key.number,
            "epoch": key.epoch,
            "flow": flow,
        }
        return self._signer.sign("attempt", claims, FOREVER)

    def rename(self, known: AttemptKey, key: AttemptKey) -> None:
        """Hear an attempt that was given its name by a server before."""
        with self._lock:
            self._now[known] = key

    def close(self, key: AttemptKey) -> None:
        """Hear an attempt no more."""
        with self._lock:
            line = self._lines.pop(key, None)
            for known, now in list(self._now.items()) if self._now else ():
                if now == key:
                    del self._now[known]
        if line is not None:
            line.bell.ring()

    def key(self, claims: Mapping[str, Any]) -> AttemptKey | None:
        """Give the name of an attempt that lives; None if it does not."""
        known = AttemptKey(
            ActionKey(claims["space"], claims["run"], claims["name"], claims["index"]),
            claims["number"],
            claims["epoch"],
        )
        with self._lock:
            key = self._now.get(known, known)
            return key if key in self._lines else None

    def ask(self, claims: Mapping[str, Any], asking: Asking) -> str:
        """Hand on what an attempt asks; gives the line of the answers.

        Raises:
            StaleAttemptError: It does not live.
            ValueError: A name is none of a child.
        """
        line = self._line(claims)
        for message in asking.each():
            if not _is_name(message.id):
                raise ValueError(f"{message.id!r} is no name of a call")
            line.deliver(Asked(line.key, message, line.reply))
        return line.id

    def line(self, claims: Mapping[str, Any]) -> tuple[Bell, Callable[[Attending], Answers]]:
        """Give what rings when there is an answer for an attempt, and what gives the answers.

        Raises:
            StaleAttemptError: It does not live.
        """
        line = self._line(claims)

        def answers(attending: Attending) -> Answers:
            return line.answers(attending.after if attending.line in ("", line.id) else 0)

        return line.bell, answers

    def _line(self, claims: Mapping[str, Any]) -> _Line:
        key = self.key(claims)
        line = None if key is None else self._lines.get(key)
        if line is None:
            raise StaleAttemptError("This attempt has ended, or another server drives its run.")
        return line


class Desk(Doors):
    """Where the attempts of one run ask, as the engine knows it."""

    def __init__(self, lines: Lines, deliver: Callable[[Event], None], flow: str) -> None:
        """Take what attempts need.

        Args:
            lines: The lines of the server.
            deliver: Takes the events of the run.
            flow: Name of the flow whose records the first action writes; empty if it is a task.
        """
        self._lines = lines
        self._deliver = deliver
        self._flow = flow

    def admit(self, key: AttemptKey) -> Door:
        """Let an attempt ask from now on."""
        flow = self._flow if key.action.name == ROOT else ""
        return Door("", self._lines.open(key, self._deliver, flow))

    def dismiss(self, key: AttemptKey) -> None:
        """Answer an attempt no more."""
        self._lines.close(key)


def _is_name(text: str) -> bool:
    """Tell whether a text may name a child, as :meth:`laminar.worker.calling.Caller.name` makes names."""
    return len(text) == NAME and LETTERS.issuperset(text)
