"""Schedules: what is due by the triggers of all spaces is started, once, whichever server looks.

Each server looks every second. What follows for a trigger counts whole or not at all: its state, what was decided about
its due times, and the runs that start are one transaction, which is refused if another server was faster.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
import threading
import time

import msgspec

from laminar.core import schedule, triggers
from laminar.errors import LedgerError, UnknownTriggerError, nearest
from laminar.ledger.server_rows import FiringRow, Submission, TriggerRow
from laminar.server import logs
from laminar.wire.runs import RunRequest
from laminar.wire.specs import TriggerSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.core.triggers import Missed, Queue, Skip, Start, State
    from laminar.ledger.catalog import Catalog
    from laminar.ledger.triggers import Triggers
    from laminar.wire.deployments import DeployRequest

#: Triggers that are looked at in one go.
MOST = 10_000
#: How often a change is tried that others come before.
TRIES = 50
#: Letters of a trigger's name that the names of its runs begin with.
SHOWN = 40
DECISIONS = {triggers.Start: "started", triggers.Queue: "queued", triggers.Skip: "skipped", triggers.Missed: "missed"}


class Schedules:
    """The triggers of all spaces, on one server."""

    def __init__(
        self,
        table: Triggers,
        catalog: Catalog,
        ring: Callable[[], None],
        stop: Callable[[str, str, str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what it works with.

        Args:
            table: The triggers in the database.
            catalog: What is deployed.
            ring: Is called when there are new runs.
            stop: Asks for the end of a run: space, run and reason.
            clock: Gives the time.
        """
        self.table = table
        self._catalog = catalog
        self._ring = ring
        self._stop = stop
        self._clock = clock
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="laminar-schedules")
        #: Triggers that cannot be stepped, by the revision of which that was said.
        self._broken: dict[tuple[str, str, str], int] = {}

    def begin(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        """Look at each whole second, since due times are whole seconds."""
        while not self._closing.wait(1.0 - time.time() % 1.0):
            try:
                self.tick()
            except Exception as error:
                logs.mistake("no trigger can be looked at", error)

    def tick(self) -> None:
        """Do what is due.

        Raises:
            LedgerError: The database does not answer.
        """
        now = self._clock()
        for row in self.table.due(now, MOST):
            try:
                self._step(row, now)
            except LedgerError:
                raise
            except Exception as error:
                where = (row.space, row.entity, row.name)
                if self._broken.get(where) != row.revision:
                    self._broken[where] = row.revision
                    logs.mistake("a trigger cannot fire", error, space=row.space, entity=row.entity, trigger=row.name)

    def _step(self, row: TriggerRow, now: float) -> None:
        trigger, before = spec_of(row).value(), state_of(row)
        running = self.table.running(row.space, row.entity, row.name)
        after, actions = triggers.step(trigger, before, now, running)
        decided = [action for action in actions if not isinstance(action, triggers.Cancel)]
        started = [action.due for action in decided if isinstance(action, triggers.Start)]
        if decided or after != before:
            firings = [_firing(row, action, now) for action in decided]
            submissions = [self._submission(row, due, now) for due in started]
            if not self.table.change(_with_state(row, after), firings, submissions):
                return  # another server was faster
        if started:
            self._ring()
        for action in actions:
            if isinstance(action, triggers.Cancel) and action.due in running:
                self._stop(row.space, running[action.due], action.why)

    def _submission(self, row: TriggerRow, due: int, now: float) -> Submission:
        spec = spec_of(row)
        entity = self._catalog.entity(row.space, row.entity, row.version)
        if entity is None:
            raise LookupError(f"{row.entity} {row.version} is not deployed in {row.space}")
        moment = schedule.local(spec.value().automation, due).isoformat()
        inputs = {**spec.inputs, **dict.fromkeys(spec.times, moment)}
        name = run_name(row.entity, row.name, due)
        request = RunRequest(entity=row.entity, version=row.version, inputs=inputs, name=name)
        return Submission(
            space=row.space,
            run=name,
            kind=entity.kind,
            entity=row.entity,
            version=row.version,
            created=now,
            author=f"trigger {row.name}",
            labels={},
            request=msgspec.json.encode(request).decode(),
            trigger=row.name,
        )

    # Deploying, pausing

    def deployed(self, space: str, request: DeployRequest) -> None:
        """Take up the triggers of what was deployed; those that it has no more are gone.

        Args:
            space: Where it belongs.
            request: What was deployed.
        """
        wanted = {(entity.name, one.name): one for entity in request.entities for one in entity.triggers}
        for row in self.table.all(space):
            if _is_of(row.entity, request) and (row.entity, row.name) not in wanted:
                self.table.drop(space, row.entity, row.name)
        for (entity, name), spec in wanted.items():
            self._put(space, entity, name, request.version, spec)

    def _put(self, space: str, entity: str, name: str, version: str, spec: TriggerSpec) -> None:
        text = msgspec.json.encode(spec).decode()
        for _ in range(TRIES):
            now = self._clock()
            found = self.table.find(space, entity, name)
            if found is None:
                fresh = TriggerRow(space, entity, name, version, text, spec.auto_activate, "", None)
                done = self.table.add(_with_state(fresh, triggers.activate(now)))
            else:
                done = self._renew(found, version, text, now)
            if done:
                return
        raise LedgerError(f"The trigger {name!r} of {entity} is changed by others all the time. Deploy again.")

    def _renew(self, row: TriggerRow, version: str, text: str, now: float) -> bool:
        """Change what a trigger is; its state stays if it is due at the same times, and so does a pause."""
        old, new = spec_of(row), _spec(text)
        active = row.active if old.auto_activate == new.auto_activate else new.auto_activate
        state, skipped = state_of(row), []
        if old.automation != new.automation:
            skipped = [triggers.Skip(due, "The schedule was changed while this waited.") for due in state.queued]
            state = triggers.activate(now)
        elif active and not row.active:
            state = triggers.resume(state, now)
        changed = row.replace(version=version, spec=text, active=active)
        return self.table.change(_with_state(changed, state), [_firing(row, skip, now) for skip in skipped])

    def pause(self, space: str, entity: str, name: str) -> None:
        """Let a trigger fire no more until it is resumed; what it has started goes on.

        Raises:
            UnknownTriggerError: There is none of that name.
        """
        for _ in range(TRIES):
            row, now = self.found(space, entity, name), self._clock()
            state, skipped = triggers.pause(state_of(row))
            firings = [_firing(row, skip, now) for skip in skipped]
            if not row.active or self.table.change(_with_state(row.replace(active=False), state), firings):
                return

    def resume(self, space: str, entity: str, name: str) -> None:
        """Let a trigger fire again. What was due meanwhile is not caught up.

        Raises:
            UnknownTriggerError: There is none of that name.
        """
        for _ in range(TRIES):
            row = self.found(space, entity, name)
            state = triggers.resume(state_of(row), self._clock())
            if row.active or self.table.change(_with_state(row.replace(active=True), state)):
                return

    def found(self, space: str, entity: str, name: str) -> TriggerRow:
        """Find a trigger.

        Raises:
            UnknownTriggerError: There is none of that name.
        """
        row = self.table.find(space, entity, name)
        if row is None:
            known = [f"{one.entity} {one.name}" for one in self.table.all(space)]
            hint = nearest(f"{entity} {name}", known) if known else " It has none."
            raise UnknownTriggerError(f"There is no trigger {name!r} of {entity} in {space}.{hint}")
        return row


def run_name(entity: str, name: str, due: int) -> str:
    """Name the run of a due time: always the same, and another for each."""
    shown = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:SHOWN].strip("-") or "trigger"
    moment = datetime.datetime.fromtimestamp(due, datetime.UTC)
    digest = hashlib.sha256(f"{entity}\0{name}".encode()).hexdigest()[:6]
    return f"{shown}-{moment:%Y%m%dT%H%M%SZ}-{digest}"


def spec_of(row: TriggerRow) -> TriggerSpec:
    """Read what a trigger is."""
    return _spec(row.spec)


@functools.lru_cache(maxsize=1000)
def _spec(text: str) -> TriggerSpec:
    return msgspec.json.decode(text, type=TriggerSpec)


def state_of(row: TriggerRow) -> State:
    """Read what is kept of a trigger."""
    begins, considered, queued = json.loads(row.state)
    return triggers.State(begins, considered, tuple(queued))


def _with_state(row: TriggerRow, state: State) -> TriggerRow:
    """Keep a state. While due times wait for a run to end, the trigger is looked at each time."""
    due = state.considered if state.queued else triggers.next_due(spec_of(row).value(), state)
    return row.replace(state=json.dumps([state.begins, state.considered, state.queued]), due=due)


def _firing(row: TriggerRow, action: Start | Queue | Skip | Missed, now: float) -> FiringRow:
    reason = None if isinstance(action, triggers.Start) else action.why
    run = run_name(row.entity, row.name, action.due) if isinstance(action, triggers.Start) else None
    return FiringRow(row.space, row.entity, row.name, action.due, DECISIONS[type(action)], reason, run, now)


def _is_of(entity: str, request: DeployRequest) -> bool:
    """Tell whether a task or flow belongs to an environment or flow."""
    return request.name == (entity if request.kind == "flow" else entity.rpartition(".")[0])
