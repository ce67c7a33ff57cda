"""Triggers that are deployed, and what was decided about their due times."""

from __future__ import annotations

import time

from laminar.ledger.server_rows import FiringRow, TriggerRow
from laminar.ledger.submissions import add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.ledger.database import Connection, Database, Row
    from laminar.ledger.server_rows import Submission

SELECT_TRIGGERS = """
SELECT space, entity, name, version, spec, active, state, due, revision, created FROM triggers
"""
FIND_TRIGGER = SELECT_TRIGGERS + "WHERE space = ? AND entity = ? AND name = ?"
LIST_TRIGGERS = SELECT_TRIGGERS + "WHERE space = ?1 AND (entity = ?2 OR ?2 IS NULL) ORDER BY entity, name"
LIST_DUE = SELECT_TRIGGERS + "WHERE active = 1 AND due <= ? ORDER BY due LIMIT ?"
ADD_TRIGGER = """
INSERT INTO triggers (space, entity, name, version, spec, active, state, due, revision, created)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING
"""
CHANGE_TRIGGER = """
UPDATE triggers SET version = ?, spec = ?, active = ?, state = ?, due = ?, revision = revision + 1
WHERE space = ? AND entity = ? AND name = ? AND revision = ?
"""
DROP_TRIGGER = "DELETE FROM triggers WHERE space = ? AND entity = ? AND name = ?"
PUT_FIRING = """
INSERT INTO firings (space, entity, name, due, decision, reason, run, decided) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, entity, name, due) DO UPDATE SET
    decision = excluded.decision, reason = excluded.reason, run = excluded.run, decided = excluded.decided
WHERE firings.decision = 'queued'
"""
LIST_FIRINGS = """
SELECT space, entity, name, due, decision, reason, run, decided FROM firings
WHERE space = ? AND entity = ? AND name = ? ORDER BY due DESC LIMIT ?
"""
LIST_RUNNING = """
SELECT f.due, f.run FROM firings f JOIN submissions s ON s.space = f.space AND s.run = f.run
WHERE f.space = ? AND f.entity = ? AND f.name = ? AND f.decision = 'started' AND s.state IN ('WAITING', 'RUNNING')
ORDER BY f.due
"""


class Triggers:
    """The triggers of all spaces."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def find(self, space: str, entity: str, name: str) -> TriggerRow | None:
        """Find a trigger."""
        rows = self._database.read(FIND_TRIGGER, (space, entity, name))
        return _row(rows[0]) if rows else None

    def all(self, space: str, entity: str | None = None) -> list[TriggerRow]:
        """List the triggers of a space, or of what they start."""
        return [_row(row) for row in self._database.read(LIST_TRIGGERS, (space, entity))]

    def due(self, now: float, limit: int = 100) -> list[TriggerRow]:
        """List the active triggers that are to be looked at, the one that is due longest first."""
        return [_row(row) for row in self._database.read(LIST_DUE, (now, limit))]

    def add(self, row: TriggerRow) -> bool:
        """Keep a new trigger; False if there is one of that name."""
        values = (row.version, row.spec, int(row.active), row.state, row.due, time.time())

        def keep(connection: Connection) -> bool:
            connection.execute(ADD_TRIGGER, (row.space, row.entity, row.name, *values))
            return connection.changed == 1

        return self._database.transact(keep)

    def change(
        self, row: TriggerRow, firings: Iterable[FiringRow] = (), submissions: Iterable[Submission] = ()
    ) -> bool:
        """Keep what follows for a trigger, all in one transaction or none of it.

        Args:
            row: The trigger as it is to be, with the revision that this was decided on.
            firings: What was decided about due times. Of each the first decision counts; only what is ``queued`` may
                become something else.
            submissions: Runs that start with it. One that was asked for before is not asked for again.

        Returns:
            False if the trigger was changed since that revision: then nothing is kept.
        """
        values = (row.version, row.spec, int(row.active), row.state, row.due, row.space, row.entity, row.name)
        decided = [tuple(getattr(one, name) for name in FiringRow.fields__) for one in firings]
        started = tuple(submissions)

        def keep(connection: Connection) -> bool:
            connection.execute(CHANGE_TRIGGER, (*values, row.revision))
            if connection.changed == 0:
                return False
            if decided:
                connection.executemany(PUT_FIRING, decided)
            for submission in started:
                add(connection, submission)
            return True

        return self._database.transact(keep)

    def drop(self, space: str, entity: str, name: str) -> None:
        """Forget a trigger; what it has fired stays."""
        self._database.transact(lambda connection: connection.execute(DROP_TRIGGER, (space, entity, name)))

    def firings(self, space: str, entity: str, name: str, limit: int = 50) -> list[FiringRow]:
        """List what was decided about the due times of a trigger, the latest first."""
        return [FiringRow(*row) for row in self._database.read(LIST_FIRINGS, (space, entity, name, limit))]

    def running(self, space: str, entity: str, name: str) -> dict[int, str]:
        """List the runs of a trigger that have not ended: their ids by due time, the oldest first."""
        return dict(self._database.read(LIST_RUNNING, (space, entity, name)))


def _row(row: Row) -> TriggerRow:
    space, entity, name, version, spec, active, *rest = row
    return TriggerRow(space, entity, name, version, spec, bool(active), *rest)
