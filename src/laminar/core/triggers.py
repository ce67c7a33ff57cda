"""What to do about a trigger's due times: start, line up, skip, cancel.

:func:`step` is called with the state that was kept, the time, and the runs that go on. It may be called at any time, as
often as one likes, by a server that died in between: a run of a trigger is named by its due time, so to be told
twice to start it is to be told once. Who carries the actions out keeps them by ``(trigger, due)``, the first decision
counts, and keeps the new state in the same transaction, or after them; never before.
"""

from __future__ import annotations

from laminar.core.schedule import firings, latest_firings, local, next_firings
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeAlias

    from laminar.model.triggers import Trigger

#: Seconds after which a due time that was not noticed counts as missed; then ``catchup`` says what follows.
GRACE = 60
#: Due times of one trigger that may wait for a run to end; ``catchup=N`` with a greater N allows N.
WAITING = 10


class State(Value, frozen=True):
    """What is kept of an active trigger from one step to the next.

    Attributes:
        begins: When it was activated, in seconds since 1970 in UTC.
        considered: Up to and including this moment, all due times are decided.
        queued: Due times that wait for a run to end, the oldest first.
    """

    begins: int
    considered: int
    queued: tuple[int, ...] = ()


class Start(Value, frozen=True):
    """Start a run, unless there is or was one of this due time.

    Attributes:
        due: Seconds since 1970 in UTC; the name of the run within its trigger.
    """

    due: int


class Queue(Value, frozen=True):
    """Let a due time wait; a later step starts it.

    Attributes:
        due: Seconds since 1970 in UTC.
        why: What it waits for, as a sentence for people.
    """

    due: int
    why: str


class Skip(Value, frozen=True):
    """Start no run for a due time.

    Attributes:
        due: Seconds since 1970 in UTC.
        why: The reason, as a sentence for people.
    """

    due: int
    why: str


class Missed(Value, frozen=True):
    """Start no run for all due times of a span, however many there are, unless one of them was started.

    Attributes:
        due: The last of them, in seconds since 1970 in UTC.
        first: The first of them.
        why: The reason, as a sentence for people.
    """

    due: int
    first: int
    why: str


class Cancel(Value, frozen=True):
    """Cancel the run of a due time. It is said again at each step until the run has ended.

    Attributes:
        due: Seconds since 1970 in UTC.
        why: The reason, as a sentence for people.
    """

    due: int
    why: str


if TYPE_CHECKING:
    Action: TypeAlias = Start | Queue | Skip | Missed | Cancel


def activate(now: float) -> State:
    """Begin with a trigger: what is due after this moment is its business.

    Args:
        now: Seconds since 1970 in UTC.

    Returns:
        Its first state.
    """
    return State(begins=int(now), considered=int(now))


def pause(state: State) -> tuple[State, list[Skip]]:
    """Stop with a trigger for a while. Runs that go on are left alone; what waits will not start.

    Args:
        state: As it was kept.

    Returns:
        The state to keep, for which no step is to be made until :func:`resume`; and what becomes of what waited.
    """
    return state.replace(queued=()), [Skip(due, "The trigger was paused while this waited.") for due in state.queued]


def resume(state: State, now: float) -> State:
    """Go on with a trigger that was paused. What was due meanwhile is not caught up: nobody missed it.

    Args:
        state: As it was kept.
        now: Seconds since 1970 in UTC.

    Returns:
        The state to keep. A :class:`FixedRate` keeps its beat.
    """
    return state.replace(considered=max(state.considered, int(now)))


def next_due(trigger: Trigger, state: State) -> int | None:
    """Tell when the next step is worth making; one is also when a run of the trigger has ended.

    Args:
        trigger: The trigger.
        state: As it was kept.

    Returns:
        Seconds since 1970 in UTC, in the past if something was missed; None if it is never due again.
    """
    return next(iter(next_firings(trigger.automation, state.considered, 1, state.begins)), None)


def step(trigger: Trigger, state: State, now: float, running: Collection[int]) -> tuple[State, list[Action]]:
    """Decide what follows from the time and from the runs that go on.

    Args:
        trigger: The trigger; it has been activated and is not paused.
        state: As it was kept.
        now: Seconds since 1970 in UTC. A clock that was put back changes nothing.
        running: The due times of those of its runs that have been started and have not ended.

    Returns:
        The state to keep, and what to do, in this order. Nothing changes and nothing is to be done at most steps.
    """
    missed, fresh = _fresh(trigger, state, now)
    decided = [*([missed.due] if missed else []), *fresh, state.considered]
    # A run that goes on though its due time is undecided was started by a step whose state was lost.
    actions: list[Action] = [Start(due) for due in (*state.queued, *fresh) if due in running]
    queued, more = _OVERLAPS[trigger.overlap](_Case(trigger, state, fresh, sorted(running)))
    return State(state.begins, max(decided), tuple(queued)), [*([missed] if missed else []), *actions, *more]


def _fresh(trigger: Trigger, state: State, now: float) -> tuple[Missed | None, list[int]]:
    """Find the due times to decide: those just now, and of those that were missed as many as are caught up."""
    first = next_due(trigger, state)
    if first is None or first > now:
        return None, []
    late = now - GRACE
    fresh = firings(trigger.automation, max(state.considered, late), now, state.begins)
    if first > late:
        return None, fresh
    allowed = _allowed(trigger)
    found = latest_firings(trigger.automation, state.considered, late, allowed + 1, state.begins)
    if len(found) <= allowed:
        return None, [*found, *fresh]
    return Missed(found[0], first, _missed(trigger, first, found[0])), [*found[1:], *fresh]


def _allowed(trigger: Trigger) -> int:
    if isinstance(trigger.catchup, int):
        return trigger.catchup
    return 1 if trigger.catchup == "latest" else 0


class _Case(Value, frozen=True):
    """What an overlap rule looks at: due times to decide, and runs that go on, both in order."""

    trigger: Trigger
    state: State
    fresh: list[int]
    running: list[int]

    @property
    def line(self) -> list[int]:
        """Due times for which no run goes on yet, those that waited before first."""
        return [due for due in (*self.state.queued, *self.fresh) if due not in self.running]

    def shown(self, due: int) -> str:
        """Give a due time for people."""
        return _shown(self.trigger, due)


# An overlap rule answers what waits from now on, and what to do.


def _allow(case: _Case) -> tuple[list[int], list[Action]]:
    return [], [Start(due) for due in case.line]


def _skip(case: _Case) -> tuple[list[int], list[Action]]:
    """Skip what is due while something of before goes on or waits; what is decided in one step lines up."""
    before = [*(due for due in case.running if due <= case.state.considered), *case.state.queued]
    if not before:
        return _queue(case)
    does = "still goes on" if before[0] in case.running else "waits to start"
    why = f"The run of {case.shown(before[0])} {does}, and overlap='skip' lets nothing start beside it."
    queued, actions = _queue(case.replace(fresh=[]))
    return queued, [*actions, *(Skip(due, why) for due in case.fresh if due not in case.running)]


def _queue(case: _Case) -> tuple[list[int], list[Action]]:
    """Start one if nothing goes on; the others wait, the oldest first."""
    line, holder = case.line, case.running
    actions: list[Action] = []
    if line and not holder:
        holder = [line.pop(0)]
        actions.append(Start(holder[0]))
    most = max(WAITING, _allowed(case.trigger))
    new = [due for due in line[:most] if due not in case.state.queued]
    actions += [Queue(due, f"Waits until the run of {case.shown(holder[0])} has ended.") for due in new]
    actions += [Skip(due, f"As many as may wait, {most}, wait already.") for due in line[most:]]
    return line[:most], actions


def _cancel_old(case: _Case) -> tuple[list[int], list[Action]]:
    """Let the newest take the place of all others; it starts when they have ended."""
    newest = max((*case.state.queued, *case.fresh), default=None)
    if newest is None:
        return [], []
    why = f"The run of {case.shown(newest)} takes its place, as overlap='cancel-old' says."
    actions: list[Action] = [Skip(due, why) for due in case.line if due != newest]
    actions += [Cancel(due, why) for due in case.running if due < newest]
    if newest in case.running:
        return [], actions
    if not case.running:
        return [], [*actions, Start(newest)]
    if newest not in case.state.queued:
        actions.append(Queue(newest, f"Waits until the run of {case.shown(case.running[0])} has ended."))
    return [newest], actions


_OVERLAPS = {"allow": _allow, "skip": _skip, "queue": _queue, "cancel-old": _cancel_old}


def _missed(trigger: Trigger, first: int, last: int) -> str:
    when = f"At {_shown(trigger, last)}"
    if first != last:
        when = f"From {_shown(trigger, first)} to {_shown(trigger, last)}"
    rest = {"none": "starts none of them", "latest": "starts only the latest"}
    only = rest.get(str(trigger.catchup), f"starts only the latest {trigger.catchup}")
    return f"{when} nothing could be started, and catchup={trigger.catchup!r} {only}."


def _shown(trigger: Trigger, due: int) -> str:
    return local(trigger.automation, due).isoformat(" ")
