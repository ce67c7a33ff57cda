"""Where the attempts of one run start: in agents, as far as slots are free, each queue's actions in a place of it."""

from __future__ import annotations

import threading

from laminar.executors.contract import Session
from laminar.ledger.queues import PROJECT
from laminar.model.action import Ended, SessionReady
from laminar.model.value import Value
from laminar.server.pools import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import Event, Request
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.server.agents import Agents
    from laminar.server.lines import Lines
    from laminar.server.pools import Pool
    from laminar.server.queues import Queues
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


class Shared(Value):
    """What the places of all runs share.

    Attributes:
        agents: Run attempts.
        lines: Hear them.
        slots: How many run at a time on this server.
        queues: How many run at a time of a queue or a space, on all servers.
    """

    agents: Agents
    lines: Lines
    slots: Slots
    queues: Queues


class Places(dict[str, "Place"]):
    """The places of one run, by the queue whose actions start there; made when one is first asked for."""

    def __init__(self, run: tuple[str, str], shared: Shared, deliver: Callable[[Event], None]) -> None:
        """Begin with none.

        Args:
            run: Whose places they are: space and run.
            shared: What all runs share.
            deliver: Takes events of the run.
        """
        super().__init__()
        self._parts = (run, shared, deliver)

    def __missing__(self, queue: str) -> Place:
        """Make the place of a queue."""
        place = self[queue] = Place(queue, *self._parts)
        return place

    def close(self, *, ended: bool) -> None:
        """Let go of all.

        Args:
            ended: Whether the run has ended, so that nobody will ask for what agents still run.
        """
        run, shared, _ = self._parts
        for place in self.values():
            place.close()
        shared.slots.leave(run)  # now that no end is told any more, which would give one back
        shared.queues.leave(*run)
        if ended:
            shared.agents.abandon(*run)


class Place(Session):
    """The place of the actions of one run that wait in one queue. Used from the thread of that run, told of ends from
    any.
    """

    tells_start = True

    def __init__(self, queue: str, run: tuple[str, str], shared: Shared, deliver: Callable[[Event], None]) -> None:
        """Take part in what all runs share.

        Args:
            queue: Name of the queue; empty for none.
            run: Whose place it is: space and run.
            shared: What all runs share.
            deliver: Takes events of the run.
        """
        self._queue = queue
        self._run = run
        self._agents = shared.agents
        self._lines = shared.lines
        self._slots = shared.slots
        self._queues = shared.queues
        self._deliver = deliver
        self._idle: set[AttemptKey] = set()
        self._live: set[AttemptKey] = set()
        #: Held while it is decided whose a slot is: an attempt may end while its run thinks that it waits.
        self._lock = threading.Lock()
        self.capacity = shared.slots.size

    def reserve(self, busy: int, action: ActionKey) -> bool:  # noqa: ARG002
        """Take a slot of this server, and those of its queue and its space."""
        if self._queues.full(self._run[0], self._queue) or not self._slots.take(self._run, self._wake):
            return False
        taken = False
        try:
            taken = self._queues.take(action, self._queue, self._wake)
        finally:
            if not taken:
                self._slots.give(self._run)
        return taken

    def _wake(self) -> None:
        self._deliver(SessionReady())

    def release(self, action: ActionKey) -> None:
        """Give them back."""
        self._slots.give(self._run)
        self._queues.give(action)

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
            with self._lock:
                had_slot = event.key in self._live and event.key not in self._idle
                self._live.discard(event.key)
                self._idle.discard(event.key)
            self._queues.give(event.key.action)
            if had_slot:
                self._slots.give(self._run)
        self._deliver(event)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Have an attempt stopped."""
        self._agents.stop(key, grace)

    def idle(self, key: AttemptKey, *, idle: bool) -> None:
        """Leave the slot of an attempt that waits for its children to others; that of its queue stays its own."""
        with self._lock:
            if key not in self._live or idle is (key in self._idle):
                return
            if idle:
                self._idle.add(key)
            else:
                self._idle.discard(key)
                self._slots.seize(self._run)
        self._agents.rest(key, rests=idle)
        if idle:
            self._slots.give(self._run)
            self._queues.give(key.action, PROJECT)

    def close(self) -> None:
        """Let go of attempts that live, for whoever drives the run next."""
        live = list(self._live)
        self._agents.leave(live)
        for key in live:
            self._lines.close(key)
