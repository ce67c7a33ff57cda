"""What is kept of runs, for how long, and what their rows refer to."""

from __future__ import annotations

from laminar.ledger import feed
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from laminar.ledger.database import Connection, Database

    Where = tuple[str, str]

#: Runs that are removed in one transaction.
TOGETHER = 50

OLD_RUNS = """
SELECT space, run FROM (
    SELECT r.space AS space, r.run AS run, r.state AS state, r.ended AS ended,
        row_number() OVER (PARTITION BY s.space, s.entity ORDER BY s.created DESC, s.run DESC) AS place
    FROM runs r JOIN submissions s ON s.space = r.space AND s.run = r.run
) f WHERE f.place > ? AND f.ended < ? AND f.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""
LIST_RUN_NAMES = "SELECT space, run FROM runs"
OLDEST_LIVE = """
SELECT min(s.created) FROM submissions s JOIN runs r ON r.space = s.space AND r.run = s.run
WHERE r.state IN ('WAITING', 'RUNNING')
"""
DROP_RUN = "DELETE FROM runs WHERE space = ? AND run = ? AND epoch = ?"
DROP_ENDED_RUN = """
DELETE FROM runs WHERE space = ? AND run = ? AND ended < ? AND state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""
OF_A_RUN = (
    "DELETE FROM groups WHERE space = ? AND run = ?",
    "DELETE FROM actions WHERE space = ? AND run = ?",
    "DELETE FROM attempts WHERE space = ? AND run = ?",
    "DELETE FROM events WHERE space = ? AND run = ?",
    "DELETE FROM requests WHERE space = ? AND run = ?",
)
DROP_RESULTS = "DELETE FROM results WHERE scope = ? AND run = ?"
OF_A_SUBMISSION = (
    "DELETE FROM calls WHERE space = ? AND run = ?",
    "DELETE FROM submissions WHERE space = ? AND run = ?",
)
DROP_LABELS = """
DELETE FROM labels WHERE NOT EXISTS (
    SELECT 1 FROM submissions s WHERE s.space = labels.space AND s.run = labels.run
)
"""
DROP_FIRINGS = """
DELETE FROM firings WHERE decided < ? AND NOT EXISTS (
    SELECT 1 FROM runs r WHERE r.space = firings.space AND r.run = firings.run AND r.state IN ('WAITING', 'RUNNING')
)
"""
DROP_TOKENS = "DELETE FROM tokens WHERE expires < ? OR revoked < ?"
DROP_SERVERS = """
DELETE FROM servers WHERE seen < ? AND NOT EXISTS (
    SELECT 1 FROM runs r WHERE r.host = servers.name AND r.state = 'RUNNING'
)
"""
COUNT_TOKENS = "SELECT count(*) FROM tokens WHERE expires < ? OR revoked < ?"
LIST_BUNDLES = "SELECT DISTINCT space, bundle FROM deployments UNION SELECT DISTINCT space, bundle FROM entities"
LIST_SPACES = "SELECT DISTINCT space FROM deployments"

LIST_RESULT_OUTPUTS = "SELECT scope, run, output FROM results"
LIST_CALL_ENTRIES = "SELECT entry FROM calls WHERE space = ? AND run = ?"
LIST_REQUESTS_OF_RUNS = "SELECT space, run, request FROM submissions"
LIST_SPECS = (
    "SELECT spec FROM deployments",
    "SELECT spec FROM entities",
    "SELECT spec FROM triggers",
    "SELECT state FROM triggers",
)


class Limits(Value, frozen=True):
    """How long things are kept.

    Attributes:
        before: Runs that ended before this time are removed, in seconds since the epoch.
        newest: How many of the newest runs of each task or flow are kept whatever their age.
        written: Content is removed only if it was written, or last relied on, before this time.
        settle: Seconds to wait, where results that other runs might have taken were removed, until these runs have
            written that down.
    """

    before: float
    newest: int
    written: float
    settle: float = 10.0


def old_runs(database: Database, limits: Limits) -> list[Where]:
    """List the runs of a server that are not kept any longer: space and run."""
    return [(space, run) for space, run in database.read(OLD_RUNS, (limits.newest, limits.before))]


def remove(database: Database, runs: Collection[Where], limits: Limits) -> None:
    """Remove runs of a server, unless they go on again; their rows go whole or not at all."""
    rows = list(runs)
    for start in range(0, len(rows), TOGETHER):
        chosen = rows[start : start + TOGETHER]
        database.transact(lambda connection, chosen=chosen: _remove(connection, chosen, limits.before))  # type: ignore[misc]
    database.transact(lambda connection: _remove_rest(connection, limits.before))


def _remove(connection: Connection, runs: Iterable[Where], before: float) -> None:
    for where in sorted(runs):
        connection.lock(feed.RUN, *where)
        connection.execute(DROP_ENDED_RUN, (*where, before))
        if connection.changed:
            for query in (*OF_A_RUN, DROP_RESULTS, *OF_A_SUBMISSION):
                connection.execute(query, where)


def _remove_rest(connection: Connection, before: float) -> None:
    connection.execute(DROP_LABELS)
    connection.execute(DROP_FIRINGS, (before,))
    connection.execute(DROP_TOKENS, (before, before))
    connection.execute(DROP_SERVERS, (before,))


def old_tokens(database: Database, limits: Limits) -> int:
    """Count the tokens that have expired or were revoked, so long ago that nothing is kept of them."""
    return int(database.read(COUNT_TOKENS, (limits.before, limits.before))[0][0])


def remove_local(database: Database, where: Where, epoch: int) -> None:
    """Remove the rows of a run of this machine that is held under an epoch, unless it was taken since."""

    def work(connection: Connection) -> None:
        connection.execute(DROP_RUN, (*where, epoch))
        if connection.changed:
            for query in OF_A_RUN:
                connection.execute(query, where)
            connection.execute(DROP_RESULTS, ("", where[1]))

    database.transact(work)


def run_names(database: Database) -> set[Where]:
    """List all runs: space and run."""
    return {(space, run) for space, run in database.read(LIST_RUN_NAMES)}


def oldest_live(database: Database) -> float | None:
    """Tell when the oldest run was asked for that waits or goes on at a server; None if none does."""
    found = database.read(OLDEST_LIVE)[0][0]
    return None if found is None else float(found)


def bundles(database: Database) -> set[tuple[str, str]]:
    """List the bundles that something deployed needs: space and MD5, as the catalog writes it."""
    return {(space, bundle) for space, bundle in database.read(LIST_BUNDLES)}


def spaces(database: Database) -> set[str]:
    """List the spaces in which something is deployed."""
    return {space for (space,) in database.read(LIST_SPACES)}


def result_texts(database: Database, without: Collection[Where] = (), scoped: bool = True) -> Iterator[str]:
    """Give what names the results that are kept for later runs.

    Args:
        database: Where.
        without: Runs to be left out.
        scoped: Whether results belong to spaces; those of this machine belong to none.
    """
    runs = {run for _, run in without}
    for scope, run, output in database.read(LIST_RESULT_OUTPUTS):
        if ((scope, run) not in without) if scoped else (run not in runs):
            yield str(output)


def server_texts(database: Database, without: Collection[Where] = ()) -> Iterator[str]:
    """Give all text of a server's tables that can name content: inputs, ends of actions, what is deployed and due.

    Args:
        database: Where.
        without: Runs to be left out.
    """
    for query in LIST_SPECS:
        for (text,) in database.read(query):
            yield str(text)
    yield from result_texts(database, without)
    for space, run, request in database.read(LIST_REQUESTS_OF_RUNS):
        if (space, run) not in without:
            yield str(request)
            for (entry,) in database.read(LIST_CALL_ENTRIES, (space, run)):
                yield str(entry)
