"""All agents of a server: started, told what to do, heard, given up. Each must be heard of every few seconds.

Used from the threads of all runs, and by the handlers of agents.
"""

from __future__ import annotations

import secrets
import signal
import threading
import time
from functools import partial

import msgspec
from msgspec import structs

from laminar.errors import AttemptError, StaleAttemptError
from laminar.model.action import Ended, Failure, Manifest, Started
from laminar.model.states import Outcome
from laminar.server import logs
from laminar.server.pools import Agent, Gone, Group, LeftOver, Pool
from laminar.wire.agents import Key, Leave, Stop, Welcome
from laminar.wire.specs import ResourcesSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.server.launchers.contract import Launcher
    from laminar.server.pools import Attempt
    from laminar.server.signing import Signer
    from laminar.wire.agents import Hello, Report

#: Seconds without word from an agent after which it counts as dead.
SILENCE = 15.0
#: Seconds between looks at who is silent or idle.
GLANCE = 1.0
#: Seconds that an agent has to come up, its image being there.
PATIENCE = 120.0
#: Seconds that the agents of a server before have to come back, in which they can be heard; they try again every 5 s
#: at least.
RETURN = 10.0
#: Seconds for which an attempt of a server that is gone is kept for the run that asks for it.
UNCLAIMED = 60.0
#: How often in a row a pool's agent may end before it has come up.
VAIN = 3
#: Seconds that the name of an agent counts.
FOREVER = 10 * 365 * 24 * 3600.0


class Agents:
    """All agents of one server.

    Attributes:
        lost: How many were lost so far.
    """

    def __init__(self, launcher: Launcher, signer: Signer) -> None:
        """Begin with none.

        Args:
            launcher: Starts them.
            signer: Makes their names ones that can be proved.
        """
        self.launcher = launcher
        self._signer = signer
        self._lock = threading.RLock()
        self._groups: dict[Pool, Group] = {}
        self._agents: dict[str, Agent] = {}
        self._attempts: dict[AttemptKey, Attempt] = {}
        #: Attempts that agents run and no run here knows, by their actions, until somebody takes them back.
        self._left: dict[ActionKey, LeftOver] = {}
        #: Agents of a server before that have not come back yet, and until when they may.
        self._expected: set[str] = set()
        self._until = 0.0
        #: When agents could last be heard.
        self._heard = time.monotonic()
        self.lost = 0
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True, name="laminar-agents")

    def begin(self) -> None:
        """Begin to watch, and to wait for the agents of a server before."""
        self._expected = self.launcher.left()
        self._until = time.monotonic() + RETURN
        self._watch.start()

    def count(self) -> tuple[int, int]:
        """Tell how many agents there are, and how many attempts they run."""
        with self._lock:
            return len(self._agents), sum(len(agent.live) for agent in self._agents.values())

    def settled(self) -> bool:
        """Tell whether all agents of a server before have come back, or never will: what they run is known."""
        return not self._expected

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
            if left is not None and left.agent.pool.like(pool):
                return self._take_back(attempt, left)
            if left is not None:
                left.agent.order(Stop(key=Key.of(left.key), grace=0.0))
            self._place(pool, attempt)
            return None

    def make_ready(self, pool: Pool) -> None:
        """Start the fewest agents that a pool is to have, each tried once."""
        with self._lock:
            group = self._groups.get(pool)
            for _ in range(pool.fewest - (len(group.agents) if group is not None else 0)):
                self._launch(pool, self._groups.setdefault(pool, Group()))

    def _take_back(self, attempt: Attempt, left: LeftOver) -> AttemptKey:
        attempt.agent = left.agent
        left.agent.live[left.key] = attempt
        attempt.start = structs.replace(attempt.start, key=Key.of(left.key))
        attempt.deliver(Started(attempt.key, "goes on: it was started before"))
        return left.key

    def rest(self, key: AttemptKey, *, rests: bool) -> None:
        """Let others have the room of an attempt that only waits for its children; it goes on at once all the same."""
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None:
                return
            attempt.rests = rests
            if attempt.agent is not None:
                self._fill(attempt.agent)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Have an attempt stopped. Its end is delivered. Asked again, it has no more time than before."""
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None or (attempt.stop is not None and grace >= attempt.stop):
                return
            attempt.stop = grace
            if attempt.agent is None:
                self._unqueue(attempt)
                self._end(attempt, Ended(key, Outcome.CANCELLED, detail="it was stopped before it had a place"))
            else:
                attempt.agent.order(Stop(key=attempt.start.key, grace=grace))

    def _unqueue(self, attempt: Attempt) -> None:
        for group in self._groups.values():
            if attempt in group.waiting:
                group.waiting.remove(attempt)

    def waiting(self, space: str, run: str) -> dict[tuple[str, int], str]:
        """Say what actions of a run wait for whose attempt has its slot, and no agent yet that is up."""
        with self._lock:
            attempts = [(key.action, attempt) for key, attempt in self._attempts.items()]
            of_run = [(key, attempt) for key, attempt in attempts if (key.space, key.run) == (space, run)]
            found = {(key.name, key.index): attempt.unready() for key, attempt in of_run}
        return {key: why for key, why in found.items() if why is not None}

    def leave(self, keys: list[AttemptKey]) -> None:
        """Let go of attempts of a run that is driven no more; their agents go on until somebody takes them back."""
        with self._lock:
            for key in keys:
                attempt = self._attempts.pop(key, None)
                if attempt is None:
                    continue
                if attempt.agent is None:
                    self._unqueue(attempt)
                else:
                    known = attempt.known
                    del attempt.agent.live[known]
                    self._left[known.action] = LeftOver(attempt.agent, known)

    def abandon(self, space: str, run: str) -> None:
        """Stop what agents run of a run that has ended, or that another server has taken."""
        with self._lock:
            for action in [action for action in self._left if (action.space, action.run) == (space, run)]:
                self._stop_left(self._left.pop(action))

    def _stop_left(self, left: LeftOver) -> None:
        left.agent.order(Stop(key=Key.of(left.key), grace=0.0))
        if left.agent.pool.single:
            self._dismiss(left.agent)

    def _place(self, pool: Pool, attempt: Attempt) -> None:
        group = self._groups.setdefault(pool, Group())
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

    def _launch(self, pool: Pool, group: Group) -> None:
        agent = Agent(secrets.token_hex(8), pool)
        group.agents[agent.id] = agent
        self._agents[agent.id] = agent
        self._fill(agent)
        token = self._signer.sign("agent", {"agent": agent.id, "pool": vars(pool)}, FOREVER)
        try:
            agent.handle = self.launcher.launch(agent.id, token, pool, partial(self._gone, agent))
        except Exception as error:
            self._gone(agent, Gone(f"it could not be started: {error}"))

    def _fill(self, agent: Agent) -> None:
        """Give an agent what waits, as far as it has room."""
        group = self._groups.get(agent.pool)
        while group is not None and group.waiting and agent.room:
            self._give(agent, group.waiting.popleft())

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
                self._groups.setdefault(pool, Group()).agents[agent.id] = agent
            agent.up = True
            agent.seen = agent.used = time.monotonic()
            self._expected.discard(agent.id)
            self._groups[pool].vain = 0
            for key in hello.live:
                known = key.key()
                if known not in agent.live and key.space == pool.space:
                    self._left[known.action] = LeftOver(agent, known)
        return Welcome(
            space=pool.space,
            bundle=pool.bundle,
            url=url(pool),
            imports=list(pool.imports),
            concurrency=pool.each,
            idle=pool.idle,
            resources=msgspec.json.decode(pool.place, type=ResourcesSpec) if pool.place else None,
            workdir=pool.workdir,
            in_image=pool.in_image,
            command=pool.command,
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

    def report(self, agent: Agent, report: Report) -> tuple[list[Key], list[Key]]:
        """Take a report.

        Returns:
            The attempts in it that are not known, or not this agent's; and those whose run has yet to ask for them, and
            whose end must be told again.
        """
        unknown, later = [], []
        with self._lock:
            for started in report.started:
                attempt = agent.live.get(started.key())
                if attempt is not None:
                    attempt.deliver(Started(attempt.key))
                elif not self._is_left(agent, started):
                    unknown.append(started)
            for end in report.ended:
                attempt = agent.live.get(end.key.key())
                if attempt is not None:
                    self._end(attempt, self._told(attempt, end.ended(attempt.key)))
                elif self._is_left(agent, end.key):
                    later.append(end.key)
            if report.failed is not None:
                self._fail(agent, report.failed.failure())
        return unknown, later

    def _is_left(self, agent: Agent, key: Key) -> bool:
        known = key.key()
        left = self._left.get(known.action)
        return left is not None and left.agent is agent and left.key == known

    def running(self, agent: Agent, key: Key) -> tuple[AttemptKey | None, bool]:
        """Look for an attempt; an agent that is being taken up, or an attempt that is being taken back, is waited for.

        Returns:
            The name that it has now, None if it is not this agent's; and whether it was started for a server that is
            gone, and nobody has taken it back yet.
        """
        with self._lock:
            attempt = agent.live.get(key.key())
            return None if attempt is None else attempt.key, self._is_left(agent, key)

    def _told(self, attempt: Attempt, ended: Ended) -> Ended:
        """See what an end means here that this server has not asked for: it is no fault of the attempt's own.

        Somebody has killed it from outside, or a server before has stopped it, whose run had no need of it.
        """
        killed = ended.outcome is Outcome.KILLED and ended.signal == signal.SIGKILL
        if attempt.stop is None and (killed or ended.outcome is Outcome.CANCELLED):
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
            agent.live.pop(attempt.known, None)
            agent.used = time.monotonic()
            if agent.pool.single or agent.id not in self._agents:
                self._dismiss(agent)
            else:
                self._fill(agent)
        attempt.deliver(ended)

    def _dismiss(self, agent: Agent) -> None:
        """Have an agent leave."""
        agent.order(Leave())
        self._drop(agent)
        self._forget_idle(agent.pool)
        if agent.handle is not None:
            agent.handle.leaves()

    def _drop(self, agent: Agent) -> None:
        self._agents.pop(agent.id, None)
        group = self._groups.get(agent.pool)
        if group is not None:
            group.agents.pop(agent.id, None)
        for action, left in list(self._left.items()):
            if left.agent is agent:
                del self._left[action]

    def _forget_idle(self, pool: Pool) -> None:
        """Keep nothing of a pool that has no agent, and for which nothing waits."""
        group = self._groups.get(pool)
        if group is not None and not group.agents and not group.waiting:
            del self._groups[pool]

    # Who is gone

    def _gone(self, agent: Agent, how: Gone) -> None:
        """Take the end of an agent."""
        with self._lock:
            if agent.id not in self._agents:
                return
            group = self._groups[agent.pool]
            group.vain += not agent.up
            lost = list(agent.live.values())
            self.lost += 1
            logs.event("lost worker", agent=agent.id, space=agent.pool.space, why=how.why, attempts=len(lost))
            agent.live.clear()
            self._drop(agent)
            if not agent.up and (how.error is not None or group.vain >= VAIN):
                self._give_up(group, lost, how)
            else:
                self._start_again(agent, group, lost, how)
            self._forget_idle(agent.pool)

    def _start_again(self, agent: Agent, group: Group, lost: list[Attempt], how: Gone) -> None:
        """Place attempts elsewhere that had not begun; the others end."""
        for attempt in lost:
            attempt.agent = None
            if agent.up or how.memory or attempt.stop is not None:
                self._end(attempt, attempt.lost(how))
            else:
                self._place(agent.pool, attempt)
        if group.waiting and not group.agents:
            self._launch(agent.pool, group)

    def _give_up(self, group: Group, lost: list[Attempt], how: Gone) -> None:
        waiting = [*lost, *group.waiting]
        group.waiting.clear()
        group.vain = 0
        for attempt in waiting:
            attempt.agent = None
            if how.error is not None:
                ended = Ended(attempt.key, Outcome.REFUSED, detail=how.why, error=how.error)
            else:
                error = AttemptError(f"No worker could be started for it, {VAIN} times: {how.why}")
                ended = Ended(attempt.key, Outcome.EXITED, detail=how.why, error=error)
            self._end(attempt, ended)

    def hears(self) -> None:
        """Note that agents can be heard now. To be called each second: who cannot be heard is not silent."""
        deaf = time.monotonic() - self._heard - GLANCE
        if deaf > GLANCE:
            with self._lock:
                self._until += deaf
                for agent in self._agents.values():
                    agent.seen += deaf
        self._heard = time.monotonic()

    def _look(self) -> None:
        """See who is silent, and who has nothing to do."""
        while not self._closing.wait(GLANCE):
            try:
                with self._lock:
                    self._look_once(time.monotonic())
            except Exception as error:
                logs.mistake("agents were not looked at, or not all", error)

    def _look_once(self, now: float) -> None:
        self._expect()
        self._stop_unclaimed(now)
        for agent in list(self._agents.values()):
            self._check(agent, now)

    def _stop_unclaimed(self, now: float) -> None:
        """Stop what was started for a server that is gone, where no run asks for it."""
        for action, left in list(self._left.items()):
            if now - left.since > UNCLAIMED:
                del self._left[action]
                self._stop_left(left)

    def _expect(self) -> None:
        """End agents of a server before that do not come back."""
        if not self._expected or self._heard < self._until:
            return
        try:
            for name in self._expected:
                handle = self.launcher.find(name, _nothing)
                if handle is not None:
                    handle.stop()
        finally:
            self._expected = set()

    def _check(self, agent: Agent, now: float) -> None:
        if agent.handle is not None and not agent.handle.ready:
            agent.seen = now  # its image is still on its way
        silent = self._heard - agent.seen
        if agent.up and silent > SILENCE:
            self._kill(agent, f"it was not heard of for {silent:.0f} s")
        elif not agent.up and silent > PATIENCE:
            self._kill(agent, f"it did not come up in {PATIENCE:.0f} s")
        elif agent.up and not agent.pool.single and now - agent.used > agent.pool.idle and self._unused(agent):
            self._dismiss(agent)

    def _unused(self, agent: Agent) -> bool:
        """Tell whether an agent runs nothing, neither for this server nor for one before."""
        return not agent.live and not any(left.agent is agent for left in self._left.values())

    def _kill(self, agent: Agent, why: str) -> None:
        if agent.handle is not None:
            agent.handle.stop()
        self._gone(agent, Gone(why))


def _nothing(_: Gone) -> None:
    pass
