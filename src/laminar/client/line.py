"""The way from an attempt to the engine of a server: messages by one request, answers by another that waits for them.

What the server has not answered when it is lost, or when another goes on with the run, is asked again.
"""

from __future__ import annotations

import functools
import threading
from functools import partial

from laminar.client.http import Client
from laminar.client.patience import patiently
from laminar.errors import ServerError
from laminar.wire.agents import Answers, Asking, Attending, Taken
from laminar.wire.messages import Dismiss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.ids import AttemptKey
    from laminar.wire.messages import Answer, Message

#: Seconds for which it is tried to be heard: another server may go on with the run.
PATIENCE = 60.0
#: Seconds that the server may take to answer a request that waits for answers.
SILENCE = 40.0
#: Messages in one request.
MOST = 500


class Line:
    """A way to a server, made when something is first asked."""

    def __init__(self, endpoint: str, token: str, lost: Callable[[], Answer]) -> None:
        """Remember where the server is.

        Args:
            endpoint: Its address.
            token: What shows which attempt this is.
            lost: Makes the answer to what can be asked nowhere; its id is replaced.
        """
        self._endpoint = endpoint
        self._token = token
        self._lost = lost
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[Message, list[Callable[[Answer], None]]]] = {}
        self._unsent: list[Message] = []
        self._some = threading.Event()
        self._begun = self._over = False
        #: The line that is known, and the number of its last answer.
        self._line, self._after = "", 0

    @functools.cached_property
    def _client(self) -> Client:
        """What asks; most attempts never do."""
        return Client(self._endpoint, self._token, patience=PATIENCE, at_first=PATIENCE)

    def ask(self, _: AttemptKey, message: Message, reply: Callable[[Answer], None]) -> None:
        """Send a message; the answer is given in another thread."""
        with self._lock:
            if isinstance(message, Dismiss):
                self._asked.pop(message.id, None)
            else:
                self._asked.setdefault(message.id, (message, []))[1].append(reply)
            self._unsent.append(message)
            begun, self._begun = self._begun, True
        if self._over:
            self._give_up()
            return
        self._some.set()
        if not begun:
            for work in (self._send, self._listen):
                threading.Thread(target=self._until_lost, args=(work,), daemon=True, name="laminar-line").start()

    def _until_lost(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ServerError:
            self._give_up()

    def _send(self) -> None:
        while True:
            self._some.wait()
            with self._lock:
                messages, self._unsent = self._unsent[:MOST], self._unsent[MOST:]
                if not self._unsent:
                    self._some.clear()
            if messages:
                self._tell(messages)

    def _tell(self, messages: list[Message]) -> None:
        body = Asking.of(messages)
        taken = patiently(lambda: self._client.call("POST", "/attempt/messages", body=body, returns=Taken, again=True))
        self._meet(taken.line)

    def _listen(self) -> None:
        while True:
            with self._lock:
                attending = Attending(line=self._line, after=self._after, waits=len(self._asked))
            found = patiently(partial(self._attend, attending))
            self._meet(found.line)
            for view in found.answers:
                self._take(view.answer())
            with self._lock:
                if found.line == self._line:
                    self._after = found.last

    def _attend(self, body: Attending) -> Answers:
        path = "/attempt/answers"
        found: Answers = self._client.call("POST", path, body=body, returns=Answers, again=True, timeout=SILENCE)
        return found

    def _meet(self, line: str) -> None:
        """See whose line it is: a server that is not the one before is asked what that one has not answered."""
        with self._lock:
            before, self._line = self._line, line
            if before in ("", line):
                return
            self._after = 0
            self._unsent = [message for message, _ in self._asked.values()]
        self._some.set()

    def _take(self, answer: Answer) -> None:
        with self._lock:
            _, replies = self._asked.pop(answer.id, (None, []))
        for reply in replies:
            reply(answer)

    def _give_up(self) -> None:
        with self._lock:
            self._over = True
            asked, self._asked = self._asked, {}
        for id_, (_, replies) in asked.items():
            for reply in replies:
                reply(self._lost().replace(id=id_))
