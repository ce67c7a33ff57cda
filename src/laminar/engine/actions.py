"""The life of actions: wait for a slot, start, end, retry. Knows nothing of graphs.

Used from one thread. Before an attempt starts, its row is in the ledger; whatever an attempt hands over is checked
against the attempts that live, so a late or doubled end changes nothing.
"""

from __future__ import annotations

import heapq
import itertools
import operator
import time
from collections import deque

from laminar.core import admission, lifecycle
from laminar.core.lifecycle import Again, GiveUp, Tries
from laminar.engine.contract import Failed
from laminar.engine.failures import exception_of, line_of, text_of
from laminar.errors import AttemptTimeoutError
from laminar.model.action import Ended, Request
from laminar.model.ids import AttemptKey
from laminar.model.states import Outcome, State
from laminar.model.tracebacks import users_traceback
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from laminar.engine.contract import Doors, Failures, Logs, Observer, Submission, Work
    from laminar.executors.contract import Session
    from laminar.ledger.sql import Ledger
    from laminar.model.action import Manifest, Started
    from laminar.model.ids import ActionKey


class Waiting(Value, hot=True):
    """An action that waits for a slot, or for its retry."""

    work: Work
    number: int
    tries: Tries
    memory: float | None
    close: Callable[[], None] | None


class Live(Value, hot=True):
    """An attempt that runs.

    Attributes:
        waiting: The action.
        submission: How it was made ready.
        started: When, in seconds since the epoch.
        cause: Why it was asked to stop, if it was.
        late: What it has taken too long for, in words, if it was asked to stop for that.
        last: Whether no other may follow it.
        idle: Whether it only waits for actions that it has called, and so leaves its slot to them.
    """

    waiting: Waiting
    submission: Submission
    started: float
    cause: Outcome | None
    late: str = ""
    last: bool = False
    idle: bool = False


class Settled(Value, frozen=True, hot=True):
    """An action has ended for good.

    Attributes:
        work: The action.
        attempt: Which try was the last.
        started: When that try started, in seconds since the epoch.
        manifest: What it handed over, if it did.
        failed: The failure, unless it succeeded or was cancelled.
        cancelled: Whether it was stopped, or never started, because the run stops.
    """

    work: Work
    attempt: int
    started: float
    manifest: Manifest | None = None
    failed: Failed | None = None
    cancelled: bool = False


class Lane:
    """A session, and what waits for a slot in it: the deepest first, and of one depth the first that came."""

    def __init__(self, session: Session) -> None:
        """Start empty."""
        self.session = session
        self.busy = 0
        self.queue: list[tuple[int, int, Work]] = []
        self.again: deque[Waiting] = deque()

    def next(self) -> Waiting | None:
        """Take what starts next; None if nothing waits that is still wanted, or no slot is free for it."""
        while self.again and self.again[0].work.over:
            self.again.popleft()
        if self.again:
            return self.again.popleft() if self.session.reserve(self.busy, self.again[0].work.key) else None
        while self.queue and self.queue[0][2].over:
            heapq.heappop(self.queue)
        if self.queue and self.session.reserve(self.busy, self.queue[0][2].key):
            return Waiting(heapq.heappop(self.queue)[2], 1, Tries(), None, None)
        return None


class _Lanes(dict[str, Lane]):
    """Lanes by their names, made when they are first asked for."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        super().__init__({name: Lane(session) for name, session in sessions.items()})
        self._sessions = sessions

    def __missing__(self, name: str) -> Lane:
        lane = self[name] = Lane(self._sessions[name])
        return lane


class Actions:
    """All actions of one run under one holder."""

    def __init__(
        self,
        epoch: int,
        sessions: Mapping[str, Session],
        ledger: Ledger,
        logs: Logs,
        observer: Observer,
        dice: Callable[[], float],
        folder: str,
        desk: Doors,
        failures: Failures,
    ) -> None:
        """Start with none.

        Args:
            epoch: Which holder of the run this is.
            sessions: Run attempts, each those of one lane.
            ledger: Where it is recorded.
            logs: Follows their output.
            observer: Is told.
            dice: Gives random numbers from 0 to 1.
            folder: For the manifests that attempts hand over.
            desk: Hears attempts outside this process.
            failures: Makes exceptions of data, and back.
        """
        self.epoch = epoch
        self.failures = failures
        self._lanes = _Lanes(sessions)
        self._ledger = ledger
        self._logs = logs
        self._observer = observer
        self._dice = dice
        self._folder = folder
        self._desk = desk
        self._delayed: list[tuple[float, int, Waiting]] = []
        self._deadlines: list[tuple[float, int, AttemptKey]] = []
        #: When actions have taken too long: for one attempt to start, by its number, or in all, by 0.
        self._limits: list[tuple[float, int, Work, int]] = []
        self._order = itertools.count()
        self._running: dict[ActionKey, AttemptKey] = {}
        self.live: dict[AttemptKey, Live] = {}

    def request(self, works: Iterable[Work]) -> None:
        """Ask for actions to be carried out."""
        for work in works:
            heapq.heappush(self._lanes[work.lane].queue, (-work.depth, next(self._order), work))
            if work.deadline is not None:
                heapq.heappush(self._limits, (time.monotonic() + work.deadline, next(self._order), work, 0))
            self._limit_queueing(work, 1)

    def _limit_queueing(self, work: Work, number: int) -> None:
        if work.max_queued is not None:
            heapq.heappush(self._limits, (time.monotonic() + work.max_queued, next(self._order), work, number))

    def waiting_reason(self, lane: str) -> str:
        """Say in one sentence what an action that is asked for now waits for."""
        holders = [str(key.action) for key in itertools.islice(self.live, 4)]
        return admission.waiting_reason(self._lanes[lane].session.capacity, holders)

    def waiting(self, names: Collection[str]) -> dict[tuple[str, int], str]:
        """Tell which actions of some names wait for a slot, and in which lane. May be asked from any thread."""
        found = {}
        for lane, one in self._lanes.copy().items():
            for work in (*(item.work for item in one.again.copy()), *(entry[2] for entry in one.queue.copy())):
                if work.key.name in names and not work.over:
                    found[work.key.name, work.key.index] = lane
        return found

    def dismiss(self, work: Work, grace: float) -> bool:
        """Give up an action that nobody needs any more; tells whether it had not started, so that no end follows."""
        key = self._running.get(work.key)
        if key is not None:
            self.stop(key, grace)
            return False
        work.over = True
        self._ledger.settle(work.key, self.epoch, State.CANCELLED, "its caller needs it no more", time.time())
        return True

    def drop_waiting(self) -> list[Settled]:
        """Give up all that has not started."""
        waiting = [entry[2] for entry in self._delayed]
        works: list[Work] = []
        for lane in self._lanes.values():
            waiting += lane.again
            works += [entry[2] for entry in sorted(lane.queue, key=operator.itemgetter(0, 1))]
            lane.again.clear()
            lane.queue.clear()
        self._delayed.clear()
        for item in waiting:
            if item.close is not None:
                item.close()
        dropped = [self._dropped(item.work, item.number - 1) for item in waiting if not item.work.over]
        return dropped + [self._dropped(work, 0) for work in works if not work.over]

    def _dropped(self, work: Work, number: int) -> Settled:
        now = time.time()
        self._ledger.settle(work.key, self.epoch, State.CANCELLED, "the run stopped", now)
        return Settled(work, number, now, cancelled=True)

    def idle(self, key: AttemptKey, *, idle: bool) -> None:
        """Say whether an attempt only waits for actions that it has called."""
        live = self.live.get(key)
        if live is not None and live.idle is not idle:
            live.idle = idle
            lane = self._lanes[live.waiting.work.lane]
            lane.busy += -1 if idle else 1
            lane.session.idle(key, idle=idle)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Stop an attempt, as its caller needs it no more."""
        live = self.live.get(key)
        if live is not None:
            live.cause = live.cause or Outcome.CANCELLED
            self._lanes[live.waiting.work.lane].session.stop(key, grace)

    def cancel(self, grace: float) -> None:
        """Stop all that runs."""
        for key in list(self.live):
            self.stop(key, grace)

    def start_ready(self) -> list[Settled]:
        """Start what may start now.

        Returns:
            Actions whose submission hooks raised.
        """
        failed: list[Settled] = []
        self._wake_delayed()
        for lane in self._lanes.values():
            ready: list[tuple[Live, Request]] = []
            while (waiting := lane.next()) is not None:
                try:
                    ready.append(self._submit(waiting, lane))
                except Exception as error:
                    lane.session.release(waiting.work.key)
                    failed.append(self._unsubmitted(waiting, error))
            if ready and not lane.session.inside:
                self._ledger.flush()
            for live, request in ready:
                self._start(live, request, lane.session)
        return failed

    def _wake_delayed(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            waiting = heapq.heappop(self._delayed)[2]
            if waiting.close is not None:
                waiting.close()
                waiting.close = None
            self._lanes[waiting.work.lane].again.append(waiting)
            self._limit_queueing(waiting.work, waiting.number)

    def _submit(self, waiting: Waiting, lane: Lane) -> tuple[Live, Request]:
        work, number = waiting.work, waiting.number
        work.begun = number
        submission = work.submit(number, waiting.memory)
        action = work.key
        key = AttemptKey(action, number, self.epoch)
        live = Live(waiting, submission, time.time(), None)
        self.live[key] = live
        self._running[action] = key
        lane.busy += 1
        log = self._logs.follow(key, work.label, work.splits)
        self._ledger.start(key, live.started, log)
        manifest = f"{self._folder}/{action.name}.{action.index}.{self.epoch}.{number}.manifest"
        resources, placement = submission.resources, submission.placement
        door = None if lane.session.inside else self._desk.admit(key)
        request = Request(
            key,
            submission.payload,
            submission.env,
            resources,
            log,
            manifest,
            placement,
            submission.entry,
            door,
            submission.timeout,
        )
        return live, request

    def _start(self, live: Live, request: Request, session: Session) -> None:
        session.start(request)
        live.submission.close()
        if not session.tells_start:
            self._begin(request.key, live)

    def started(self, started: Started) -> None:
        """Hear that an attempt which had to wait for its place runs from now on."""
        live = self.live.get(started.key)
        if live is None:
            return
        action = started.key.action
        if started.detail:
            self._ledger.event(action.space, action.run, "placed", started.detail, action.name, action.index)
            self._observer.notice(f"{action} {started.detail}")
        self._begin(started.key, live)

    def _begin(self, key: AttemptKey, live: Live) -> None:
        timeout = live.submission.timeout
        if timeout is not None:
            heapq.heappush(self._deadlines, (time.monotonic() + timeout, next(self._order), key))
        self._observer.attempt_started(live.waiting.work.label, key.action.index, key.number)

    def _unsubmitted(self, waiting: Waiting, error: Exception) -> Settled:
        return self._unstarted(waiting.work, waiting.number - 1, error, waiting.work.unready)

    def _unstarted(self, work: Work, attempts: int, error: Exception, reason: str) -> Settled:
        """Give up an action of which nothing runs."""
        work.over = True
        failed = Failed(
            layer=work.key.name,
            index=work.key.index,
            where=work.title(),
            attempts=attempts,
            error=error,
            reason=reason,
            traceback=users_traceback(error),
        )
        self._ledger.settle(work.key, self.epoch, State.FAILED, line_of(error), time.time())
        work.settled()
        return Settled(work, attempts + 1, time.time(), failed=failed)

    def time_out(self, grace: float) -> list[Settled]:
        """Stop the attempts whose time is over.

        Returns:
            Actions whose time was over before an attempt could start.
        """
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            key = heapq.heappop(self._deadlines)[2]
            live = self.live.get(key)
            if live is not None and live.cause is None:
                self._stop_late(key, live, f"its time-out of {live.submission.timeout:g} s", grace)
        expired = []
        while self._limits and self._limits[0][0] <= now:
            _, _, work, number = heapq.heappop(self._limits)
            if work.over or (number and work.begun >= number):
                continue
            limit = f"max_queued_time of {work.max_queued:g} s" if number else f"deadline of {work.deadline:g} s"
            running = self._running.get(work.key)
            if running is not None:
                self.live[running].last = True
                self._stop_late(running, self.live[running], f"its {limit}", grace)
            else:
                late = AttemptTimeoutError(f"{work.title()} waited for a place longer than its {limit}.")
                expired.append(self._unstarted(work, work.begun, late, "its time was over"))
        return expired

    def _stop_late(self, key: AttemptKey, live: Live, limit: str, grace: float) -> None:
        live.cause = Outcome.TIMED_OUT
        live.late = limit
        self._lanes[live.waiting.work.lane].session.stop(key, grace)

    def patience(self) -> float | None:
        """Tell in how many seconds something is due; None if nothing is."""
        due = [entry[0][0] for entry in (self._delayed, self._deadlines, self._limits) if entry]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def ended(self, ended: Ended) -> Settled | None:
        """Take the end of an attempt.

        Returns:
            The action, if it has ended for good.
        """
        live = self.live.pop(ended.key, None)
        if live is None:
            return None
        work = live.waiting.work
        del self._running[work.key]
        if not live.idle:
            self._lanes[work.lane].busy -= 1
        self._desk.dismiss(ended.key)
        self._logs.leave(ended.key)
        ended = _with_cause(ended, live)
        now = time.time()
        succeeded = ended.outcome is Outcome.SUCCEEDED
        cancelled = ended.outcome is Outcome.CANCELLED
        state = State.SUCCEEDED if succeeded else State.CANCELLED if cancelled else State.FAILED
        detail = text_of(ended)
        self._ledger.finish(ended.key, state, detail, now, ended.cpu, ended.memory)
        if succeeded:
            work.over = True
            work.settled()
            self._observer.attempt_ended(work.label, work.key.index, State.SUCCEEDED, final=True)
            return Settled(work, live.waiting.number, live.started, ended.manifest)
        return self._after_failure(ended, live, detail, state)

    def committed(self, settled: Settled, detail: str | None) -> None:
        """Record that a success is committed."""
        self._ledger.settle(settled.work.key, self.epoch, State.SUCCEEDED, detail, time.time())

    def _after_failure(self, ended: Ended, live: Live, detail: str, state: State) -> Settled | None:
        waiting = live.waiting
        failure = ended.manifest.failure if ended.manifest is not None else None
        decision = lifecycle.after_failure(
            ended.outcome,
            final=(failure is not None and failure.final) or live.last,
            excused=ended.outcome in live.waiting.work.excused,
            retry=live.submission.retry,
            tries=waiting.tries,
            resources=live.submission.resources,
            dice=self._dice(),
        )
        if isinstance(decision, Again):
            try:
                self._retry(waiting, decision)
            except Exception as error:
                return self._give_up(ended, live, GiveUp("a retry hook raised"), line_of(error), State.FAILED, error)
            return None
        return self._give_up(ended, live, decision, detail, state, None)

    def _retry(self, waiting: Waiting, decision: Again) -> None:
        work = waiting.work
        close = work.retrying()
        again = waiting.replace(
            number=waiting.number + 1, tries=decision.tries, memory=decision.memory or waiting.memory, close=close
        )
        heapq.heappush(self._delayed, (time.monotonic() + decision.delay, next(self._order), again))
        reason = f"waits {decision.delay:.2f} s to try again: {decision.reason}"
        action = work.key
        self._ledger.settle(action, self.epoch, State.WAITING, reason, time.time())
        self._ledger.event(action.space, action.run, "retry", reason, action.name, action.index)
        self._observer.attempt_ended(work.label, action.index, State.FAILED, final=False)
        self._observer.retrying(work.label, action.index, decision.delay, decision.reason)

    def _give_up(
        self, ended: Ended, live: Live, decision: GiveUp, detail: str, state: State, hook_error: Exception | None
    ) -> Settled:
        waiting = live.waiting
        work, number = waiting.work, waiting.number
        work.over = True
        self._ledger.settle(work.key, self.epoch, state, detail, time.time())
        work.settled()
        self._observer.attempt_ended(work.label, work.key.index, state, final=True)
        settled = Settled(work, number, live.started, ended.manifest)
        if state is State.CANCELLED:
            return settled.replace(cancelled=True)
        if hook_error is not None:
            error: BaseException = hook_error
            traceback = users_traceback(hook_error)
        else:
            failure = ended.manifest.failure if ended.manifest is not None else None
            traceback = failure.traceback if failure is not None else ""
            error = exception_of(ended, f"{work.title()}, attempt {number}", self.failures)
        failed = Failed(
            layer=work.key.name,
            index=work.key.index,
            where=work.title(),
            attempts=number,
            error=error,
            reason=decision.reason,
            traceback=traceback,
        )
        return settled.replace(failed=failed)


def _with_cause(ended: Ended, live: Live) -> Ended:
    """Say why an attempt ended that the engine had asked to stop; a success that came first stays one."""
    if live.cause is None or ended.outcome is Outcome.SUCCEEDED:
        return ended
    detail = ended.detail
    if live.cause is Outcome.TIMED_OUT:
        detail = f"ran longer than {live.late} and was stopped"
    return ended.replace(outcome=live.cause, detail=detail, manifest=None)
