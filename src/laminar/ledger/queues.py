"""Queues of slots: how many actions of a kind may go on at a time, whichever server drives them.

A slot is taken for as long as its lease runs, so one whose server has died comes free by itself. How many are taken is
counted from the leases that run; nothing else is kept.
"""

from __future__ import annotations

from laminar.ledger.server_rows import QueueRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from laminar.ledger.database import Connection, Database

#: Name of the queue that every action of a space is in, where one is defined: the limit of the project.
PROJECT = ""

PUT_QUEUE = """
INSERT INTO queues (space, name, size) VALUES (?, ?, ?) ON CONFLICT (space, name) DO UPDATE SET size = excluded.size
"""
DROP_QUEUE = "DELETE FROM queues WHERE space = ? AND name = ?"
SELECT_QUEUES = """
SELECT q.space, q.name, q.size, count(s.holder) FROM queues q
LEFT JOIN slots s ON s.space = q.space AND s.queue = q.name AND s.lease >= unixepoch('subsec')
"""
LIST_QUEUES = SELECT_QUEUES + "WHERE q.space = ? GROUP BY q.space, q.name, q.size ORDER BY q.name"
COUNT_QUEUE = SELECT_QUEUES + "WHERE q.space = ? AND q.name = ? GROUP BY q.space, q.name, q.size"
HAS_SLOT = """
SELECT count(*) FROM slots WHERE space = ? AND queue = ? AND holder = ? AND lease >= unixepoch('subsec')
"""
TAKE_SLOT = """
INSERT INTO slots (space, queue, holder, server, lease) VALUES (?, ?, ?, ?, unixepoch('subsec') + ?)
ON CONFLICT (space, queue, holder) DO UPDATE SET server = excluded.server, lease = excluded.lease
"""
DROP_OLD_SLOTS = "DELETE FROM slots WHERE space = ? AND queue = ? AND lease < unixepoch('subsec')"
DROP_SLOTS = "DELETE FROM slots WHERE space = ? AND queue = ? AND holder = ? AND server = ?"
LIST_HOLDERS = """
SELECT holder FROM slots WHERE space = ? AND queue = ? AND lease >= unixepoch('subsec') ORDER BY holder LIMIT ?
"""
LIST_NAMES = "SELECT space, name FROM queues"
EXTEND_SLOTS = """
UPDATE slots SET lease = unixepoch('subsec') + ? WHERE server = ? AND lease >= unixepoch('subsec')
RETURNING space, queue, holder
"""


class Queues:
    """The queues of all spaces."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def put(self, space: str, name: str, size: int) -> None:
        """Make a queue, or change its size: what is taken stays so.

        Args:
            space: Where it belongs.
            name: Its name; :data:`PROJECT` for the limit of all actions of the space.
            size: How many slots it has.
        """
        self._database.transact(lambda connection: connection.execute(PUT_QUEUE, (space, name, size)))

    def drop(self, space: str, name: str) -> None:
        """Take a queue away: nothing waits for it any more."""
        self._database.transact(lambda connection: connection.execute(DROP_QUEUE, (space, name)))

    def all(self, space: str) -> list[QueueRow]:
        """List the queues of a space, by name."""
        return [QueueRow(*row) for row in self._database.read(LIST_QUEUES, (space,))]

    def acquire(self, space: str, names: Collection[str], holder: str, server: str, seconds: float) -> QueueRow | None:
        """Take a slot of each of some queues, or of none.

        Args:
            space: Where they belong.
            names: Which; those that do not exist have slots for all.
            holder: Who takes them: a run and an action. Who has a slot already keeps it.
            server: Name of the server that will extend them.
            seconds: How long they are taken.

        Returns:
            None if they are taken; else the first queue that is full.
        """
        wanted = sorted(set(names))

        def take(connection: Connection) -> QueueRow | None:
            for name in wanted:
                connection.lock("queue", space, name)
            for name in wanted:
                rows = connection.execute(COUNT_QUEUE, (space, name))
                if rows and rows[0][3] >= rows[0][2] and connection.execute(HAS_SLOT, (space, name, holder)) == [(0,)]:
                    return QueueRow(*rows[0])
            for name in wanted:
                connection.execute(DROP_OLD_SLOTS, (space, name))
                connection.execute(TAKE_SLOT, (space, name, holder, server, seconds))
            return None

        return self._database.transact(take)

    def extend(self, server: str, seconds: float) -> set[tuple[str, str, str]]:
        """Say that a server lives.

        Args:
            server: Its name.
            seconds: How long its slots are taken from now on.

        Returns:
            Space, queue and holder of the slots that it has; one whose lease was over is not among them.
        """
        rows = self._database.transact(lambda connection: connection.execute(EXTEND_SLOTS, (seconds, server)))
        return {(space, queue, holder) for space, queue, holder in rows}

    def release(self, slots: Collection[tuple[str, str, str]], server: str) -> None:
        """Give back slots, but for those that another server has taken over with what holds them.

        Args:
            slots: Space, queue and holder of each.
            server: Name of the server that has taken them.
        """
        rows = [(*slot, server) for slot in slots]
        self._database.transact(lambda connection: connection.executemany(DROP_SLOTS, rows))

    def names(self) -> set[tuple[str, str]]:
        """List space and name of all queues."""
        return {(space, name) for space, name in self._database.read(LIST_NAMES)}

    def find(self, space: str, name: str) -> QueueRow | None:
        """Find a queue."""
        rows = self._database.read(COUNT_QUEUE, (space, name))
        return QueueRow(*rows[0]) if rows else None

    def holders(self, space: str, name: str, limit: int = 1000) -> list[str]:
        """List who has slots of a queue."""
        return [holder for (holder,) in self._database.read(LIST_HOLDERS, (space, name, limit))]
