"""The children of running actions: task calls, named by what they are, each carried out once.

A call is answered from the journal if it has ended before, from the cache if that is asked for, and waits for a child
of its name that runs. Else it becomes an action like every other. An answer is given only once what it says is
committed.
"""

from __future__ import annotations

import time

from laminar.errors import RecursionLimitError, RunAbortedError
from laminar.model.action import Output, Ref
from laminar.model.entries import Entry, Failed
from laminar.model.ids import ActionKey
from laminar.model.states import Outcome, State
from laminar.wire.messages import Answer, Call, Checkpoint, Dismiss, Recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.engine.actions import Actions, Settled
    from laminar.engine.contract import Failures, Journal, Kept, Observer, Work
    from laminar.ledger.rows import CacheRow
    from laminar.ledger.sql import Ledger
    from laminar.model.action import Asked, Failure
    from laminar.model.ids import AttemptKey

    Reply = Callable[[Answer], None]

#: How deep calls may nest. A task that calls itself without end is told so, long before memory or processes run out.
DEPTH = 100
#: Ends of attempts after which the parent is tried again by its own fault, so that failed children are tried again too.
OWN_FAULT = frozenset({Outcome.RAISED, Outcome.EXITED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY})


def refuse(event: Asked, failures: Failures) -> None:
    """Answer an attempt that has ended: a thread that it has left behind would wait for ever."""
    if isinstance(event.message, Dismiss):
        return
    error = RunAbortedError("A task was called by an attempt that has ended. Wait for all threads that call tasks.")
    event.reply(Answer(event.message.id, None, failures.describe(error), "the call"))


class Open:
    """A child that has not ended.

    Attributes:
        work: The action.
        call: As it was called.
        parent: Name of the action that called it.
        waiting: Who waits for it: the attempt, and how it is answered.
        stopped: Whether nobody needed it any more, so that it is asked to end.
    """

    __slots__ = ("call", "parent", "stopped", "waiting", "work")

    def __init__(self, work: Work, call: Call, parent: str) -> None:
        """Begin with nobody who waits."""
        self.work = work
        self.call = call
        self.parent = parent
        self.waiting: list[tuple[AttemptKey, Reply]] = []
        self.stopped = False


class Children:
    """All children of one run under one holder."""

    def __init__(
        self,
        run: ActionKey,
        actions: Actions,
        journal: Journal,
        values: Kept,
        ledger: Ledger,
        observer: Observer,
        work: Callable[[Call, ActionKey, int], Work],
        ended: Mapping[str, Entry],
    ) -> None:
        """Take up those that have ended before.

        Args:
            run: Name of an action of the run; children are named beside it.
            actions: Carries them out.
            journal: Where they are committed.
            values: Tells whether values are still there.
            ledger: Where they are recorded, and where results are kept for later runs.
            observer: Is told.
            work: Makes an action of a call, with its name and how deep it is.
            ended: Actions that have ended under holders before, by their names.
        """
        self._run = run
        self._actions = actions
        self._journal = journal
        self._values = values
        self._ledger = ledger
        self._observer = observer
        self._work = work
        #: What those that have succeeded have returned, taken apart: a run may have a hundred thousand.
        self._done: dict[str, tuple[Any, ...]] = {}
        self._failed = Failed()
        for entry in ended.values():
            self._note(entry)
        self._open: dict[str, Open] = {}
        #: Those that have not ended, by the action that called them.
        self._below: dict[str, set[str]] = {}
        self._asked: dict[AttemptKey, set[str]] = {}
        self._answers: list[tuple[Reply, Answer]] = []
        #: How often a child has ended in vain under this holder: without success, or its value was lost. Each time is
        #: an action of its own.
        self._times: dict[str, int] = {}
        self.grace = 0.0
        #: Why nothing more is begun; None while the run goes on.
        self.closed: str | None = None

    def owns(self, key: ActionKey) -> bool:
        """Tell whether an action is a child."""
        return key.name in self._open

    def _note(self, entry: Entry) -> None:
        self._failed.forget(entry.id)
        if entry.output is not None:
            self._done[entry.id] = tuple(part for ref in entry.output.refs for part in vars(ref).values())
        else:
            self._failed.add(entry)

    def ended(self, id: str, where: str = "") -> Answer | None:  # noqa: A002
        """Find what became of an action; None if it has not ended, or its value is gone."""
        done = self._done.get(id)
        if done is None:
            failed = self._failed.get(id)
            return None if failed is None else Answer(id, None, failed.failure, where)
        refs = tuple(Ref(*done[place : place + 3]) for place in range(0, len(done), 3))
        if self._values.missing(refs):
            del self._done[id]
            self._journal.forget(id)
            self._times[id] = self._times.get(id, 0) + 1
            return None
        return Answer(id, Output(refs), None, where)

    def commit(self, entry: Entry) -> None:
        """Take up an action that has ended; it counts from the next :meth:`flush` on."""
        self._journal.add(entry)
        if entry.failure is not None:
            self._failed.forget_below(entry.id)
        self._note(entry)

    def flush(self) -> None:
        """Commit what has ended, then answer.

        Raises:
            StorageError: It cannot be committed.
        """
        self._journal.flush()
        while self._answers:
            answers, self._answers = self._answers, []
            for reply, answer in answers:
                reply(answer)

    # What running actions ask

    def asked(self, event: Asked) -> None:
        """Take what an attempt asks; one that lives no more is refused."""
        if event.key not in self._actions.live:
            refuse(event, self._actions.failures)
            return
        message = event.message
        match message:
            case Call():
                self._call(event.key, message, event.reply)
            case Recall():
                self._answers.append((event.reply, self.ended(message.id) or Answer(message.id)))
            case Checkpoint():
                self._checkpoint(event.key, message, event.reply)
            case Dismiss():
                self._dismiss(event.key, message.id)

    def _call(self, parent: AttemptKey, call: Call, reply: Reply) -> None:
        answer = self.ended(call.id, f"task {call.task}")
        if answer is not None:
            self._answers.append((reply, answer))
            return
        found = self._open.get(call.id)
        if found is None:
            found = self._begin(parent, call, reply)
        if found is not None:
            found.waiting.append((parent, reply))
            self._asked.setdefault(parent, set()).add(call.id)
            self._actions.idle(parent, idle=True)

    def _begin(self, parent: AttemptKey, call: Call, reply: Reply) -> Open | None:
        """Begin a child, unless its result is kept from another run."""
        key = ActionKey(self._run.space, self._run.run, call.id, self._times.get(call.id, 0))
        above = self._actions.live[parent].waiting.work
        depth = above.depth + 1
        caller = self._caller(parent)
        if self.take_over(key, caller, call):
            self._answers.append((reply, self.ended(call.id) or Answer(call.id)))
            return None
        try:
            if self.closed is not None:
                raise RunAbortedError(f"Task {call.task} was called while its run stops: {self.closed}.")
            if depth > DEPTH:
                raise RecursionLimitError(
                    f"Task {call.task} was called {DEPTH} calls deep. A task that calls itself needs an end; "
                    "loops over many items call tasks side by side, not one inside the other."
                )
            work = self._work(call, key, depth)
            work.called_by(above)
        except Exception as error:
            self._refuse(key, caller, call, self._actions.failures.describe(error), reply)
            return None
        self._ledger.call(key, self._actions.epoch, call.task, caller, call.label, State.WAITING, self.missed(call))
        self._observer.called(call.task)
        self._actions.request((work,))
        opened = self._open[call.id] = Open(work, call, caller)
        self._below.setdefault(caller, set()).add(call.id)
        return opened

    def awaited(self) -> dict[tuple[str, int], dict[str, int]]:
        """Count what running actions wait for, by its task. May be asked from any thread."""
        found: dict[tuple[str, int], dict[str, int]] = {}
        for parent, ids in self._asked.copy().items():
            counts = found.setdefault((parent.action.name, parent.action.index), {})
            for child in (self._open.get(id_) for id_ in ids.copy()):
                if child is not None:
                    counts[child.call.task] = counts.get(child.call.task, 0) + 1
        return found

    def _close(self, id: str) -> Open:  # noqa: A002
        found = self._open.pop(id)
        siblings = self._below[found.parent]
        siblings.discard(id)
        if not siblings:
            del self._below[found.parent]
        return found

    def _refuse(self, key: ActionKey, caller: str, call: Call, failure: Failure, reply: Reply) -> None:
        """Answer a call that cannot become an action."""
        self._times[call.id] = key.index + 1
        reason = f"{failure.type_name.rpartition('.')[2]}: {failure.message}"[:500]
        self._ledger.call(key, self._actions.epoch, call.task, caller, call.label, State.FAILED, reason)
        self._answers.append((reply, Answer(call.id, None, failure, f"task {call.task}")))

    def _checkpoint(self, parent: AttemptKey, message: Checkpoint, reply: Reply) -> None:
        if message.output is not None and message.id in self._done:  # a flow that was gone through once more
            self._answers.append((reply, Answer(message.id, message.output)))
            return
        key = ActionKey(self._run.space, self._run.run, message.id, self._times.get(message.id, 0))
        caller = self._caller(parent)
        now = time.time()
        entry = Entry(message.id, message.task, caller, message.output, message.failure, 1, message.started, now)
        self.commit(entry)
        state = State.SUCCEEDED if message.failure is None else State.FAILED
        if message.failure is not None:
            self._times[message.id] = key.index + 1
        self._ledger.call(
            key, self._actions.epoch, message.task, caller, message.label, state, None, message.started, now
        )
        self._answers.append((reply, Answer(message.id, message.output)))

    def _dismiss(self, parent: AttemptKey, id: str) -> None:  # noqa: A002
        """Take back a call: a child that nobody waits for any more is stopped."""
        found = self._open.get(id)
        if found is None or self._actions.live[parent].cause is Outcome.TIMED_OUT:
            return  # who is tried again will ask for it again
        found.waiting = [(attempt, reply) for attempt, reply in found.waiting if attempt != parent]
        self._answered(parent, id)
        if not found.waiting:
            self._stop(id, found)

    def _stop(self, id: str, found: Open) -> None:  # noqa: A002
        found.stopped = True
        if self._actions.dismiss(found.work, self.grace):
            self._close(id)
            self._times[id] = found.work.key.index + 1
            self.stop_below(id)

    def _answered(self, parent: AttemptKey, id: str) -> None:  # noqa: A002
        """Note that an attempt waits for one child less."""
        asked = self._asked.get(parent)
        if asked is not None:
            asked.discard(id)
            if not asked:
                del self._asked[parent]
                self._actions.idle(parent, idle=False)

    def _caller(self, key: AttemptKey) -> str:
        """Name an action as the parent of what it calls: the splits of a layer are parents of their own."""
        action = key.action
        return f"{action.name}[{action.index}]" if action.index and not self.owns(action) else action.name

    # What ends

    def attempt_ended(self, key: AttemptKey, outcome: Outcome, settled: Settled | None) -> None:
        """Hear that an attempt has ended: nobody waits for its children any more.

        They run on if it is tried again, since it will then ask for them by the same names.
        """
        if outcome in OWN_FAULT:
            self._failed.forget_below(self._caller(key))
        for id_ in self._asked.pop(key, ()):
            found = self._open.get(id_)
            if found is not None:
                self._leave(key, id_, found)
        if settled is not None:
            self.stop_below(self._caller(key))

    def stop_below(self, parent: str) -> None:
        """Stop the children of an action that has ended for good."""
        for id_ in list(self._below.get(parent, ())):
            found = self._open[id_]
            if not found.waiting and not found.stopped:
                self._stop(id_, found)

    def _leave(self, key: AttemptKey, id: str, found: Open) -> None:  # noqa: A002
        """Let go of an attempt that has ended: a thread of it may wait still."""
        error = RunAbortedError(f"{found.work.title()} was called by an attempt that has ended.")
        failure = self._actions.failures.describe(error)
        left = []
        for attempt, reply in found.waiting:
            if attempt == key:
                self._answers.append((reply, Answer(id, None, failure, found.work.title())))
            else:
                left.append((attempt, reply))
        found.waiting = left

    def settle(self, settled: Settled) -> None:
        """Take the end of a child, and answer who waits for it."""
        id_ = settled.work.key.name
        found = self._close(id_)
        self.stop_below(id_)
        where = settled.work.title()
        if settled.cancelled or settled.failed is not None:
            self._times[id_] = settled.work.key.index + 1
        if settled.cancelled and found.stopped:
            self._call_again(found)
            return
        if settled.cancelled:
            error = RunAbortedError(f"{where} was stopped before it came to an end.")
            failure = self._actions.failures.describe(error)
            self._answer_all(found, Answer(id_, None, failure, where))
            return
        entry = self.record(settled, found.call, found.parent)
        self._answer_all(found, Answer(id_, entry.output, entry.failure, where))

    def record(self, settled: Settled, call: Call, parent: str) -> Entry:
        """Take up how a call has ended, which counts from the next :meth:`flush` on.

        Args:
            settled: Its end, in success or failure.
            call: The call.
            parent: Name of the action that made it; empty if none did.
        """
        entry = Entry(
            id=call.id,
            task=call.task,
            parent=parent,
            output=None,
            failure=None,
            attempt=settled.attempt,
            started=settled.started,
            ended=time.time(),
            inputs=call.inputs,
        )
        if settled.failed is not None:
            manifest = settled.manifest
            own = None if manifest is None else manifest.failure
            entry.failure = self._actions.failures.describe(settled.failed.error) if own is None else own
        else:
            assert settled.manifest is not None
            entry.output = settled.manifest.outputs["result"]
            self._actions.committed(settled, None)
            self.keep(call, entry.output)
        self.commit(entry)
        return entry

    def _call_again(self, found: Open) -> None:
        """Begin a child anew for who has called it since it was told to stop."""
        for attempt, reply in found.waiting:
            self._answered(attempt, found.call.id)
            self._call(attempt, found.call, reply)

    def _answer_all(self, found: Open, answer: Answer) -> None:
        for attempt, reply in found.waiting:
            self._answered(attempt, answer.id)
            self._answers.append((reply, answer))

    # Results of other runs

    def succeeded(self, id: str) -> bool:  # noqa: A002
        """Tell whether an action has succeeded, and its value is there."""
        answer = self.ended(id)
        return answer is not None and answer.output is not None

    def take_over(self, key: ActionKey, caller: str, call: Call) -> bool:
        """Let the result that another run has kept stand for a call; tells whether there is one."""
        row = self._look_up(call)
        if row is None:
            return False
        now = time.time()
        why = f"cache: hit, made by run {row.run}, action {row.action}"
        self._ledger.call(key, self._actions.epoch, call.task, caller, call.label, State.SUCCEEDED, why, now, now)
        self._observer.called(call.task)
        self._observer.attempt_ended(call.task, 0, State.SUCCEEDED, final=True)
        self.commit(Entry(call.id, call.task, caller, row.output, None, 0, now, now, call.inputs))
        return True

    def _look_up(self, call: Call) -> CacheRow | None:
        """Find the result that another run has kept, whose value is there."""
        cache = call.cache
        row = self._ledger.cached(call.task, cache.key) if cache is not None and cache.read else None
        return None if row is None or self._values.missing(row.output.refs) else row

    def missed(self, call: Call) -> str | None:
        """Say why no earlier result stands for a call; None if it asks for none."""
        cache = call.cache
        if cache is None:
            return None
        if not cache.read:
            return "cache: not read, since the run makes its results anew"
        row = self._ledger.cached(call.task, cache.key)
        return "cache: miss" if row is None else f"cache: miss, the value that run {row.run} had kept is gone"

    def keep(self, call: Call, output: Output) -> None:
        """Keep the result of a call for later runs."""
        if call.cache is not None:
            self._ledger.keep_result(call.task, call.cache, output, self._run.run, call.id, time.time())
