"""The ledger: what happened in runs, written as it happens and read by who looks.

One scheduler writes a run; changes are collected and written in one transaction (:meth:`Ledger.flush`).
"""

from __future__ import annotations

import itertools
import json
import operator
import time
from base64 import b64encode

from laminar.errors import RunExistsError, RunHeldError
from laminar.host import processes
from laminar.ledger import feed, queries
from laminar.ledger.epochs import check_epoch
from laminar.ledger.reading import Reader, cache_row, run_row
from laminar.ledger.rows import CacheRow
from laminar.ledger.sqlite import LEDGER, Sqlite
from laminar.ledger.sqlite import MEMORY as MEMORY
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from laminar.host.processes import ProcessIdentity
    from laminar.ledger.database import Connection, Database, Row
    from laminar.ledger.rows import RunRow
    from laminar.model.action import Output
    from laminar.model.cache import CacheKey
    from laminar.model.ids import ActionKey, AttemptKey

#: Seconds that the word of a holder counts where its process cannot be seen.
LEASE = 20.0
#: Path, space, run and epoch of what schedulers of this process hold.
_held: set[tuple[str, str, str, int]] = set()


class Ledger(Reader):
    """What happened in all runs of one place.

    Attributes:
        path: What messages call the place; that of a file is its path.
    """

    def __init__(self, where: str | Database, *, create: bool = True, scope: str = "", feed: bool = False) -> None:
        """Open the ledger.

        Args:
            where: The file, or ``":memory:"``; or an open database that has the ledger's tables, which stays open.
            create: Whether to make the file if it is not there.
            scope: Among whom results of tasks are shared.
            feed: Whether each change of state becomes an event too, for who follows a run.

        Raises:
            LedgerError: It is not there, cannot be opened, or is of a newer version of laminar.
        """
        self._pending: list[tuple[str, Row]] = []
        self._fresh: dict[ActionKey, _Fresh] = {}
        self._told: list[Row] = []
        self._kept: dict[tuple[str, str], CacheRow] = {}
        self._codes: set[str] = set()
        self._claims: set[tuple[str, str, str, int]] = set()
        self._holds: dict[tuple[str, str], int] = {}
        self._feed = feed
        self._own = isinstance(where, str)
        self.scope = scope
        self.database = _opened(where, create) if isinstance(where, str) else where
        self.path = self.database.name

    def close(self) -> None:
        """Write what is pending and close; runs that were taken through this ledger can be taken again."""
        try:
            self.flush()
        finally:
            _held.difference_update(self._claims)
            if self._own:
                self.database.close()

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
        values = {
            "space": space,
            "run": run,
            "host": holder.host,
            "place": holder.place,
            "pid": holder.pid,
            "pid_started": holder.started,
            "lease": now + LEASE,
            "source": source,
            "now": now,
        }

        def take(connection: Connection) -> int:
            connection.lock(feed.RUN, space, run)
            rows = connection.execute(queries.FIND_RUN, (space, run))
            epoch = self._next_epoch(run_row(rows[0]), now, resume=resume) if rows else 1
            connection.execute(queries.CLAIM_RUN, {**values, "epoch": epoch})
            connection.execute(queries.DROP_REQUESTS, (space, run))
            older = {"now": now, "space": space, "run": run, "epoch": epoch}
            connection.execute(queries.CLOSE_ATTEMPTS_OF_OLDER_HOLDERS, older)
            if self._feed:
                change = feed.change(space, run, feed.RUN, state=State.RUNNING, epoch=epoch)
                connection.execute(queries.ADD_EVENT, change)
            return epoch

        epoch = self.database.transact(take)
        claim = (self.path, space, run, epoch)
        self._claims.add(claim)
        _held.add(claim)
        return epoch

    def _next_epoch(self, found: RunRow, now: float, *, resume: bool) -> int:
        if found.held(now) and not self._abandoned(found):
            raise RunHeldError(
                f"Run {found.run} of {found.space} is held by {found.holder}, since {_clock(found.started)}. "
                "Wait for it, or end it with: laminar abort " + found.run
            )
        if not resume:
            raise RunExistsError(
                f"Run {found.run} of {found.space} exists already and is {found.state.value}. "
                f"Go on with it by resume(), or choose another id."
            )
        return found.epoch + 1

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
        values = (time.time() + LEASE, space, run, epoch)

        def beat(connection: Connection) -> bool:
            connection.execute(queries.EXTEND_LEASE, values)
            return connection.changed == 1

        return self.database.transact(beat)

    def hold(self, space: str, run: str, epoch: int) -> None:
        """Let what is written from now on count only while the run is held under an epoch; else it is refused.

        Args:
            space: What it is a run of.
            run: Its id.
            epoch: Under which it was taken.
        """
        self._holds[space, run] = epoch

    def end(self, space: str, run: str, epoch: int, state: State, error: str | None) -> None:
        """Record that a run has ended, with all that is pending."""
        self._add(queries.END_RUN, (state.value, time.time(), error, space, run, epoch))
        self._tell(space, run, feed.RUN, state=state, error=error)
        self.flush()

    # What is collected and written by flush()

    def _add(self, query: str, *rows: Row) -> None:
        self._pending.extend((query, row) for row in rows)

    def _tell(
        self, space: str, run: str, kind: str, name: str | None = None, index: int | None = None, **detail: Any
    ) -> None:
        if self._feed:
            self._told.append(feed.change(space, run, kind, name, index, **detail))

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
        self._tell(space, run, feed.GROUP, name, state=state, size=size, reason=reason)

    def wait(self, space: str, run: str, name: str, indexes: Iterable[int], epoch: int, reason: str) -> None:
        """Record that actions wait, and for what."""
        self._put(space, run, name, indexes, epoch, State.WAITING, reason)

    def keep(self, space: str, run: str, name: str, indexes: Iterable[int], epoch: int, reason: str) -> None:
        """Record that actions count as succeeded without being run."""
        self._put(space, run, name, indexes, epoch, State.SUCCEEDED, reason)

    def _put(
        self, space: str, run: str, name: str, indexes: Iterable[int], epoch: int, state: State, reason: str
    ) -> None:
        rows = [(space, run, name, index, epoch, state.value, reason) for index in indexes]
        self._add(queries.PUT_ACTION, *rows)
        for row in rows if self._feed else ():
            self._tell(space, run, feed.ACTION, name, row[3], state=state, reason=reason)

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
        if self._feed:
            named = {"task": task, "parent": parent or None, "label": label or None}
            self._tell(key.space, key.run, feed.ACTION, key.name, key.index, state=state, reason=reason, **named)

    def start(self, key: AttemptKey, now: float, log: str) -> None:
        """Record that an attempt starts."""
        action = key.action
        if self._feed:
            where = (action.space, action.run)
            self._tell(*where, feed.ACTION, action.name, action.index, state=State.RUNNING)
            self._tell(*where, feed.ATTEMPT, action.name, action.index, state=State.RUNNING, number=key.number)
        fresh = self._fresh.get(action)
        if fresh is not None:
            call = fresh.action
            call[1:5] = (State.RUNNING.value, _lasting(call[2]), call[3] + 1, call[4] or now)
            fresh.attempts[key.number] = [State.RUNNING.value, None, now, None, None, None, log]
            return
        row = (action.space, action.run, action.name, action.index, key.number, key.epoch, now, log)
        self._add(queries.START_ATTEMPT, row)

    def finish(
        self, key: AttemptKey, state: State, outcome: str, now: float, cpu: float | None, memory: float | None
    ) -> None:
        """Record that an attempt has ended."""
        action = key.action
        if self._feed:
            ended = {"state": state, "number": key.number, "outcome": outcome}
            self._tell(action.space, action.run, feed.ATTEMPT, action.name, action.index, **ended)
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
        if self._feed:
            self._tell(key.space, key.run, feed.ACTION, key.name, key.index, state=state, reason=reason)
        fresh = self._fresh.get(key)
        if fresh is not None:
            fresh.action[1:3] = (state.value, reason or _lasting(fresh.action[2]))
            fresh.action[5] = ended
            return
        self._add(queries.SETTLE_ACTION, (state.value, reason, ended, key.space, key.run, key.name, key.index, epoch))

    def event(
        self, space: str, run: str, kind: str, detail: str, name: str | None = None, index: int | None = None
    ) -> None:
        """Record that something happened."""
        self._told.append((space, run, time.time(), kind, name, index, detail))

    def flush(self) -> None:
        """Write all that is pending in one transaction, in the order in which it happened."""
        if not self._pending and not self._fresh and not self._told:
            return
        batches = list(self._batches())
        self._pending, self._fresh, self._told = [], {}, []
        self._kept.clear()

        def write(connection: Connection) -> None:
            self._check(connection)
            for query, rows in batches:
                connection.executemany(query, rows)

        self.database.transact(write)

    def _batches(self) -> Iterator[tuple[str, list[Row]]]:
        """Give what is pending, statement by statement; events last, which none of the others reads."""
        if self._fresh:
            yield queries.PUT_ATTEMPT, list(_attempt_rows(self._fresh))
            yield queries.PUT_CALL, list(_action_rows(self._fresh))
        for query, rows in itertools.groupby(self._pending, key=operator.itemgetter(0)):
            yield query, [row for _, row in rows]
        if self._told:
            yield queries.ADD_EVENT, self._told

    def _check(self, connection: Connection) -> None:
        """Refuse to write for runs that others have taken; nobody takes one until the transaction ends."""
        for (space, run), epoch in self._holds.items():
            connection.lock(feed.RUN, space, run)
            check_epoch(connection, space, run, epoch)

    # Results of tasks that are kept for later runs

    def cached(self, task: str, key: str) -> CacheRow | None:
        """Find the result of a task call; those that are pending are found too."""
        if self._kept:
            found = self._kept.get((task, key))
            if found is not None:
                return found
        rows = self.database.read(queries.FIND_RESULT, (self.scope, task, key))
        return cache_row(rows[0]) if rows else None

    def keep_result(self, task: str, cache: CacheKey, output: Output, run: str, action: str, made: float) -> None:
        """Keep the result of a task call for later runs."""
        plain = [[ref.dtype, ref.hexdigest, ref.data and b64encode(ref.data).decode()] for ref in output.refs]
        row = (task, cache.key, json.dumps(plain), run, action, made, json.dumps(dict(cache.parts)))
        self._add(queries.PUT_RESULT, (self.scope, *row))
        self._kept[task, cache.key] = CacheRow(output, run, action, made, cache.parts)
        code = cache.parts.get("code")
        if code is not None and cache.code and code not in self._codes:
            self._codes.add(code)
            self._add(queries.PUT_CODE, (self.scope, task, code, json.dumps(dict(cache.code))))

    # Asking a scheduler from outside

    def request(self, space: str, run: str, kind: str, reason: str) -> None:
        """Leave a request for the holder of a run.

        Raises:
            LedgerError: It cannot be written.
        """
        values = (space, run, kind, reason, time.time())
        self.database.transact(lambda connection: connection.execute(queries.PUT_REQUEST, values))

    def stamp(self) -> int:
        """Give a number that changes when another connection has written."""
        return self.database.stamp()


class _Fresh(Value, hot=True):
    """A task call that is not in the file yet: its row, and those of its attempts by their number."""

    action: list[Any]
    attempts: dict[int, list[Any]]


def _lasting(reason: str | None) -> str | None:
    """Give what of a reason stays when it is over: what the cache had to do with it."""
    return reason if reason is not None and reason.startswith("cache:") else None


def _attempt_rows(fresh: dict[ActionKey, _Fresh]) -> Iterator[Row]:
    for key, one in fresh.items():
        for number, row in one.attempts.items():
            yield (key.space, key.run, key.name, key.index, number, one.action[0], *row)


def _action_rows(fresh: dict[ActionKey, _Fresh]) -> Iterator[Row]:
    for key, one in fresh.items():
        yield (key.space, key.run, key.name, key.index, *one.action)


def _opened(path: str, create: bool) -> Database:
    database = Sqlite(path, create=create)
    if database.version(LEDGER) != queries.SCHEMA_VERSION:
        from laminar.ledger import schema, tables  # 1 ms that a ledger which is there does not need

        schema.set_up(database, tables.COMPONENT)
    return database


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
