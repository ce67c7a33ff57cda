"""The way from an attempt in another process to the engine."""

from __future__ import annotations

import threading
import time

from laminar.data.serde.failures import describe
from laminar.errors import ExecutionError
from laminar.host import sockets
from laminar.wire import frames
from laminar.wire.messages import Answer, Dismiss

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from laminar.model.action import Door
    from laminar.model.ids import AttemptKey
    from laminar.wire.messages import Message

#: Seconds that it is tried to reach the engine again: another scheduler may go on with the run.
PATIENCE = 60.0
GLANCE = 0.2


class Line:
    """A connection to the engine, made when something is first asked. What a break left unanswered is asked again."""

    def __init__(self, door: Door) -> None:
        """Remember where the engine is."""
        self._door = door
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._asked: dict[str, tuple[Message, list[Callable[[Answer], None]]]] = {}

    def ask(self, _: AttemptKey, message: Message, reply: Callable[[Answer], None]) -> None:
        """Send a message; the answer is given in another thread."""
        with self._lock:
            if isinstance(message, Dismiss):
                self._asked.pop(message.id, None)
            else:
                self._asked.setdefault(message.id, (message, []))[1].append(reply)
            if self._connection is None:
                self._connection = self._connect()
                threading.Thread(target=self._listen, daemon=True, name="laminar-line").start()
            self._send(message)

    def _connect(self) -> socket.socket:
        connection = sockets.connect(self._door.path)
        frames.send(connection, frames.Hello(self._door.token))
        return connection

    def _send(self, message: Message) -> None:
        assert self._connection is not None
        try:
            frames.send(self._connection, message)
        except OSError:
            return  # the listening thread notices too, and asks again

    def _listen(self) -> None:
        while True:
            connection = self._connection
            assert connection is not None
            heard = False
            while (answer := frames.receive(connection)) is not None:
                heard = True
                self._take(answer)
            connection.close()
            if not heard:
                time.sleep(GLANCE)  # who hangs up at once, as this attempt has ended for it, is not to be besieged
            if not self._again():
                return

    def _take(self, answer: Answer) -> None:
        with self._lock:
            _, replies = self._asked.pop(answer.id, (None, []))
        for reply in replies:
            reply(answer)

    def _again(self) -> bool:
        """Reach the engine again, and ask what it has not answered."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                connection = self._connect()
            except OSError:
                time.sleep(GLANCE)
                continue
            with self._lock:
                self._connection = connection
                for message, _ in self._asked.values():
                    self._send(message)
            return True
        self._give_up()
        return False

    def _give_up(self) -> None:
        failure = describe(ExecutionError("The scheduler of this run is gone, so calls end nowhere. Resume the run."))
        with self._lock:
            asked, self._asked = self._asked, {}
        for id_, (_, replies) in asked.items():
            for reply in replies:
                reply(Answer(id_, None, failure, "the call"))
