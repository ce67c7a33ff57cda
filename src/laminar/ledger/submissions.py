"""The runs of a server: asked for, taken by one server at a time, listed."""

from __future__ import annotations

import functools
import json
import time

from laminar.errors import RunExistsError
from laminar.ledger import feed, queries
from laminar.ledger.server_rows import ClaimableRow, Submission, SubmissionRow
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.ledger.database import Connection, Database, Row

#: The kind of request that asks for the end of a run.
ABORT = "abort"

ADD_SUBMISSION = """
INSERT INTO submissions
    (space, run, kind, entity, version, state, created, author, labels, request, rerun_of, fired_by)
VALUES (?, ?, ?, ?, ?, 'WAITING', ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
ADD_LABEL = "INSERT INTO labels (space, label, created, run) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
ADD_RUN = """
INSERT INTO runs (space, run, state, epoch, host, place, pid, pid_started, lease, started)
VALUES (?, ?, 'WAITING', 0, '', 'server', 0, '', 0, ?)
"""
SELECT_SUBMISSIONS = """
SELECT s.space, s.run, s.kind, s.entity, s.version, s.created, s.author, s.labels, s.request, s.rerun_of, s.fired_by,
    r.state, r.epoch, r.host, CASE WHEN r.epoch > 0 THEN r.started END, r.ended, r.error
FROM submissions s JOIN runs r ON r.space = s.space AND r.run = s.run
"""
FIND_SUBMISSION = SELECT_SUBMISSIONS + "WHERE s.space = ? AND s.run = ?"
FIND_WAITING = """
SELECT space, run, epoch, started FROM runs WHERE state = 'WAITING' AND place = 'server' ORDER BY started LIMIT ?
"""
FIND_ABANDONED = """
SELECT space, run, epoch, lease FROM runs WHERE state = 'RUNNING' AND place = 'server' AND lease < unixepoch('subsec')
ORDER BY lease LIMIT ?
"""
CLAIM_SUBMISSION = """
UPDATE runs SET state = 'RUNNING', epoch = epoch + 1, host = :server, lease = unixepoch('subsec') + :seconds,
    started = CASE WHEN epoch = 0 THEN :now ELSE started END, ended = NULL, error = NULL
WHERE space = :space AND run = :run AND place = 'server'
    AND (state = 'WAITING' OR state = 'RUNNING' AND lease < unixepoch('subsec'))
RETURNING epoch
"""
PUT_SERVER = """
INSERT INTO servers (name, url, seen) VALUES (?, ?, unixepoch('subsec'))
ON CONFLICT (name) DO UPDATE SET url = excluded.url, seen = excluded.seen
"""
EXTEND_LEASES = """
UPDATE runs SET lease = unixepoch('subsec') + ? WHERE host = ? AND place = 'server' AND state = 'RUNNING'
RETURNING space, run, epoch
"""
RELEASE_RUNS = "UPDATE runs SET lease = 0, host = '' WHERE host = ? AND place = 'server' AND state = 'RUNNING'"
LEAVE_RUN = """
UPDATE runs SET lease = 0, host = ''
WHERE space = ? AND run = ? AND epoch = ? AND host = ? AND place = 'server' AND state = 'RUNNING'
RETURNING 1
"""
FIND_HOLDER = """
SELECT v.url FROM runs r JOIN servers v ON v.name = r.host
WHERE r.space = ? AND r.run = ? AND r.state = 'RUNNING' AND r.lease >= unixepoch('subsec')
"""
LIST_REQUESTS = """
SELECT q.space, q.run, q.reason FROM runs r JOIN requests q ON q.space = r.space AND q.run = r.run
WHERE r.host = ? AND r.place = 'server' AND r.state = 'RUNNING' AND q.kind = ? ORDER BY q.time
"""
WITHDRAW_RUN = """
UPDATE runs SET state = 'CANCELLED', ended = ?, error = ?
WHERE space = ? AND run = ? AND place = 'server' AND state = 'WAITING'
"""
REOPEN_RUN = """
UPDATE runs SET state = 'WAITING', epoch = epoch + 1, host = '', lease = 0, ended = NULL, error = NULL
WHERE space = ? AND run = ? AND place = 'server' AND state IN ('FAILED', 'CANCELLED')
"""

#: A list is found in an index alone, and only what it shows is read as a whole.
LIST_SUBMISSIONS = (
    SELECT_SUBMISSIONS.replace(
        "FROM submissions s", "FROM ({found}) f JOIN submissions s ON s.space = f.space AND s.run = f.run"
    )
    + "ORDER BY f.created DESC, f.run DESC"
)
FIND_LISTED = (
    "SELECT t.space, t.run, t.created FROM {table} WHERE {filters} ORDER BY t.created DESC, t.run DESC LIMIT :limit"
)
#: Where runs are found, by whether a label is asked for.
BY_CREATION = "{runs} t"
BY_LABEL = "labels t JOIN {runs} u ON u.space = t.space AND u.run = t.run"
#: Among which runs: all, or those whose id begins with a prefix, where these are few. The limit keeps them apart.
RUNS = "submissions"
NAMED = """(
    SELECT space, run, created, state, entity FROM submissions
    WHERE space = :space AND run >= :prefix AND run < :behind LIMIT :many
)"""
COUNT_NAMED = f"SELECT count(*) FROM {NAMED} n"  # noqa: S608 - of what stands above
#: How many are few: the others are found faster in the order of the list.
FEW = 1000
#: Behind all that can follow a prefix.
LAST = "\U0010ffff"
#: Which runs a list has, by the name of the filter; ``u`` is the run where ``t`` is its label.
FILTERS = {
    "label": "t.label = :label",
    "state": "u.state = :state",
    "entity": "u.entity = :entity",
    "prefix": "substr(t.run, 1, length(:prefix)) = :prefix",
    "since": "t.created >= :since",
    "until": "t.created < :until",
    "before": "(t.created, t.run) < (:created, :run)",
}


COUNT_GOING_ON = """
SELECT 'WAITING', count(*), min(started) FROM runs WHERE state = 'WAITING'
UNION ALL SELECT 'RUNNING', count(*), min(started) FROM runs WHERE state = 'RUNNING'
"""


class Submissions:
    """The runs that are asked for on a server."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def submit(self, submission: Submission) -> None:
        """Ask for a run; it waits until a server takes it.

        Raises:
            RunExistsError: There is one of that id.
        """
        if not self._database.transact(lambda connection: add(connection, submission)):
            raise RunExistsError(
                f"Run {submission.run} of {submission.space} exists already. Choose another name, or leave it out."
            )

    # Looking

    def find(self, space: str, run: str) -> SubmissionRow | None:
        """Find a run."""
        rows = self._database.read(FIND_SUBMISSION, (space, run))
        return _row(rows[0]) if rows else None

    def page(
        self,
        space: str,
        *,
        state: State | None = None,
        entity: str | None = None,
        label: str | None = None,
        prefix: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[SubmissionRow]:
        """List runs, the newest first.

        Args:
            space: Of this space.
            state: In this state.
            entity: Of this task or flow.
            label: With this label, as ``key=value``.
            prefix: Whose id begins so.
            since: Asked for at this time or later.
            until: Asked for before this time.
            before: Those that follow on a page: its last one's ``created`` and ``run``.
            limit: How many at most.
        """
        given: dict[str, Any] = {"state": state and state.value, "entity": entity, "label": label, "prefix": prefix}
        given |= {"since": since, "until": until, "before": before}
        wanted = {name: value for name, value in given.items() if value is not None}
        values: dict[str, Any] = {"space": space, "limit": limit, **wanted}
        if before is not None:
            del values["before"]
            values["created"], values["run"] = before
        named = prefix is not None and self._few(space, prefix, values)
        return [_row(row) for row in self._database.read(_listing(frozenset(wanted), named), values)]

    def _few(self, space: str, prefix: str, values: dict[str, Any]) -> bool:
        """Tell whether few ids begin with a prefix; then the values are added by which these are found."""
        range_ = {"prefix": prefix, "behind": prefix + LAST, "many": 2 * FEW}
        rows = self._database.read(COUNT_NAMED, {"space": space, **range_})
        few = int(rows[0][0]) <= FEW
        if few:
            values |= range_
        return few

    def going_on(self) -> dict[State, tuple[int, float | None]]:
        """Count the runs that have not ended, by state, and tell when the first of each was asked for or begun."""
        rows = self._database.read(COUNT_GOING_ON)
        return {State(state): (int(count), since) for state, count, since in rows}

    def holder_url(self, space: str, run: str) -> str | None:
        """Tell where the server is that holds a run; None if none does."""
        rows = self._database.read(FIND_HOLDER, (space, run))
        return str(rows[0][0]) if rows else None

    # Taking and leaving

    def claimable(self, limit: int, recovered: int | None = None) -> list[ClaimableRow]:
        """List runs that a server may take: first those whose holder has gone, then those that wait; oldest first.

        Args:
            limit: How many at most.
            recovered: How many of them at most whose holder has gone; as many as there are by default.
        """
        most = limit if recovered is None else min(recovered, limit)
        found = self._database.read(FIND_ABANDONED, (most,))
        found += self._database.read(FIND_WAITING, (limit - len(found),))
        return [ClaimableRow(*row) for row in found]

    def claim(self, space: str, run: str, server: str, url: str, seconds: float) -> int | None:
        """Take a run.

        Args:
            space: Where it belongs.
            run: Its id.
            server: Name of the server that takes it.
            url: Where other servers find that one.
            seconds: How long it may be silent before another may take the run.

        Returns:
            The epoch; None if another has taken it, or it has ended.
        """
        now = time.time()
        values = {"server": server, "seconds": seconds, "now": now, "space": space, "run": run}

        def take(connection: Connection) -> int | None:
            connection.lock(feed.RUN, space, run)
            rows = connection.execute(CLAIM_SUBMISSION, values)
            if not rows:
                return None
            epoch = int(rows[0][0])
            connection.execute(PUT_SERVER, (server, url))
            older = {"now": now, "space": space, "run": run, "epoch": epoch}
            connection.execute(queries.CLOSE_ATTEMPTS_OF_OLDER_HOLDERS, older)
            _tell(connection, space, run, State.RUNNING, epoch=epoch)
            return epoch

        return self._database.transact(take)

    def extend(self, server: str, seconds: float) -> dict[tuple[str, str], int]:
        """Say that a server lives.

        Args:
            server: Its name.
            seconds: How long it may be silent from now on.

        Returns:
            The epochs of the runs that it holds.
        """
        rows = self._database.transact(lambda connection: connection.execute(EXTEND_LEASES, (seconds, server)))
        return {(space, run): epoch for space, run, epoch in rows}

    def release(self, server: str) -> None:
        """Leave all runs of a server: others may take them at once."""
        self._database.transact(lambda connection: connection.execute(RELEASE_RUNS, (server,)))

    def leave(self, space: str, run: str, epoch: int, server: str) -> bool:
        """Leave one run of a server, if it has it still: others may take it at once, and so may the server.

        Returns:
            Whether it had it.
        """
        values = (space, run, epoch, server)
        return bool(self._database.transact(lambda connection: connection.execute(LEAVE_RUN, values)))

    # Stopping, and beginning again

    def request(self, space: str, run: str, reason: str) -> None:
        """Ask whoever holds or will hold a run to stop it."""
        values = (space, run, ABORT, reason, time.time())
        self._database.transact(lambda connection: connection.execute(queries.PUT_REQUEST, values))

    def requests(self, server: str) -> list[tuple[str, str, str]]:
        """List the runs of a server that are to be stopped: space, run and reason."""
        return [(space, run, reason) for space, run, reason in self._database.read(LIST_REQUESTS, (server, ABORT))]

    def withdraw(self, space: str, run: str, reason: str) -> bool:
        """End a run that no server has taken yet; False if one has, or it has ended."""
        now = time.time()

        def end(connection: Connection) -> bool:
            connection.lock(feed.RUN, space, run)
            connection.execute(WITHDRAW_RUN, (now, reason, space, run))
            if connection.changed == 0:
                return False
            _tell(connection, space, run, State.CANCELLED, error=reason)
            return True

        return self._database.transact(end)

    def reopen(self, space: str, run: str) -> bool:
        """Let a run that has failed or was stopped wait again, to be resumed; False if it is not such a one."""

        def begin(connection: Connection) -> bool:
            connection.lock(feed.RUN, space, run)
            connection.execute(REOPEN_RUN, (space, run))
            if connection.changed == 0:
                return False
            connection.execute(queries.DROP_REQUESTS, (space, run))
            _tell(connection, space, run, State.WAITING)
            return True

        return self._database.transact(begin)


def add(connection: Connection, submission: Submission) -> bool:
    """Ask for a run within a transaction; False if there is one of that id."""
    one = submission
    where = (one.space, one.run)
    labels = json.dumps(dict(one.labels))
    made = (one.kind, one.entity, one.version, one.created, one.author, labels, one.request, one.rerun_of, one.trigger)
    connection.execute(ADD_SUBMISSION, (*where, *made))
    if connection.changed == 0:
        return False
    connection.execute(ADD_RUN, (*where, one.created))
    rows = [(one.space, f"{key}={value}", one.created, one.run) for key, value in one.labels.items()]
    if rows:
        connection.executemany(ADD_LABEL, rows)
    _tell(connection, *where, State.WAITING)
    return True


def _tell(connection: Connection, space: str, run: str, state: State, **detail: Any) -> None:
    connection.execute(queries.ADD_EVENT, feed.change(space, run, feed.RUN, state=state, **detail))


@functools.cache
def _listing(wanted: frozenset[str], named: bool) -> str:
    """Write the statement that lists the runs which pass some filters, among those of a prefix if these are few."""
    table = BY_LABEL if "label" in wanted else BY_CREATION
    names = [name for name in FILTERS if name in wanted and not (named and name == "prefix")]
    filters = " AND ".join(["t.space = :space", *(FILTERS[name] for name in names)])
    if table == BY_CREATION:
        filters = filters.replace("u.", "t.")
    elif named:
        filters += " AND t.created = u.created"  # so that each of the few is looked up
    table = table.format(runs=NAMED if named else RUNS)
    return LIST_SUBMISSIONS.format(found=FIND_LISTED.format(table=table, filters=filters))


def _row(row: Row) -> SubmissionRow:
    *plain, labels, request, rerun_of, trigger, state, epoch, server, started, ended, error = row
    stands = (State(state), epoch, server, started, ended, error)
    values = (*plain, json.loads(labels), request, rerun_of, trigger, *stands)
    return SubmissionRow(*values)
