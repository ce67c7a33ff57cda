"""The agents of a server, and the attempts that they run.

An agent belongs to a pool: attempts that may share a place. Each is told what to do by numbered orders that stay until
it has them, and must be heard of every few seconds. Used from the threads of all runs, and by the handlers of agents.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import deque
from functools import partial

from msgspec import structs

from laminar.errors import AttemptError, StaleAttemptError
from laminar.model.action import Ended, Failure, Manifest, Started
from laminar.model.states import Outcome
from laminar.model.value import Value
from laminar.server.bell import Bell
from laminar.wire.agents import End, Key, Leave, Orders, Start, Stop, Welcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.model.action import Event
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.server.launchers.contract import Handle, Launcher
    from laminar.server.signing import Signer
    from laminar.wire.agents import Hello, Report

#: Seconds without word from an agent after which it counts as dead.
SILENCE = 15.0
#: Seconds between looks at who is silent or idle.
GLANCE = 1.0
#: Seconds that an agent has to come up, its image being there.
PATIENCE = 120.0
#: Seconds for which an attempt of a server that is gone is kept for the run that asks for it.
UNCLAIMED = 60.0
#: How often in a row a pool's agent may end before it has come up.
VAIN = 3
#: Seconds that the name of an agent counts.
FOREVER = 10 * 365 * 24 * 3600.0


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

    def __hash__(self) -> int:
        """Hash by what differs most."""
        return hash((self.space, self.bundle, self.image, self.place, self.single))


class Attempt:
    """An attempt that an agent runs, or is to run.

    Attributes:
        key: Its name.
        start: The order to start it.
        deliver: Is told what happens to it.
        agent: Who runs it; None while it waits for one.
        stop: The grace with which it is to be stopped; None if it is not.
    """

    __slots__ = ("agent", "deliver", "key", "start", "stop")

    def __init__(self, key: AttemptKey, start: Start, deliver: Callable[[Event], None]) -> None:
        """Begin without an agent."""
        self.key = key
        self.start = start
        self.deliver = deliver
        self.agent: Agent | None = None
        self.stop: float | None = None


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
        self.seen = self.used = time.monotonic()
        self._orders: deque[tuple[int, Start | Stop | Leave]] = deque()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def order(self, order: Start | Stop | Leave) -> None:
        """Tell it to do something."""
        with self._lock:
            self._orders.append((next(self._numbers), order))
        self.bell.ring()

    def orders(self, after: int) -> Orders:
        """Give what it has not been told, or has not heard."""
        with self._lock:
            while self._orders and self._orders[0][0] <= after:
                self._orders.popleft()
            last = self._orders[-1][0] if self._orders else after
            return Orders(last=last, orders=[order for _, order in self._orders])

    @property
    def room(self) -> bool:
        """Whether it may be given one more attempt."""
        return not self.pool.each or len(self.live) < self.pool.each


class _LeftOver:
    """An attempt that was started for a server that is gone.

    Attributes:
        agent: Who runs it.
        key: Its name then.
        end: How it has ended meanwhile, if it has.
    """

    def __init__(self, agent: Agent, key: AttemptKey) -> None:
        self.agent = agent
        self.key = key
        self.end: End | None = None
        self.since = time.monotonic()


class _Group:
    """A pool at work."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.waiting: deque[Attempt] = deque()
        self.vain = 0


class Agents:
    """All agents of one server."""

    def __init__(self, launcher: Launcher, signer: Signer) -> None:
        """Begin with none.

        Args:
            launcher: Starts them.
            signer: Makes their names ones that can be proved.
        """
        self.launcher = launcher
        self._signer = signer
        self._lock = threading.RLock()
        self._groups: dict[Pool, _Group] = {}
        self._agents: dict[str, Agent] = {}
        self._attempts: dict[AttemptKey, Attempt] = {}
        #: Attempts that agents run for a server that is gone, by their actions, until somebody takes them back.
        self._left: dict[ActionKey, _LeftOver] = {}
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True, name="laminar-agents")

    def begin(self) -> None:
        """Begin to watch."""
        self._watch.start()

    def close(self) -> None:
        """Stop watching. Agents stay: they wait for the next server."""
        self._closing.set()
        if self._watch.is_alive():
            self._watch.join()
        self.launcher.close()

    def end(self) -> None:
        """End all agents with their attempts."""
        with self._lock:
            agents = list(self._agents.values())
        for agent in agents:
            agent.order(Leave())
            if agent.handle is not None:
                agent.handle.stop()

    # What runs ask

    def start(self, pool: Pool, attempt: Attempt) -> AttemptKey | None:
        """Have an attempt run.

        Returns:
            The name under which it runs already, if an agent has started it for a server that is gone.
        """
        with self._lock:
            self._attempts[attempt.key] = attempt
            left = self._left.pop(attempt.key.action, None)
            if left is not None and left.agent.pool == pool and left.agent.id in self._agents:
                return self._take_back(attempt, left)
            self._place(pool, attempt)
            return None

    def _take_back(self, attempt: Attempt, left: _LeftOver) -> AttemptKey:
        attempt.agent = left.agent
        left.agent.live[left.key] = attempt
        attempt.start = _renamed(attempt.start, left.key)
        attempt.deliver(Started(attempt.key, "goes on: it was started before"))
        if left.end is not None:
            self._end(attempt, self._told(attempt, left.end.ended(attempt.key)))
        return left.key

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Have an attempt stopped. Its end is delivered."""
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None:
                return
            attempt.stop = grace
            if attempt.agent is None:
                self._withdraw(attempt)
            else:
                attempt.agent.order(Stop(key=attempt.start.key, grace=grace))

    def _withdraw(self, attempt: Attempt) -> None:
        for group in self._groups.values():
            if attempt in group.waiting:
                group.waiting.remove(attempt)
        self._end(attempt, Ended(attempt.key, Outcome.CANCELLED, detail="it was stopped before it had a place"))

    def forget(self, keys: list[AttemptKey]) -> None:
        """Let go of attempts of a run that another server has taken; their agents go on."""
        with self._lock:
            for key in keys:
                attempt = self._attempts.pop(key, None)
                if attempt is not None and attempt.agent is not None:
                    attempt.agent.live.pop(_known(attempt), None)

    def _place(self, pool: Pool, attempt: Attempt) -> None:
        group = self._groups.setdefault(pool, _Group())
        for agent in group.agents.values():
            if agent.room:
                self._give(agent, attempt)
                return
        group.waiting.append(attempt)
        if len(group.agents) < pool.agents:
            self._launch(pool, group)

    def _give(self, agent: Agent, attempt: Attempt) -> None:
        attempt.agent = agent
        agent.live[attempt.key] = attempt
        agent.used = time.monotonic()
        agent.order(attempt.start)

    def _launch(self, pool: Pool, group: _Group) -> None:
        agent = Agent(secrets.token_hex(8), pool)
        group.agents[agent.id] = agent
        self._agents[agent.id] = agent
        while group.waiting and agent.room:
            self._give(agent, group.waiting.popleft())
        token = self._signer.sign("agent", {"agent": agent.id, "pool": vars(pool)}, FOREVER)
        agent.handle = self.launcher.launch(agent.id, token, pool, partial(self._gone, agent))

    # What agents say

    def welcome(self, claims: Mapping[str, Any], hello: Hello, url: Callable[[Pool], str]) -> Welcome:
        """Take up an agent that has come up, or comes again.

        Args:
            claims: Who it is.
            hello: What it says.
            url: Gives the address of a pool's code.
        """
        fields = claims["pool"]
        pool = Pool(**{**fields, "imports": tuple(fields["imports"])})
        with self._lock:
            agent = self._agents.get(claims["agent"])
            if agent is None:
                agent = self._agents[claims["agent"]] = Agent(claims["agent"], pool)
                agent.handle = self.launcher.find(agent.id, partial(self._gone, agent))
                self._groups.setdefault(pool, _Group()).agents[agent.id] = agent
            agent.up = True
            agent.seen = agent.used = time.monotonic()
            self._groups[pool].vain = 0
            for key in hello.live:
                known = key.key()
                if known not in agent.live:
                    self._left[known.action] = _LeftOver(agent, known)
        return Welcome(
            space=pool.space,
            bundle=pool.bundle,
            url=url(pool),
            imports=list(pool.imports),
            concurrency=pool.each,
            idle=pool.idle,
        )

    def agent(self, claims: Mapping[str, Any]) -> Agent:
        """Give an agent that is known, and note that it was heard of.

        Raises:
            StaleAttemptError: It is not known: it must say hello first.
        """
        agent = self._agents.get(claims["agent"])
        if agent is None:
            raise StaleAttemptError(f"The agent {claims['agent']} is unknown here. It says hello, or ends.")
        agent.seen = time.monotonic()
        return agent

    def report(self, agent: Agent, report: Report) -> list[Key]:
        """Take a report; gives the attempts in it that are not known, or not this agent's."""
        unknown = []
        with self._lock:
            for started in report.started:
                attempt = agent.live.get(started.key())
                if attempt is None:
                    unknown += [] if self.left(agent, started) else [started]
                else:
                    attempt.deliver(Started(attempt.key))
            for end in report.ended:
                attempt = agent.live.get(end.key.key())
                if attempt is None:
                    self._keep(agent, end)
                else:
                    self._end(attempt, self._told(attempt, end.ended(attempt.key)))
            if report.failed is not None:
                self._fail(agent, report.failed.failure())
        return unknown

    def _keep(self, agent: Agent, end: End) -> None:
        """Keep the end of an attempt that was started for a server that is gone, until somebody takes it back."""
        if self.left(agent, end.key):
            self._left[end.key.key().action].end = end

    def left(self, agent: Agent, key: Key) -> bool:
        """Tell whether an attempt was started for a server that is gone, and nobody has taken it back yet."""
        known = key.key()
        left = self._left.get(known.action)
        return left is not None and left.agent is agent and left.key == known

    def running(self, agent: Agent, key: Key) -> AttemptKey | None:
        """Give the name that an attempt has now; None if it is not this agent's."""
        attempt = agent.live.get(key.key())
        return None if attempt is None else attempt.key

    def _told(self, attempt: Attempt, ended: Ended) -> Ended:
        """See what a kill means here: somebody has killed it from outside, which is no fault of its own."""
        if ended.outcome is Outcome.KILLED and ended.signal == 9 and attempt.stop is None:
            return ended.replace(outcome=Outcome.LOST)
        return ended

    def _fail(self, agent: Agent, failure: Failure) -> None:
        """Take that an agent can run nothing: its code cannot be loaded."""
        for attempt in list(agent.live.values()):
            self._end(attempt, Ended(attempt.key, Outcome.RAISED, Manifest({}, failure)))
        self._dismiss(agent)

    def _end(self, attempt: Attempt, ended: Ended) -> None:
        """Tell the end of an attempt, and give its room to the next."""
        self._attempts.pop(attempt.key, None)
        agent = attempt.agent
        if agent is not None:
            agent.live.pop(_known(attempt), None)
            agent.used = time.monotonic()
            group = self._groups.get(agent.pool)
            if agent.pool.single or agent.id not in self._agents:
                self._dismiss(agent)
            elif group is not None:
                while group.waiting and agent.room:
                    self._give(agent, group.waiting.popleft())
        attempt.deliver(ended)

    def _dismiss(self, agent: Agent) -> None:
        """Have an agent leave."""
        agent.order(Leave())
        self._drop(agent)
        if agent.handle is not None:
            agent.handle.leaves()

    def _drop(self, agent: Agent) -> None:
        self._agents.pop(agent.id, None)
        group = self._groups.get(agent.pool)
        if group is not None:
            group.agents.pop(agent.id, None)
            if not group.agents and not group.waiting and not group.vain:
                del self._groups[agent.pool]
        for action, left in list(self._left.items()):
            if left.agent is agent:
                del self._left[action]

    # Who is gone

    def _gone(self, agent: Agent, why: str) -> None:
        """Take the end of an agent."""
        with self._lock:
            if agent.id not in self._agents:
                return
            group = self._groups[agent.pool]
            group.vain += not agent.up
            lost = list(agent.live.values())
            agent.live.clear()
            self._drop(agent)
            if not agent.up and group.vain >= VAIN:
                self._give_up(group, lost, why)
                return
            for attempt in lost:
                if not agent.up:
                    attempt.agent = None
                    self._place(agent.pool, attempt)
                else:
                    outcome = Outcome.LOST if attempt.stop is None else Outcome.CANCELLED
                    attempt.agent = None
                    self._end(attempt, Ended(attempt.key, outcome, detail=f"its worker is gone: {why}"))
            if group.waiting and not group.agents:
                self._launch(agent.pool, group)

    def _give_up(self, group: _Group, lost: list[Attempt], why: str) -> None:
        for attempt in (*lost, *group.waiting):
            attempt.agent = None
            error = AttemptError(f"No worker could be started for it, {VAIN} times: {why}")
            self._end(attempt, Ended(attempt.key, Outcome.EXITED, detail=why, error=error))
        group.waiting.clear()
        group.vain = 0

    def _look(self) -> None:
        """See who is silent, and who has nothing to do."""
        before = time.monotonic()
        while not self._closing.wait(GLANCE):
            now = time.monotonic()
            with self._lock:
                late = now - before - GLANCE
                before = now
                self._stop_unclaimed(now)
                for agent in list(self._agents.values()):
                    if late > GLANCE:
                        agent.seen += late  # this process stood still, and heard nobody
                    self._check(agent, now)

    def _stop_unclaimed(self, now: float) -> None:
        """Stop what was started for a server that is gone, where no run asks for it."""
        for action, left in list(self._left.items()):
            if now - left.since > UNCLAIMED:
                del self._left[action]
                left.agent.order(Stop(key=Key.of(left.key), grace=0.0))

    def _check(self, agent: Agent, now: float) -> None:
        silent = now - agent.seen
        if agent.up and silent > SILENCE:
            self._kill(agent, f"it was not heard of for {silent:.0f} s")
        elif not agent.up and silent > PATIENCE and agent.handle is not None and agent.handle.ready:
            self._kill(agent, f"it did not come up in {PATIENCE:.0f} s")
        elif agent.up and not agent.pool.single and now - agent.used > agent.pool.idle and self._unused(agent):
            self._dismiss(agent)

    def _unused(self, agent: Agent) -> bool:
        """Tell whether an agent runs nothing, neither for this server nor for one before."""
        return not agent.live and not any(left.agent is agent for left in self._left.values())

    def _kill(self, agent: Agent, why: str) -> None:
        if agent.handle is not None:
            agent.handle.stop()
        self._gone(agent, why)


def _known(attempt: Attempt) -> AttemptKey:
    """Give the name by which an agent knows an attempt."""
    return attempt.start.key.key()


def _renamed(start: Start, known: AttemptKey) -> Start:

    return structs.replace(start, key=Key.of(known))
