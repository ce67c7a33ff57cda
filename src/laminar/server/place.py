"""Where the attempts of one run start: in agents, as far as slots are free."""

from __future__ import annotations

from laminar.executors.contract import Session
from laminar.model.action import Ended, SessionReady
from laminar.model.value import Value
from laminar.server.agents import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import Event, Request
    from laminar.model.ids import AttemptKey
    from laminar.server.agents import Agents, Pool
    from laminar.server.lines import Lines
    from laminar.server.slots import Slots
    from laminar.wire.agents import Start


class Placed(Value, hot=True):
    """What a place must know of an attempt.

    Attributes:
        pool: With what it may share an agent.
        start: Makes the order, given the attempt's name and its token.
    """

    pool: Pool
    start: Callable[[AttemptKey, str], Start]


class Place(Session):
    """The place of one run. Used from the thread of that run, told of ends from any."""

    tells_start = True

    def __init__(
        self, run: tuple[str, str], agents: Agents, lines: Lines, slots: Slots, deliver: Callable[[Event], None]
    ) -> None:
        """Take part in what all runs share.

        Args:
            run: Whose place it is: space and run.
            agents: Run attempts.
            lines: Hear them.
            slots: How many run at a time.
            deliver: Takes events of the run.
        """
        self._run = run
        self._agents = agents
        self._lines = lines
        self._slots = slots
        self._deliver = deliver
        self._idle: set[AttemptKey] = set()
        self._live: set[AttemptKey] = set()
        self.capacity = slots.size

    def reserve(self, busy: int) -> bool:  # noqa: ARG002
        """Take a slot that all runs share."""
        return self._slots.take(self._run, lambda: self._deliver(SessionReady()))

    def release(self) -> None:
        """Give it back."""
        self._slots.give(self._run)

    def start(self, request: Request) -> None:
        """Have an attempt run in an agent."""
        placed: Placed = request.payload
        assert request.door is not None
        self._live.add(request.key)
        attempt = Attempt(request.key, placed.start(request.key, request.door.token), self._take)
        known = self._agents.start(placed.pool, attempt)
        if known is not None and request.key in self._live:
            self._lines.rename(known, request.key)

    def _take(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._live.discard(event.key)
            if event.key in self._idle:
                self._idle.discard(event.key)
            else:
                self._slots.give(self._run)
        self._deliver(event)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Have an attempt stopped."""
        self._agents.stop(key, grace)

    def idle(self, key: AttemptKey, *, idle: bool) -> None:
        """Leave the slot of an attempt that waits for its children to others."""
        if key not in self._live:
            return
        if idle:
            self._idle.add(key)
            self._slots.give(self._run)
        else:
            self._idle.discard(key)
            self._slots.seize(self._run)

    def close(self) -> None:
        """Let go of attempts that live, since another server goes on with them, and of all slots."""
        self._agents.forget(list(self._live))
        self._slots.leave(self._run)
