"""Drives runs: takes those that nobody holds, each in a thread of its own, and keeps hold of them."""

from __future__ import annotations

import queue
import random
import threading
import time

from laminar.engine.actions import Actions
from laminar.engine.children import Children, refuse
from laminar.engine.contract import Observer
from laminar.engine.driver import Parts
from laminar.engine.task import ROOT, TaskRun
from laminar.errors import LaminarError, LedgerError, StaleEpochError
from laminar.ledger.journal import CallJournal
from laminar.ledger.sql import Ledger as Recorded
from laminar.model.action import Asked, Interrupt, Left
from laminar.model.ids import ActionKey
from laminar.model.states import State
from laminar.model.value import Value
from laminar.server import logs
from laminar.server.failures import FAILURES
from laminar.server.lines import Desk
from laminar.server.output import Logs
from laminar.server.place import Places, Shared
from laminar.server.work import Calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from laminar.engine.contract import Failed
    from laminar.ledger.database import Database
    from laminar.ledger.submissions import Submissions
    from laminar.model.action import Event, Ref
    from laminar.server.agents import Agents
    from laminar.server.lines import Lines
    from laminar.server.metrics import Metrics
    from laminar.server.queues import Queues
    from laminar.server.slots import Slots
    from laminar.server.work import Choices
    from laminar.wire.messages import Call

#: Seconds that the word of a server counts.
LEASE = 10.0
#: Seconds between words.
BEAT = LEASE / 10
#: Seconds between looks for runs that nobody holds, where nothing has rung.
GLANCE = 1.0
#: Seconds that an attempt has to end by itself when it is stopped.
GRACE = 5.0


class Driven(Value):
    """A run, as it is to be driven.

    Attributes:
        call: The call of its first action.
        choices: What holds for all of its calls.
        flow: Name of the flow that it is a run of; empty for a run of a task.
    """

    call: Call
    choices: Choices
    flow: str = ""


class Means(Value):
    """What driving needs.

    Attributes:
        database: Where all is recorded.
        submissions: The runs that are asked for.
        agents: Run attempts.
        lines: Hear attempts.
        slots: How many attempts run at a time.
        queues: How many attempts of a queue or a space run at a time.
        missing: Tells whether values are no more there: by space.
        read: Reads what a run is: by space and run.
        name: Name of this server among those that share the database.
        url: Where the others reach it.
        most: Runs that it drives at a time.
        recovered: Runs that were driven before, of which so many are taken up in a second.
        metrics: Count what happens.
    """

    database: Database
    submissions: Submissions
    agents: Agents
    lines: Lines
    slots: Slots
    queues: Queues
    missing: Callable[[str, tuple[Ref, ...]], bool]
    read: Callable[[str, str], Driven]
    name: str
    url: str
    most: int
    recovered: int
    metrics: Metrics


class _Values:
    """The values of a run, of which a server only knows whether they are there."""

    def __init__(self, space: str, missing: Callable[[str, tuple[Ref, ...]], bool]) -> None:
        self._space = space
        self._missing = missing

    def missing(self, refs: Sequence[Ref]) -> bool:
        """Tell whether a value is not there any more."""
        stored = tuple(ref for ref in refs if ref.data is None)
        return bool(stored) and self._missing(self._space, stored)


class Ledger(Recorded):
    """The ledger of one run. What others want of it is asked for all runs at once, and not by each."""

    def stamp(self) -> int:
        """Say that nothing was asked."""
        return 0


class _TaskRun(TaskRun):
    """A run on a server, where many are driven at a time."""

    glance = 0.25


class Run:
    """One run that this server drives."""

    def __init__(self, means: Means, space: str, run: str, epoch: int) -> None:
        """Take it up."""
        self.space, self.run, self.epoch = space, run, epoch
        self._means = means
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._left = False
        self._parts: Parts | None = None

    def waiting(self, names: Collection[str]) -> dict[tuple[str, int], str]:
        """Tell which of its actions of some names wait for a slot, and in which queue. From any thread."""
        return {} if self._parts is None else self._parts.actions.waiting(names)

    def awaited(self) -> dict[tuple[str, int], dict[str, int]]:
        """Count by task what its actions wait for that have called others. From any thread."""
        return {} if self._parts is None else self._parts.children.awaited()

    def deliver(self, event: Event) -> None:
        """Tell it something, from any thread."""
        if self._left and isinstance(event, Asked):
            refuse(event, FAILURES)
            return
        self._events.put(event)

    def drive(self) -> None:
        """Drive it to its end, or until it is left."""
        ledger = Ledger(self._means.database, scope=self.space, feed=True)
        ledger.hold(self.space, self.run, self.epoch)
        means = self._means
        shared = Shared(means.agents, means.lines, means.slots, means.queues)
        places = Places((self.space, self.run), shared, self.deliver)
        ended = False
        try:
            state, error = self._drive(ledger, places)
            ledger.end(self.space, self.run, self.epoch, state, error)
            ended = state.terminal
            self._tell(state)
        except StaleEpochError:
            logs.event("a run was taken by another server", space=self.space, run=self.run, epoch=self.epoch)
        except LedgerError as error:
            logs.mistake("a run is left", error, space=self.space, run=self.run)
        except Exception as error:
            logs.mistake("a run failed in the server itself", error, space=self.space, run=self.run)
            ledger.end(self.space, self.run, self.epoch, State.FAILED, f"{type(error).__name__}: {error}"[:500])
            ended = True
        finally:
            self._leave()
            places.close(ended=ended)

    def _tell(self, state: State) -> None:
        """Tell operators how it goes: one that was left is WAITING for the next server."""
        if state.terminal:
            self._means.metrics.ended(state.value)
        logs.event("run", space=self.space, run=self.run, state=state.value, epoch=self.epoch)

    def _drive(self, ledger: Ledger, places: Places) -> tuple[State, str | None]:
        means = self._means
        try:
            driven = means.read(self.space, self.run)
            calls = Calls(driven.choices)
            root = calls.work(driven.call, ActionKey(self.space, self.run, ROOT), 0)
        except LaminarError as error:
            return State.FAILED, f"{type(error).__name__}: {error}"[:500]
        for pool in calls.to_be_ready(driven.call, self.space):
            means.agents.make_ready(pool)
        observer = Observer()
        desk = Desk(means.lines, self.deliver, driven.flow)
        actions = Actions(self.epoch, places, ledger, Logs(), observer, random.random, "", desk, FAILURES)
        journal = CallJournal(means.database, self.space, self.run, self.epoch)
        ended = journal.read()
        first = ActionKey(self.space, self.run, "")
        values = _Values(self.space, means.missing)
        children = Children(first, actions, journal, values, ledger, observer, calls.work, ended)
        children.grace = GRACE
        self._parts = parts = Parts(self.space, self.run, actions, children, ledger, Logs(), observer)
        driver = _TaskRun(parts, root, driven.call)
        driver.drive(self._events, GRACE)
        summary = driver.summary(0.0, "")
        return summary.state, summary.stopped or _reason(summary.failures)

    def _leave(self) -> None:
        """Refuse what is still asked."""
        self._left = True
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            if isinstance(event, Asked):
                refuse(event, FAILURES)


def _reason(failures: tuple[Failed, ...]) -> str | None:
    if not failures:
        return None
    first = failures[0]
    text = str(first.error).partition("\n")[0]
    return f"{first.where}: {text}"[:500]


class Driving:
    """All runs that a server drives."""

    def __init__(self, means: Means) -> None:
        """Begin with none."""
        self._means = means
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], Run] = {}
        #: Runs that no thread of this server drives any more, and that it may have in the database still.
        self._loose: list[Run] = []
        self._heard = time.monotonic()
        #: What the database has said last, if that was no answer.
        self._refusal = ""
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True, name=f"laminar-{name}")
            for name, work in (("claims", self._claim), ("beats", self._beat))
        ]

    def begin(self) -> None:
        """Begin to take runs."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Hear that there is a new run."""
        self._wake.set()

    def close(self) -> None:
        """Leave all runs to the next server."""
        self._closing.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.deliver(Left())
        deadline = time.monotonic() + GRACE
        while self._runs and time.monotonic() < deadline:
            time.sleep(0.02)
        self._means.submissions.release(self._means.name)

    def stop(self, space: str, run: str, reason: str) -> bool:
        """Stop a run; tells whether this server drives it."""
        with self._lock:
            found = self._runs.get((space, run))
        if found is not None:
            found.deliver(Interrupt(reason))
        return found is not None

    def find(self, space: str, run: str) -> Run | None:
        """Find a run that it drives."""
        return self._runs.get((space, run))

    @property
    def most(self) -> int:
        """How many runs it drives at a time."""
        return self._means.most

    def trouble(self) -> str:
        """Say why it cannot do its work; empty if it can."""
        silent = time.monotonic() - self._heard
        why = f": {self._refusal}" if self._refusal else "."
        return f"The database has not answered for {silent:.0f} s{why}" if silent > LEASE else ""

    def count(self) -> int:
        """Tell how many runs it drives."""
        return len(self._runs)

    def _claim(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(GLANCE)
            self._wake.clear()
            try:
                self._claim_some()
            except Exception as error:
                logs.mistake("no run can be taken", error)

    def _claim_some(self) -> None:
        means = self._means
        room = means.most - len(self._runs)
        recovered = means.recovered if means.agents.settled() else 0
        for found in means.submissions.claimable(room, recovered) if room > 0 else ():
            if self._closing.is_set():
                return
            where = (found.space, found.run)
            if where in self._runs:
                continue
            epoch = means.submissions.claim(*where, means.name, means.url, LEASE)
            if epoch is not None:
                again = found.epoch > 0
                if not again:
                    means.metrics.taken(time.time() - found.since)
                logs.event("recovery" if again else "claim", space=where[0], run=where[1], epoch=epoch)
                self._begin(Run(means, *where, epoch))

    def _begin(self, run: Run) -> None:
        with self._lock:
            self._runs[run.space, run.run] = run
        try:
            threading.Thread(target=self._drive, args=(run,), daemon=True, name=f"laminar-{run.run}").start()
        except RuntimeError:  # the system has no thread to spare
            self._drop(run)
            raise

    def _drive(self, run: Run) -> None:
        try:
            run.drive()
        finally:
            self._drop(run)
            self._wake.set()

    def _drop(self, run: Run) -> None:
        with self._lock:
            del self._runs[run.space, run.run]
            self._loose.append(run)

    def _let_loose(self) -> None:
        """Leave the runs whose threads have ended, which is nothing where they have come to their ends.

        Else a run that was left, as the database was silent for too long, would be held and driven by nobody.
        """
        while self._loose:
            run = self._loose[0]
            had = self._means.submissions.leave(run.space, run.run, run.epoch, self._means.name)
            if not had and (run.space, run.run) not in self._runs:
                self._means.agents.abandon(run.space, run.run)  # another server has it
            with self._lock:
                self._loose.remove(run)

    def _beat(self) -> None:
        """Keep hold of all runs, and hear what others want of them."""
        means = self._means
        while not self._closing.wait(BEAT):
            with self._lock:
                driven = list(self._runs.items())
            begun = time.monotonic()
            try:
                held = means.submissions.extend(means.name, LEASE)
                means.metrics.wrote(time.monotonic() - begun)
                self._heard = time.monotonic()
                self._refusal = ""
                for where, run in driven:
                    if held.get(where) != run.epoch:
                        run.deliver(Left())  # which does no harm to one that has just ended
                for space, name, reason in means.submissions.requests(means.name):
                    self.stop(space, name, reason)
                means.queues.beat()
                self._let_loose()
            except Exception as error:
                self._refusal = str(error) if isinstance(error, LedgerError) else ""
                logs.mistake("the word of this server was not given, or not in full", error)
