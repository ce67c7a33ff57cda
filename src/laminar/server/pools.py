"""Agents as a server knows them: each belongs to a pool, attempts that may share a place.

An agent is told what to do by numbered orders that stay until it has them.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque

from laminar.model.action import Ended
from laminar.model.states import Outcome
from laminar.model.value import Value
from laminar.server.bell import Bell
from laminar.wire.agents import Leave, Orders, Start, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from laminar.errors import LaminarError
    from laminar.model.action import Event
    from laminar.model.ids import AttemptKey
    from laminar.wire.agents import Ready

    #: Is told how an agent has ended, from any thread.
    Told: TypeAlias = Callable[["Gone"], None]


class Gone(Value):
    """How an agent has ended.

    Attributes:
        why: In words.
        error: What would also keep the next one from coming up; None if there is nothing of that kind.
        memory: Whether the kernel has killed it for memory.
    """

    why: str
    error: LaminarError | None = None
    memory: bool = False


class Handle(ABC):
    """An agent that was started."""

    #: Whether it has what it needs, such as its image, so that it should come up soon.
    ready: bool = True

    @abstractmethod
    def stop(self) -> None:
        """End it at once, with all that it has started."""

    @abstractmethod
    def leaves(self) -> None:
        """Hear that it is about to end by itself."""


class Pool(Value, frozen=True):
    """What attempts have in common that may share an agent.

    Attributes:
        space: Project and domain.
        bundle: MD5 of the code, in hexadecimal; empty if it is in the image.
        image: The image of the container; empty where there is none.
        place: What else tells places apart: resources, as JSON.
        imports: Modules to load where no code travels.
        agents: How many agents it has at most.
        each: How many attempts run in one of them at a time; 0 for no limit.
        idle: Seconds without attempts after which an agent leaves; 0 for agents of one attempt.
        single: Name of the one attempt that it is for; empty for any number.
        workdir: Folder of the container that is for the code; empty where there is no container.
        in_image: Whether the image has the code there.
        command: What starts the user's code; empty for laminar's own.
        env: Environment variables of the container, as JSON; empty for none.
        fewest: How many agents it has from the beginning of a run that may need them.
    """

    space: str
    bundle: str
    image: str = ""
    place: str = ""
    imports: tuple[str, ...] = ()
    agents: int = 1
    each: int = 0
    idle: float = 60.0
    single: str = ""
    workdir: str = ""
    in_image: bool = False
    command: str = ""
    env: str = ""
    fewest: int = 0

    def __hash__(self) -> int:
        """Hash by what differs most."""
        return hash((self.space, self.bundle, self.image, self.place, self.single))

    def like(self, other: Pool) -> bool:
        """Tell whether it has the same code in the same image; an attempt may have been given more memory since."""
        return (self.space, self.bundle, self.image) == (other.space, other.bundle, other.image)


class Attempt:
    """An attempt that an agent runs, or is to run.

    Attributes:
        key: Its name.
        start: The order to start it.
        deliver: Is told what happens to it.
        agent: Who runs it; None while it waits for one.
        stop: The grace with which it is to be stopped; None if it is not.
        rests: Whether it only waits for its children, and others may have its room.
    """

    __slots__ = ("agent", "deliver", "key", "rests", "start", "stop")

    def __init__(self, key: AttemptKey, start: Start, deliver: Callable[[Event], None]) -> None:
        """Begin without an agent."""
        self.key = key
        self.start = start
        self.deliver = deliver
        self.agent: Agent | None = None
        self.stop: float | None = None
        self.rests = False

    @property
    def known(self) -> AttemptKey:
        """The name by which its agent knows it."""
        return self.start.key.key()

    def unready(self) -> str | None:
        """Say what it waits for, having been asked for; None if its agent can have it."""
        agent = self.agent
        if agent is None:
            return "waits for room in a worker: as many as there may be run as much as they may"
        if agent.up:
            return None
        if agent.handle is not None and not agent.handle.ready:
            return f"waits for the image {agent.pool.image}"
        return "waits for its worker to come up"

    def lost(self, how: Gone) -> Ended:
        """Say how it has ended, its worker being gone."""
        if self.stop is not None:
            return Ended(self.key, Outcome.CANCELLED, detail=f"its worker is gone: {how.why}")
        if how.memory:
            return Ended(self.key, Outcome.OUT_OF_MEMORY, signal=9, detail=how.why)
        return Ended(self.key, Outcome.LOST, detail=f"its worker is gone: {how.why}")


class Agent:
    """An agent as the server knows it.

    Attributes:
        id: Its name.
        pool: What it runs.
        handle: How it is ended; None if it is of another server, and is not to be found here.
        live: The attempts that it has been given, by the names that it knows.
        up: Whether it has been heard of.
    """

    def __init__(self, id: str, pool: Pool) -> None:  # noqa: A002
        """Begin unheard of."""
        self.id = id
        self.pool = pool
        self.handle: Handle | None = None
        self.live: dict[AttemptKey, Attempt] = {}
        self.up = False
        self.bell = Bell()
        self._line = secrets.token_hex(8)
        self.seen = self.used = time.monotonic()
        self._orders: deque[tuple[int, Start | Stop | Leave]] = deque()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def order(self, order: Start | Stop | Leave) -> None:
        """Tell it to do something."""
        with self._lock:
            self._orders.append((next(self._numbers), order))
        self.bell.ring()

    def orders(self, ready: Ready) -> Orders:
        """Give what it has not been told, or has not heard."""
        after = ready.after if ready.line == self._line else 0
        with self._lock:
            while self._orders and self._orders[0][0] <= after:
                self._orders.popleft()
            last = self._orders[-1][0] if self._orders else after
            return Orders(line=self._line, last=last, orders=[order for _, order in self._orders])

    @property
    def room(self) -> bool:
        """Whether it may be given one more attempt."""
        return not self.pool.each or sum(not attempt.rests for attempt in self.live.values()) < self.pool.each


class LeftOver:
    """An attempt that was started for a server that is gone.

    Attributes:
        agent: Who runs it.
        key: Its name then.
        since: When the agent came back with it.
    """

    def __init__(self, agent: Agent, key: AttemptKey) -> None:
        """Wait for the run that asks for it."""
        self.agent = agent
        self.key = key
        self.since = time.monotonic()


class Group:
    """A pool at work.

    Attributes:
        agents: Its agents, by their names.
        waiting: Attempts that wait for room.
        vain: How often in a row one has ended before it had come up.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.agents: dict[str, Agent] = {}
        self.waiting: deque[Attempt] = deque()
        self.vain = 0
