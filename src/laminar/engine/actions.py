"""The life of actions: wait for a slot, start, end, retry. Knows nothing of graphs.

Used from one thread. Before an attempt starts, its row is in the ledger; whatever an attempt hands over is checked
against the attempts that live, so a late or doubled end changes nothing.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque

from laminar.core import admission, lifecycle
from laminar.core.lifecycle import Again, GiveUp, Tries
from laminar.engine.contract import Failed
from laminar.engine.failures import exception_of
from laminar.model.action import Ended, Request
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import Outcome, State
from laminar.model.tracebacks import users_traceback
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from laminar.engine.contract import Observer, Program, Submission
    from laminar.engine.logs import Logs
    from laminar.executors.contract import Session
    from laminar.ledger.sql import Ledger
    from laminar.model.action import Manifest, Started


class Waiting(Value):
    """An action that waits for a slot, or for its retry."""

    layer: str
    index: int
    splits: int
    number: int
    tries: Tries
    memory: float | None
    close: Callable[[], None] | None


class Live(Value):
    """An attempt that runs."""

    waiting: Waiting
    submission: Submission
    started: float
    cause: Outcome | None


class Settled(Value, frozen=True):
    """An action has ended for good.

    Attributes:
        layer: The layer.
        index: Which split.
        attempt: Which try was the last.
        started: When that try started, in seconds since the epoch.
        manifest: What it handed over, if it did.
        failed: The failure, unless it succeeded or was cancelled.
        cancelled: Whether it was stopped, or never started, because the run stops.
    """

    layer: str
    index: int
    attempt: int
    started: float
    manifest: Manifest | None = None
    failed: Failed | None = None
    cancelled: bool = False


class Actions:
    """All actions of one run under one holder."""

    def __init__(
        self,
        program: Program,
        epoch: int,
        session: Session,
        ledger: Ledger,
        logs: Logs,
        observer: Observer,
        dice: Callable[[], float],
        folder: str,
    ) -> None:
        """Start with none.

        Args:
            program: Makes attempts ready.
            epoch: Which holder of the run this is.
            session: Runs attempts.
            ledger: Where it is recorded.
            logs: Follows their output.
            observer: Is told.
            dice: Gives random numbers from 0 to 1.
            folder: For the manifests that attempts hand over.
        """
        self._program = program
        self._epoch = epoch
        self._session = session
        self._ledger = ledger
        self._logs = logs
        self._observer = observer
        self._dice = dice
        self._folder = folder
        self._queue: deque[tuple[str, int, int]] = deque()
        self._again: deque[Waiting] = deque()
        self._delayed: list[tuple[float, int, Waiting]] = []
        self._deadlines: list[tuple[float, int, AttemptKey]] = []
        self._order = itertools.count()
        self.live: dict[AttemptKey, Live] = {}

    def request(self, layer: str, indexes: Iterable[int], splits: int) -> None:
        """Ask for splits of a layer."""
        indexes = list(indexes)
        holders = [str(key.action) for key in self.live]
        reason = admission.waiting_reason(self._session.capacity, holders)
        self._ledger.wait(self._program.space, self._program.run, layer, indexes, self._epoch, reason)
        self._queue.extend((layer, index, splits) for index in indexes)

    def keep(self, layer: str, indexes: Iterable[int]) -> None:
        """Record splits whose results are kept from before."""
        reason = "kept from before"
        self._ledger.keep(self._program.space, self._program.run, layer, indexes, self._epoch, reason)

    def drop_waiting(self) -> list[Settled]:
        """Give up all that has not started."""
        waiting = [*self._again, *(entry[2] for entry in self._delayed)]
        for item in waiting:
            if item.close is not None:
                item.close()
        dropped = [(item.layer, item.index, item.number - 1) for item in waiting]
        dropped += [(layer, index, 0) for layer, index, _ in self._queue]
        self._again.clear()
        self._delayed.clear()
        self._queue.clear()
        now = time.time()
        for layer, index, _ in dropped:
            self._ledger.settle(self._action(layer, index), self._epoch, State.CANCELLED, "the run stopped", now)
        return [Settled(layer, index, number, now, cancelled=True) for layer, index, number in dropped]

    def cancel(self, grace: float) -> None:
        """Stop all that runs."""
        for key, live in self.live.items():
            live.cause = live.cause or Outcome.CANCELLED
            self._session.stop(key, grace)

    def start_ready(self) -> list[Settled]:
        """Start what may start now.

        Returns:
            Actions whose submission hooks raised.
        """
        failed: list[Settled] = []
        ready: list[tuple[Live, Request]] = []
        self._wake_delayed()
        while admission.free_slots(len(self.live), self._session.capacity) and (self._queue or self._again):
            waiting = self._next()
            try:
                ready.append(self._submit(waiting))
            except Exception as error:
                failed.append(self._unsubmitted(waiting, error))
        if ready:
            self._ledger.flush()
            for live, request in ready:
                self._start(live, request)
        return failed

    def _next(self) -> Waiting:
        if self._again:
            return self._again.popleft()
        layer, index, splits = self._queue.popleft()
        return Waiting(layer, index, splits, 1, Tries(), None, None)

    def _wake_delayed(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            waiting = heapq.heappop(self._delayed)[2]
            if waiting.close is not None:
                waiting.close()
                waiting.close = None
            self._again.append(waiting)

    def _submit(self, waiting: Waiting) -> tuple[Live, Request]:
        layer, index, number = waiting.layer, waiting.index, waiting.number
        submission = self._program.submit(layer, index, waiting.splits, number, waiting.memory)
        key = AttemptKey(self._action(layer, index), number, self._epoch)
        live = Live(waiting, submission, time.time(), None)
        self.live[key] = live
        log = self._logs.follow(key, waiting.splits)
        self._ledger.start(key, live.started, log)
        manifest = f"{self._folder}/{layer}.{index}.{self._epoch}.{number}.manifest"
        resources, placement = submission.resources, submission.placement
        return live, Request(key, submission.payload, submission.env, resources, log, manifest, placement)

    def _start(self, live: Live, request: Request) -> None:
        self._session.start(request)
        live.submission.close()
        if not self._session.tells_start:
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
        self._observer.attempt_started(key.action.name, key.action.index, key.number)

    def _unsubmitted(self, waiting: Waiting, error: Exception) -> Settled:
        where = Failed(
            layer=waiting.layer,
            index=waiting.index,
            splits=waiting.splits,
            attempts=waiting.number - 1,
            error=error,
            reason="a submission hook raised",
            traceback=users_traceback(error),
        )
        self._ledger.settle(
            self._action(waiting.layer, waiting.index), self._epoch, State.FAILED, _line(error), time.time()
        )
        self._program.settled(waiting.layer, waiting.index)
        return Settled(waiting.layer, waiting.index, waiting.number, time.time(), failed=where)

    def time_out(self, grace: float) -> None:
        """Stop the attempts whose time is over."""
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            key = heapq.heappop(self._deadlines)[2]
            live = self.live.get(key)
            if live is not None and live.cause is None:
                live.cause = Outcome.TIMED_OUT
                self._session.stop(key, grace)

    def patience(self) -> float | None:
        """Tell in how many seconds something is due; None if nothing is."""
        due = [entry[0][0] for entry in (self._delayed, self._deadlines) if entry]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def ended(self, ended: Ended) -> Settled | None:
        """Take the end of an attempt.

        Returns:
            The action, if it has ended for good.
        """
        live = self.live.pop(ended.key, None)
        if live is None:
            return None
        self._logs.leave(ended.key)
        ended = _with_cause(ended, live)
        now = time.time()
        succeeded = ended.outcome is Outcome.SUCCEEDED
        cancelled = ended.outcome is Outcome.CANCELLED
        state = State.SUCCEEDED if succeeded else State.CANCELLED if cancelled else State.FAILED
        detail = _outcome_text(ended)
        self._ledger.finish(ended.key, state, detail, now, ended.cpu, ended.memory)
        waiting = live.waiting
        if succeeded:
            self._program.settled(waiting.layer, waiting.index)
            self._observer.attempt_ended(waiting.layer, waiting.index, State.SUCCEEDED, final=True)
            return Settled(waiting.layer, waiting.index, waiting.number, live.started, ended.manifest)
        return self._after_failure(ended, live, detail, state)

    def committed(self, settled: Settled, detail: str | None) -> None:
        """Record that a success is committed."""
        self._ledger.settle(
            self._action(settled.layer, settled.index), self._epoch, State.SUCCEEDED, detail, time.time()
        )

    def _after_failure(self, ended: Ended, live: Live, detail: str, state: State) -> Settled | None:
        waiting = live.waiting
        failure = ended.manifest.failure if ended.manifest is not None else None
        decision = lifecycle.after_failure(
            ended.outcome,
            final=failure is not None and failure.final,
            retry=live.submission.retry,
            tries=waiting.tries,
            resources=live.submission.resources,
            dice=self._dice(),
        )
        if isinstance(decision, Again):
            try:
                self._retry(waiting, decision)
            except Exception as error:
                return self._give_up(ended, live, GiveUp("a retry hook raised"), _line(error), State.FAILED, error)
            return None
        return self._give_up(ended, live, decision, detail, state, None)

    def _retry(self, waiting: Waiting, decision: Again) -> None:
        close = self._program.retrying(waiting.layer, waiting.index)
        again = waiting.replace(
            number=waiting.number + 1, tries=decision.tries, memory=decision.memory or waiting.memory, close=close
        )
        heapq.heappush(self._delayed, (time.monotonic() + decision.delay, next(self._order), again))
        reason = f"waits {decision.delay:.2f} s to try again: {decision.reason}"
        action = self._action(waiting.layer, waiting.index)
        self._ledger.settle(action, self._epoch, State.WAITING, reason, time.time())
        self._ledger.event(action.space, action.run, "retry", reason, action.name, action.index)
        self._observer.attempt_ended(waiting.layer, waiting.index, State.FAILED, final=False)
        self._observer.retrying(waiting.layer, waiting.index, decision.delay, decision.reason)

    def _give_up(
        self, ended: Ended, live: Live, decision: GiveUp, detail: str, state: State, hook_error: Exception | None
    ) -> Settled:
        waiting = live.waiting
        self._ledger.settle(self._action(waiting.layer, waiting.index), self._epoch, state, detail, time.time())
        self._program.settled(waiting.layer, waiting.index)
        self._observer.attempt_ended(waiting.layer, waiting.index, state, final=True)
        settled = Settled(waiting.layer, waiting.index, waiting.number, live.started, ended.manifest)
        if state is State.CANCELLED:
            return settled.replace(cancelled=True)
        failure = ended.manifest.failure if ended.manifest is not None else None
        traceback = failure.traceback if failure is not None else ""
        bare = Failed(waiting.layer, waiting.index, waiting.splits, waiting.number, ValueError(), decision.reason, "")
        if hook_error is not None:
            error: BaseException = hook_error
            traceback = users_traceback(hook_error)
        else:
            error = exception_of(ended, f"{bare.where()}, attempt {waiting.number}")
        return settled.replace(failed=bare.replace(error=error, traceback=traceback))

    def _action(self, layer: str, index: int) -> ActionKey:
        return ActionKey(self._program.space, self._program.run, layer, index)


def _with_cause(ended: Ended, live: Live) -> Ended:
    """Say why an attempt ended that the engine had asked to stop; a success that came first stays one."""
    if live.cause is None or ended.outcome is Outcome.SUCCEEDED:
        return ended
    detail = ended.detail
    if live.cause is Outcome.TIMED_OUT:
        detail = f"ran longer than its time-out of {live.submission.timeout:g} s and was stopped"
    return ended.replace(outcome=live.cause, detail=detail, manifest=None)


def _outcome_text(ended: Ended) -> str:
    failure = ended.manifest.failure if ended.manifest is not None else None
    if failure is not None:
        return f"{failure.type_name.removeprefix('builtins.')}: {failure.message}"[:500]
    return f"{ended.outcome.value}: {ended.detail}" if ended.detail else ended.outcome.value


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
