"""Reading the ledger."""

from __future__ import annotations

import json
from base64 import b64decode

from laminar.errors import UnknownRunError, nearest
from laminar.host.processes import ProcessIdentity
from laminar.ledger import queries
from laminar.ledger.rows import (
    ActionRow,
    AttemptRow,
    CacheRow,
    CallReasonRow,
    EventRow,
    FeedRow,
    GroupRow,
    ReasonRow,
    RunRow,
    TaskRow,
)
from laminar.model.action import Output, Ref
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.database import Database, Row

#: A limit that is none.
ALL = 2**62


class Reader:
    """What happened, for who only looks.

    Attributes:
        database: Where it is kept.
        scope: Among whom results of tasks are shared.
    """

    database: Database
    scope: str

    def find(self, space: str, run: str) -> RunRow | None:
        """Find a run of a space."""
        rows = self.database.read(queries.FIND_RUN, (space, run))
        return run_row(rows[0]) if rows else None

    def runs(self, limit: int = 50) -> list[RunRow]:
        """List runs, the newest first."""
        return [run_row(row) for row in self.database.read(queries.LIST_RUNS, (limit,))]

    def runs_of(self, run: str) -> list[RunRow]:
        """Find the runs of an id, or of its unambiguous beginning: one for each flow of a chain, oldest first.

        Raises:
            UnknownRunError: There is none, or several ids begin so.
        """
        found = [run_row(row) for row in self.database.read(queries.FIND_RUNS_BY_ID, (run,))]
        found = found or [run_row(row) for row in self.database.read(queries.FIND_RUNS_BY_PREFIX, (run,))]
        ids = {row.run for row in found}
        first = min(ids, key=len, default="")  # flows that a run has called bear its id and one of their own
        if first and run and all(other == first or other.startswith(f"{first}-") for other in ids):
            return [row for row in found if row.run == first]
        known = ids or [row[0] for row in self.database.read(queries.LIST_RUN_IDS)]
        raise UnknownRunError(
            f"{'More than one run begins' if ids else 'No run is known'} as {run!r}.{nearest(run, known)}"
        )

    def groups(self, space: str, run: str) -> list[GroupRow]:
        """List the layers of a run with the counts of their splits."""
        rows = self.database.read(queries.LIST_GROUPS, (space, run))
        return [GroupRow(row[0], State(row[1]), *row[2:]) for row in rows]

    def actions(
        self, space: str, run: str, name: str | None = None, limit: int = -1, offset: int = 0
    ) -> list[ActionRow]:
        """List the actions of a run, or of one layer of it."""
        rows = self.database.read(queries.LIST_ACTIONS, (space, run, name, limit if limit >= 0 else ALL, offset))
        return [action_row(row) for row in rows]

    def reasons(self, space: str, run: str, state: State) -> list[ReasonRow]:
        """List why actions are in a state, by layer, the most common reason first."""
        return [ReasonRow(*row) for row in self.database.read(queries.LIST_REASONS, (space, run, state.value))]

    def calls(
        self,
        space: str,
        run: str,
        limit: int = -1,
        offset: int = 0,
        *,
        task: str | None = None,
        state: State | None = None,
    ) -> list[ActionRow]:
        """List the task calls of a run, the first that started first; of one task, or in one state, if that is said."""
        wanted = (space, run, task, state and state.value, limit if limit >= 0 else ALL, offset)
        return [action_row(row) for row in self.database.read(queries.LIST_CALLS, wanted)]

    def calls_after(
        self,
        space: str,
        run: str,
        after: tuple[str, int],
        limit: int,
        *,
        task: str | None = None,
        state: State | None = None,
    ) -> list[ActionRow]:
        """List the task calls of a run that follow one in the order of names, which stays while the run goes on.

        Args:
            space: Where the run is.
            run: The run.
            after: Name and index of the one; ``("", 0)`` comes before all.
            limit: How many at most.
            task: Calls of this task.
            state: In this state.
        """
        wanted = (space, run, task, state and state.value, *after, limit)
        return [action_row(row) for row in self.database.read(queries.LIST_CALLS_AFTER, wanted)]

    def call_reasons(self, space: str, run: str, state: State) -> list[CallReasonRow]:
        """List why task calls are in a state, by task, the most common reason first."""
        return [CallReasonRow(*row) for row in self.database.read(queries.LIST_CALL_REASONS, (space, run, state.value))]

    def tasks(self, space: str, run: str) -> list[TaskRow]:
        """Count the calls of each task in a run."""
        return [TaskRow(*row) for row in self.database.read(queries.LIST_TASKS, (space, run))]

    def actions_of(self, space: str, run: str, which: str) -> list[ActionRow]:
        """Find actions of a run by the beginning of their name, or by their task."""
        return [action_row(row) for row in self.database.read(queries.FIND_ACTIONS, (space, run, which))]

    def result_of(self, run: str, action: str) -> tuple[str, CacheRow] | None:
        """Find what an action has kept for later runs: its task, and the result."""
        rows = self.database.read(queries.FIND_RESULT_OF_ACTION, (self.scope, run, action))
        return (rows[0][0], cache_row(rows[0][1:])) if rows else None

    def results(self, task: str, before: float, like: CacheRow, limit: int = 200) -> list[CacheRow]:
        """List the results of a task that were kept before a time, those first that may be compared with one.

        Args:
            task: Full name of the task.
            before: The time.
            like: The one: first come results of actions that bear the same name, then those of other runs.
            limit: How many.
        """
        wanted = (self.scope, task, before, like.action, like.run, limit)
        return [cache_row(row) for row in self.database.read(queries.LIST_RESULTS, wanted)]

    def code(self, task: str, digest: str) -> dict[str, str]:
        """Read of which parts the code of a task was made; empty if that is not known."""
        rows = self.database.read(queries.FIND_CODE, (self.scope, task, digest))
        return dict(json.loads(rows[0][0])) if rows else {}

    def attempts(self, space: str, run: str, name: str | None = None, index: int | None = None) -> list[AttemptRow]:
        """List the attempts of a run, of a layer, or of a split, oldest first."""
        rows = self.database.read(queries.LIST_ATTEMPTS, (space, run, name, index))
        return [
            AttemptRow(name, split, number, epoch, State(state), *rest)
            for name, split, number, epoch, state, *rest in rows
        ]

    def events(self, space: str, run: str) -> list[EventRow]:
        """List what happened in a run, oldest first."""
        return [EventRow(*row) for row in self.database.read(queries.LIST_EVENTS, (space, run))]

    def events_after(self, space: str, run: str, sequence: int, limit: int = 500) -> list[FeedRow]:
        """List what happened in a run after an event, oldest first.

        Args:
            space: What it is a run of.
            run: Its id.
            sequence: Number of the event; 0 for the beginning.
            limit: How many at most.
        """
        return [FeedRow(*row) for row in self.database.read(queries.LIST_EVENTS_AFTER, (space, run, sequence, limit))]

    def requested(self, space: str, run: str, kind: str) -> str | None:
        """Read a request to the holder of a run; the reason given, or None."""
        rows = self.database.read(queries.FIND_REQUEST, (space, run, kind))
        return str(rows[0][0]) if rows else None


def action_row(row: Row) -> ActionRow:
    """Make an action of its columns."""
    return ActionRow(row[0], row[1], State(row[2]), *row[3:])


def cache_row(row: Row) -> CacheRow:
    """Make a kept result of its columns."""
    output, run, action, made, parts = row
    refs = tuple(Ref(kind, digest, data and b64decode(data)) for kind, digest, data in json.loads(output))
    return CacheRow(Output(refs), run, action, made, json.loads(parts))


def run_row(row: Row) -> RunRow:
    """Make a run of its columns."""
    space, run, state, epoch, host, place, pid, pid_started, *rest = row
    return RunRow(space, run, State(state), epoch, ProcessIdentity(host, place, pid, pid_started), *rest)
