"""The ledger on SQLite: a file in WAL mode, or memory.

One connection of the scheduler writes; changes are collected and written in one transaction (:meth:`Ledger.flush`).
``synchronous=NORMAL`` survives the death of any process; a power cut may cost the last transactions, never the file.
"""

from __future__ import annotations

import itertools
import json
import operator
import os
import time
from base64 import b64decode, b64encode

import apsw

from laminar.errors import LedgerError, RunExistsError, RunHeldError, UnknownRunError, nearest
from laminar.host import processes
from laminar.host.processes import ProcessIdentity
from laminar.ledger import queries
from laminar.ledger.rows import (
    ActionRow,
    AttemptRow,
    CacheRow,
    CallReasonRow,
    EventRow,
    GroupRow,
    ReasonRow,
    RunRow,
    TaskRow,
)
from laminar.ledger.transaction import Transaction, room
from laminar.model.action import Output, Ref
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from laminar.model.cache import CacheKey
    from laminar.model.ids import ActionKey, AttemptKey

MEMORY = ":memory:"
#: Seconds that the word of a holder counts where its process cannot be seen.
LEASE = 20.0
BUSY_MILLISECONDS = 60_000
#: Path, space, run and epoch of what schedulers of this process hold.
_held: set[tuple[str, str, str, int]] = set()


class Ledger:
    """What happened in all runs of one place."""

    def __init__(self, path: str, *, create: bool = True) -> None:
        """Open the ledger.

        Args:
            path: The file, or ``":memory:"``.
            create: Whether to make it if it is not there.

        Raises:
            LedgerError: It is not there, cannot be opened, or is of a newer version of laminar.
        """
        self.path = path
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._fresh: dict[ActionKey, _Fresh] = {}
        self._kept: dict[tuple[str, str], CacheRow] = {}
        self._codes: set[str] = set()
        self._claims: set[tuple[str, str, str, int]] = set()
        if not create and path != MEMORY and not os.path.exists(path):
            raise LedgerError(
                f"There is no ledger at {path}: no run was recorded there. Name the folder of the runs with --root."
            )
        try:
            if path != MEMORY:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            self._connection = apsw.Connection(path)
            self._connection.set_busy_timeout(BUSY_MILLISECONDS)
            self._set_up()
        except (apsw.Error, OSError) as error:
            raise LedgerError(f"The ledger at {path} cannot be opened: {error}.{room(path, error)}") from error

    def _set_up(self) -> None:
        if self._version() != queries.SCHEMA_VERSION:
            self._write_ahead()
            with self._transaction():
                version = self._version()
                if version > queries.SCHEMA_VERSION:
                    raise LedgerError(
                        f"The ledger at {self.path} has schema {version}; this laminar knows {queries.SCHEMA_VERSION}. "
                        "Upgrade laminar, or name another folder."
                    )
                if version == 0:
                    self._connection.execute(queries.SCHEMA)
                for known in range(version or queries.SCHEMA_VERSION, queries.SCHEMA_VERSION):
                    self._connection.execute(queries.MIGRATIONS[known])
                self._connection.execute(f"PRAGMA user_version = {queries.SCHEMA_VERSION}")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _write_ahead(self) -> None:
        """Turn on the write-ahead log. For this, SQLite gives up at once where others are about to do the same."""
        deadline = time.monotonic() + BUSY_MILLISECONDS / 1000
        while self.path != MEMORY:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])  # type: ignore[index]

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, self.path)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except apsw.Error as error:
            raise LedgerError(f"The ledger at {self.path} cannot be read: {error}.") from error

    def close(self) -> None:
        """Write what is pending and close; runs that were taken through this ledger can be taken again."""
        try:
            self.flush()
        finally:
            _held.difference_update(self._claims)
            self._connection.close()

    # Taking and leaving a run

    def claim(self, space: str, run: str, holder: ProcessIdentity, source: str | None, *, resume: bool) -> int:
        """Take a run, new or left by another scheduler.

        Args:
            space: What it is a run of.
            run: Its id.
            holder: Who takes it.
            source: The file that defines it.
            resume: Whether it should exist already.

        Returns:
            The epoch, which grows each time that the run is taken.

        Raises:
            RunHeldError: A scheduler that is alive holds it.
            RunExistsError: It exists and is not to be resumed.
        """
        self.flush()
        now = time.time()
        with self._transaction():
            found = self.find(space, run)
            if found is not None and found.held(now) and not self._abandoned(found):
                raise RunHeldError(
                    f"Run {run} of {space} is held by {found.holder}, since {_clock(found.started)}. "
                    "Wait for it, or end it with: laminar abort " + run
                )
            if found is not None and not resume:
                raise RunExistsError(
                    f"Run {run} of {space} exists already and is {found.state.value}. "
                    f"Go on with it by resume(), or choose another id."
                )
            epoch = found.epoch + 1 if found is not None else 1
            values = {
                "space": space,
                "run": run,
                "epoch": epoch,
                "host": holder.host,
                "place": holder.place,
                "pid": holder.pid,
                "pid_started": holder.started,
                "lease": now + LEASE,
                "source": source,
                "now": now,
            }
            execute = self._connection.execute
            execute(queries.CLAIM_RUN, values)
            execute(queries.DROP_REQUESTS, (space, run))
            execute(queries.CLOSE_ATTEMPTS_OF_OLDER_HOLDERS, {"now": now, "space": space, "run": run, "epoch": epoch})
        claim = (self.path, space, run, epoch)
        self._claims.add(claim)
        _held.add(claim)
        return epoch

    def _abandoned(self, found: RunRow) -> bool:
        """Tell whether a scheduler of this very process took a run and left it without being able to say so."""
        return found.holder == processes.identity() and (self.path, found.space, found.run, found.epoch) not in _held

    def extend(self, space: str, run: str, epoch: int) -> bool:
        """Extend the lease on a run.

        Returns:
            False if the run is no longer held under that epoch.

        Raises:
            LedgerError: It cannot be written.
        """
        with self._transaction():
            self._connection.execute(queries.EXTEND_LEASE, (time.time() + LEASE, space, run, epoch))
            return self._connection.changes() == 1

    def end(self, space: str, run: str, epoch: int, state: State, error: str | None) -> None:
        """Record that a run has ended, with all that is pending."""
        self._add(queries.END_RUN, (state.value, time.time(), error, space, run, epoch))
        self.flush()

    # What is collected and written by flush()

    def _add(self, query: str, *rows: tuple[Any, ...]) -> None:
        self._pending.extend((query, row) for row in rows)

    def group(
        self,
        space: str,
        run: str,
        name: str,
        state: State,
        *,
        size: int | None = None,
        reason: str | None = None,
        started: float | None = None,
        ended: float | None = None,
    ) -> None:
        """Record the state of a layer."""
        self._add(queries.PUT_GROUP, (space, run, name, state.value, size, reason, started, ended))

    def wait(self, space: str, run: str, name: str, indexes: Iterable[int], epoch: int, reason: str) -> None:
        """Record that actions wait, and for what."""
        waiting = State.WAITING.value
        self._add(queries.PUT_ACTION, *[(space, run, name, index, epoch, waiting, reason) for index in indexes])

    def keep(self, space: str, run: str, name: str, indexes: Iterable[int], epoch: int, reason: str) -> None:
        """Record that actions count as succeeded without being run."""
        done = State.SUCCEEDED.value
        self._add(queries.PUT_ACTION, *[(space, run, name, index, epoch, done, reason) for index in indexes])

    def call(
        self,
        key: ActionKey,
        epoch: int,
        task: str,
        parent: str,
        label: str,
        state: State,
        reason: str | None,
        started: float | None = None,
        ended: float | None = None,
    ) -> None:
        """Record that a task was called. What follows before the next flush is written with it, in one row."""
        self._fresh[key] = _Fresh([epoch, state.value, reason, 0, started, ended, task, parent, label], {})

    def start(self, key: AttemptKey, now: float, log: str) -> None:
        """Record that an attempt starts."""
        action = key.action
        fresh = self._fresh.get(action)
        if fresh is not None:
            call = fresh.action
            call[1:5] = (State.RUNNING.value, call[2], call[3] + 1, call[4] or now)
            fresh.attempts[key.number] = [State.RUNNING.value, None, now, None, None, None, log]
            return
        row = (action.space, action.run, action.name, action.index, key.number, key.epoch, now, log)
        self._add(queries.START_ATTEMPT, row)

    def finish(
        self, key: AttemptKey, state: State, outcome: str, now: float, cpu: float | None, memory: float | None
    ) -> None:
        """Record that an attempt has ended."""
        action = key.action
        fresh = self._fresh.get(action)
        if fresh is not None and key.number in fresh.attempts:
            attempt = fresh.attempts[key.number]
            attempt[:2] = (state.value, outcome)
            attempt[3:6] = (now, cpu, memory)
            return
        row = (state.value, outcome, now, cpu, memory, action.space, action.run, action.name, action.index)
        self._add(queries.END_ATTEMPT, (*row, key.number, key.epoch))

    def settle(self, key: ActionKey, epoch: int, state: State, reason: str | None, now: float) -> None:
        """Record that an action has ended, or waits again."""
        ended = now if state.terminal else None
        fresh = self._fresh.get(key)
        if fresh is not None:
            fresh.action[1:3] = (state.value, reason or (fresh.action[2] if state.terminal else None))
            fresh.action[5] = ended
            return
        self._add(queries.SETTLE_ACTION, (state.value, reason, ended, key.space, key.run, key.name, key.index, epoch))

    def event(
        self, space: str, run: str, kind: str, detail: str, name: str | None = None, index: int | None = None
    ) -> None:
        """Record that something happened."""
        self._add(queries.ADD_EVENT, (space, run, time.time(), kind, name, index, detail))

    def flush(self) -> None:
        """Write all that is pending in one transaction, in the order in which it happened."""
        if not self._pending and not self._fresh:
            return
        pending, self._pending = self._pending, []
        fresh, self._fresh = self._fresh, {}
        self._kept.clear()
        with self._transaction():
            if fresh:
                self._connection.executemany(queries.PUT_ATTEMPT, _attempt_rows(fresh))
                self._connection.executemany(queries.PUT_CALL, _action_rows(fresh))
            for query, rows in itertools.groupby(pending, key=operator.itemgetter(0)):
                self._connection.executemany(query, [row for _, row in rows])

    # Results of tasks that are kept for later runs

    def cached(self, task: str, key: str) -> CacheRow | None:
        """Find the result of a task call; those that are pending are found too."""
        if self._kept:
            found = self._kept.get((task, key))
            if found is not None:
                return found
        rows = self._rows(queries.FIND_RESULT, (task, key))
        return _cache_row(rows[0]) if rows else None

    def keep_result(self, task: str, cache: CacheKey, output: Output, run: str, action: str, made: float) -> None:
        """Keep the result of a task call for later runs."""
        plain = [[ref.dtype, ref.hexdigest, ref.data and b64encode(ref.data).decode()] for ref in output.refs]
        row = (task, cache.key, json.dumps(plain), run, action, made, json.dumps(dict(cache.parts)))
        self._add(queries.PUT_RESULT, row)
        self._kept[task, cache.key] = CacheRow(output, run, action, made, cache.parts)
        code = cache.parts.get("code")
        if code is not None and cache.code and code not in self._codes:
            self._codes.add(code)
            self._add(queries.PUT_CODE, (task, code, json.dumps(dict(cache.code))))

    # Asking a scheduler from outside

    def request(self, space: str, run: str, kind: str, reason: str) -> None:
        """Leave a request for the holder of a run.

        Raises:
            LedgerError: It cannot be written.
        """
        with self._transaction():
            self._connection.execute(queries.PUT_REQUEST, (space, run, kind, reason, time.time()))

    def requested(self, space: str, run: str, kind: str) -> str | None:
        """Read a request to the holder of a run; the reason given, or None."""
        rows = self._rows(queries.FIND_REQUEST, (space, run, kind))
        return str(rows[0][0]) if rows else None

    def stamp(self) -> int:
        """Give a number that changes when another connection has written."""
        return int(self._rows("PRAGMA data_version")[0][0])

    # Reading

    def find(self, space: str, run: str) -> RunRow | None:
        """Find a run of a space."""
        rows = self._rows(queries.FIND_RUN, (space, run))
        return _run_row(rows[0]) if rows else None

    def runs(self, limit: int = 50) -> list[RunRow]:
        """List runs, the newest first."""
        return [_run_row(row) for row in self._rows(queries.LIST_RUNS, (limit,))]

    def runs_of(self, run: str) -> list[RunRow]:
        """Find the runs of an id, or of its unambiguous beginning: one for each flow of a chain, oldest first.

        Raises:
            UnknownRunError: There is none, or several ids begin so.
        """
        found = [_run_row(row) for row in self._rows(queries.FIND_RUNS_BY_ID, (run,))]
        found = found or [_run_row(row) for row in self._rows(queries.FIND_RUNS_BY_PREFIX, (run,))]
        ids = {row.run for row in found}
        first = min(ids, key=len, default="")  # flows that a run has called bear its id and one of their own
        if first and run and all(other == first or other.startswith(f"{first}-") for other in ids):
            return [row for row in found if row.run == first]
        known = ids or [row[0] for row in self._rows(queries.LIST_RUN_IDS)]
        raise UnknownRunError(
            f"{'More than one run begins' if ids else 'No run is known'} as {run!r}.{nearest(run, known)}"
        )

    def groups(self, space: str, run: str) -> list[GroupRow]:
        """List the layers of a run with the counts of their splits."""
        rows = self._rows(queries.LIST_GROUPS, (space, run))
        return [GroupRow(row[0], State(row[1]), *row[2:]) for row in rows]

    def actions(
        self, space: str, run: str, name: str | None = None, limit: int = -1, offset: int = 0
    ) -> list[ActionRow]:
        """List the actions of a run, or of one layer of it."""
        rows = self._rows(queries.LIST_ACTIONS, (space, run, name, limit, offset))
        return [_action_row(row) for row in rows]

    def reasons(self, space: str, run: str, state: State) -> list[ReasonRow]:
        """List why actions are in a state, by layer, the most common reason first."""
        return [ReasonRow(*row) for row in self._rows(queries.LIST_REASONS, (space, run, state.value))]

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
        wanted = (space, run, task, None if state is None else state.value, limit, offset)
        return [_action_row(row) for row in self._rows(queries.LIST_CALLS, wanted)]

    def call_reasons(self, space: str, run: str, state: State) -> list[CallReasonRow]:
        """List why task calls are in a state, by task, the most common reason first."""
        return [CallReasonRow(*row) for row in self._rows(queries.LIST_CALL_REASONS, (space, run, state.value))]

    def tasks(self, space: str, run: str) -> list[TaskRow]:
        """Count the calls of each task in a run."""
        return [TaskRow(*row) for row in self._rows(queries.LIST_TASKS, (space, run))]

    def actions_of(self, space: str, run: str, which: str) -> list[ActionRow]:
        """Find actions of a run by the beginning of their name, or by their task."""
        return [_action_row(row) for row in self._rows(queries.FIND_ACTIONS, (space, run, which))]

    def result_of(self, run: str, action: str) -> tuple[str, CacheRow] | None:
        """Find what an action has kept for later runs: its task, and the result."""
        rows = self._rows(queries.FIND_RESULT_OF_ACTION, (run, action))
        return (rows[0][0], _cache_row(rows[0][1:])) if rows else None

    def results(self, task: str, before: float, like: CacheRow, limit: int = 200) -> list[CacheRow]:
        """List the results of a task that were kept before a time, those first that may be compared with one.

        Args:
            task: Full name of the task.
            before: The time.
            like: The one: first come results of actions that bear the same name, then those of other runs.
            limit: How many.
        """
        wanted = (task, before, like.action, like.run, limit)
        return [_cache_row(row) for row in self._rows(queries.LIST_RESULTS, wanted)]

    def code(self, task: str, digest: str) -> dict[str, str]:
        """Read of which parts the code of a task was made; empty if that is not known."""
        rows = self._rows(queries.FIND_CODE, (task, digest))
        return dict(json.loads(rows[0][0])) if rows else {}

    def attempts(self, space: str, run: str, name: str | None = None, index: int | None = None) -> list[AttemptRow]:
        """List the attempts of a run, of a layer, or of a split, oldest first."""
        rows = self._rows(queries.LIST_ATTEMPTS, (space, run, name, index))
        return [
            AttemptRow(name, split, number, epoch, State(state), *rest)
            for name, split, number, epoch, state, *rest in rows
        ]

    def events(self, space: str, run: str) -> list[EventRow]:
        """List what happened in a run, oldest first."""
        return [EventRow(*row) for row in self._rows(queries.LIST_EVENTS, (space, run))]


class _Fresh(Value, hot=True):
    """A task call that is not in the file yet: its row, and those of its attempts by their number."""

    action: list[Any]
    attempts: dict[int, list[Any]]


def _attempt_rows(fresh: dict[ActionKey, _Fresh]) -> Iterator[tuple[Any, ...]]:
    for key, one in fresh.items():
        for number, row in one.attempts.items():
            yield (key.space, key.run, key.name, key.index, number, one.action[0], *row)


def _action_rows(fresh: dict[ActionKey, _Fresh]) -> Iterator[tuple[Any, ...]]:
    for key, one in fresh.items():
        yield (key.space, key.run, key.name, key.index, *one.action)


def _action_row(row: tuple[Any, ...]) -> ActionRow:
    return ActionRow(row[0], row[1], State(row[2]), *row[3:])


def _cache_row(row: tuple[Any, ...]) -> CacheRow:
    output, run, action, made, parts = row
    refs = tuple(Ref(kind, digest, data and b64decode(data)) for kind, digest, data in json.loads(output))
    return CacheRow(Output(refs), run, action, made, json.loads(parts))


def _run_row(row: tuple[Any, ...]) -> RunRow:
    space, run, state, epoch, host, place, pid, pid_started, *rest = row
    return RunRow(space, run, State(state), epoch, ProcessIdentity(host, place, pid, pid_started), *rest)


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
