"""Worlds in which triggers fire: runs that take a while, a server that steps and dies, and a clerk who knows better.

The server does what ``laminar.core.triggers.step`` says, with tables of its own. The clerk is told all due times and
the moments at which the server was awake, and writes down the fate of each due time by the rules of
docs/decisions/schedules.md.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from laminar.core.triggers import Cancel, Missed, Queue, Skip, Start, State, activate, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from laminar import Trigger
    from laminar.core.triggers import Action

#: What became of a due time, and when that was decided.
Fate = tuple[str, float]


@dataclass
class Runs:
    """Runs by their due times. How long one takes depends on the due time alone."""

    lengths: Sequence[float]
    seed: int
    ends: dict[int, float] = field(default_factory=dict)
    cancelled: dict[int, float] = field(default_factory=dict)
    most: int = 0

    def start(self, due: int, now: float) -> None:
        assert due not in self.ends, f"{due} was started twice"
        self.ends[due] = now + random.Random(self.seed ^ due).choice(self.lengths)
        self.most = max(self.most, len(self.going_on(now)))

    def cancel(self, due: int, now: float) -> None:
        if due not in self.cancelled:
            self.cancelled[due] = now
            self.ends[due] = min(self.ends[due], now + 1 + due // 60 % 90)

    def going_on(self, now: float) -> list[int]:
        return [due for due, end in self.ends.items() if end > now]


class DeathError(Exception):
    """The server was killed."""


@dataclass
class Server:
    """Steps a trigger, and keeps decisions and state as a database would.

    ``name`` gives the unique key of a decision. After some ``writes`` the server dies.
    """

    trigger: Trigger
    runs: Runs
    state: State
    in_one: bool = True
    name: Callable[[int], object] = lambda due: due
    writes: float = inf
    decisions: dict[object, Fate] = field(default_factory=dict)
    spans: list[tuple[Missed, float]] = field(default_factory=list)

    def tick(self, now: float) -> list[Action]:
        state, actions = step(self.trigger, self.state, now, self.runs.going_on(now))
        if self.in_one:
            self._write()
        for action in actions:
            if not self.in_one:
                self._write()
            self._do(action, now)
        if not self.in_one:
            self._write()
        self.state = state
        return actions

    def _write(self) -> None:
        if self.writes == 0:
            raise DeathError
        self.writes -= 1

    def _do(self, action: Action, now: float) -> None:
        match action:
            case Start(due=due):
                fate = self.decisions.setdefault(self.name(due), ("started", now))
                if fate == ("started", now) and due not in self.runs.ends:
                    self.runs.start(due, now)
            case Skip(due=due):
                self.decisions.setdefault(self.name(due), ("skipped", now))
            case Missed():
                self.spans.append((action, now))
            case Cancel(due=due):
                self.runs.cancel(due, now)
            case Queue():
                pass

    def fates(self, dues: Sequence[int]) -> dict[int, Fate | None]:
        """Say what became of each due time."""
        found = {due: self.decisions.get(self.name(due)) for due in dues}
        for span, now in self.spans:
            low, high = bisect_right(dues, span.first - 1), bisect_right(dues, span.due)
            found |= {due: ("missed", now) for due in dues[low:high] if found[due] is None}
        return found


@dataclass
class Clerk:
    """Decides by the rules, one due time after the other."""

    overlap: str
    most_late: int
    runs: Runs
    fates: dict[int, Fate] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def tick(self, dues: Sequence[int], now: float) -> None:
        """Decide about due times that have come since the tick before."""
        late = [due for due in dues if now - due >= 60]
        caught_up = late[len(late) - self.most_late :] if len(late) > self.most_late else late
        self.fates |= dict.fromkeys(late[: len(late) - len(caught_up)], ("missed", now))
        fresh = [due for due in dues if due in caught_up or now - due < 60]
        busy = bool(self.runs.going_on(now) or self.waiting)
        getattr(self, f"_{self.overlap.replace('-', '_')}")(fresh, busy, now)

    def _allow(self, fresh: list[int], busy: bool, now: float) -> None:
        for due in fresh:
            self._start(due, now)

    def _skip(self, fresh: list[int], busy: bool, now: float) -> None:
        if busy:
            self.fates |= dict.fromkeys(fresh, ("skipped", now))
            fresh = []
        self._queue(fresh, busy, now)

    def _queue(self, fresh: list[int], busy: bool, now: float) -> None:
        self.waiting += fresh
        if self.waiting and not self.runs.going_on(now):
            self._start(self.waiting.pop(0), now)
        while len(self.waiting) > max(10, self.most_late):
            self.fates[self.waiting.pop()] = ("skipped", now)

    def _cancel_old(self, fresh: list[int], busy: bool, now: float) -> None:
        self.waiting += fresh
        while len(self.waiting) > 1:
            self.fates[self.waiting.pop(0)] = ("skipped", now)
        for newest in self.waiting:
            for due in self.runs.going_on(now):
                self.runs.cancel(due, now)
            if not self.runs.going_on(now):
                self._start(newest, now)
                self.waiting = []

    def _start(self, due: int, now: float) -> None:
        self.fates[due] = ("started", now)
        self.runs.start(due, now)


def awake(dues: Sequence[int], years: range, dice: random.Random, stretches: int) -> list[float]:
    """Choose when a server is awake: stretches of many ticks about due times, and long sleep between them."""
    moments: set[float] = set()
    for due in dice.choices([*dues, dice.choice(years)], k=stretches):
        now = due - dice.uniform(0, 90)
        for _ in range(dice.randrange(4, 16)):
            moments.add(now)
            now += dice.choice((1, 20, 59, 60, 61, 300, 3600, 0))
            number = bisect_right(dues, now)
            if dice.random() < 0.6 and number < len(dues):
                now = dues[number] + dice.choice((0, 0.5, 59.5, 60, 61, 400))
    return sorted(moment for moment in moments if int(moment) in years)


def compare(trigger: Trigger, dues: Sequence[int], years: range, seed: int, stretches: int = 8) -> list[str]:
    """Run server and clerk through the same ticks in some years, and list where they differ."""
    dice = random.Random(seed)
    moments = awake(dues, years, dice, stretches)
    lengths = dice.sample((5.0, 50.0, 600.0, 7200.0, 90000.0), 3)
    server = Server(trigger, Runs(lengths, seed), activate(moments[0]))
    allowed = {"none": 0, "latest": 1}.get(str(trigger.catchup), trigger.catchup)
    clerk = Clerk(trigger.overlap, int(allowed), Runs(lengths, seed))
    after = bisect_right(dues, moments[0])
    known = after
    for now in moments:
        server.tick(now)
        upto = bisect_right(dues, now)
        clerk.tick(dues[known:upto], now)
        known = upto
    decided = dues[after:known]
    fates = server.fates(decided)
    undecided = set(server.state.queued)
    wrong = [
        f"{due}: {fate}, not {clerk.fates.get(due)}"
        for due, fate in fates.items()
        if fate != clerk.fates.get(due) or (fate is None) != (due in undecided)
    ]
    if server.runs != clerk.runs:
        wrong.append("runs differ")
    return [*wrong, *_broken_promises(trigger, server)]


def _broken_promises(trigger: Trigger, server: Server) -> Iterator[str]:
    if trigger.overlap != "allow" and server.runs.most > 1:
        yield f"{server.runs.most} ran at once"
    if len(server.state.queued) > max(10, trigger.catchup if isinstance(trigger.catchup, int) else 0):
        yield f"{len(server.state.queued)} wait"


def restarts(
    trigger: Trigger, dues: Sequence[int], seed: int, name: Callable[[int], object] = lambda due: due
) -> tuple[list[str], int]:
    """Kill and restart a server about due times; list what is wrong at the end, and count the deaths."""
    dice = random.Random(seed)
    runs = Runs((5.0, 40.0, 300.0), seed)
    server = Server(trigger, runs, activate(dues[0] - 30), in_one=seed % 2 == 0, name=name)
    now, deaths = dues[0] - 30.0, 0
    while now < dues[-1]:
        server.writes = dice.randrange(4) if dice.random() < 0.3 else inf
        try:
            server.tick(now)
            server.tick(now)
        except DeathError:
            deaths += 1
            now += dice.choice((0, 1, 20, 20, 59))
        now += dice.choice((0.5, 1, 10, 30))
        number = bisect_right(dues, now)
        if dice.random() < 0.7 and number < len(dues):
            now = max(now, dues[number] - dice.choice((0, 0.5, 2)))
    server.writes = inf
    while server.tick(now) or runs.going_on(now) or server.state.queued:
        now += 30
    fates = server.fates(dues)
    wrong = [f"{due} was missed" for due, fate in fates.items() if fate is None]
    wrong += [f"{due} was not due" for due in server.runs.ends if due not in fates and due <= dues[-1]]
    if trigger.overlap == "allow":
        wrong += [f"{due} was not started" for due in dues if due not in server.runs.ends]
    return [*wrong, *_broken_promises(trigger, server)], deaths
