"""Triggers as people look at them."""

from __future__ import annotations

from laminar.core import schedule
from laminar.errors import UnknownTriggerError
from laminar.server.schedules import spec_of, state_of
from laminar.wire.triggers import FiringPage, FiringView, TriggerPage, TriggerView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.server_rows import FiringRow, TriggerRow
    from laminar.server.engine import Engine
    from laminar.wire.triggers import FiringQuery

#: Times at which a trigger will fire that are shown.
NEXT = 5


def page(engine: Engine, space: str, entity: str | None) -> TriggerPage:
    """List triggers."""
    return TriggerPage(items=tuple(_view(engine, row) for row in engine.schedules.table.all(space, entity)))


def view(engine: Engine, space: str, entity: str, name: str) -> TriggerView:
    """Describe a trigger.

    Raises:
        UnknownTriggerError: There is none of that name.
    """
    row = engine.schedules.table.find(space, entity, name)
    if row is None:
        raise UnknownTriggerError(f"There is no trigger {name!r} of {entity} in {space} any more.")
    return _view(engine, row)


def _view(engine: Engine, row: TriggerRow) -> TriggerView:
    table, spec, state = engine.schedules.table, spec_of(row), state_of(row)
    last = table.firings(row.space, row.entity, row.name, 1)
    automation = spec.value().automation
    return TriggerView(
        entity=row.entity,
        name=row.name,
        version=row.version,
        description=spec.description,
        automation=spec.automation,
        inputs=spec.inputs,
        times=spec.times,
        overlap=spec.overlap,
        catchup=spec.catchup,
        active=row.active,
        next=tuple(schedule.next_firings(automation, state.considered, NEXT, state.begins)) if row.active else (),
        queued=state.queued,
        running=tuple(table.running(row.space, row.entity, row.name).values()),
        last=_firing(last[0]) if last else None,
        created=row.created,
    )


def _firing(row: FiringRow) -> FiringView:
    return FiringView(
        entity=row.entity,
        trigger=row.name,
        due=row.due,
        decision=row.decision,  # type: ignore[arg-type]  # the table holds what schedules have decided
        reason=row.reason,
        run=row.run,
        decided=row.decided,
    )


def firings(engine: Engine, space: str, query: FiringQuery) -> FiringPage:
    """List what was decided about the due times of a trigger, the latest first; also of one that is gone.

    Raises:
        UnknownTriggerError: There never was one of that name, or nothing of it is kept.
    """
    rows = engine.schedules.table.firings(space, query.entity, query.trigger, query.limit)
    if not rows:
        engine.schedules.found(space, query.entity, query.trigger)
    return FiringPage(items=tuple(map(_firing, rows)))
