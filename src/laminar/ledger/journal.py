"""The journal of a run on a server: what its calls have returned or raised, a row each.

A row is the commit of an action, as a line is in :mod:`laminar.data.journal`; only who holds the run writes any.
"""

from __future__ import annotations

from laminar.ledger import feed
from laminar.ledger.epochs import check_epoch
from laminar.model.entries import Ends, forgetting, line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.database import Connection, Database
    from laminar.model.entries import Entry

LAST_CALL = "SELECT coalesce(max(sequence), 0) FROM calls WHERE space = ? AND run = ?"
ADD_CALL = "INSERT INTO calls (space, run, sequence, id, entry) VALUES (?, ?, ?, ?, ?)"
LIST_CALLS_OF = "SELECT entry FROM calls WHERE space = ? AND run = ? AND id = ? ORDER BY sequence"
LIST_CALLS = "SELECT entry FROM calls WHERE space = ? AND run = ? ORDER BY sequence"


class CallJournal:
    """The journal of one run, under one holder."""

    def __init__(self, database: Database, space: str, run: str, epoch: int) -> None:
        """Remember where it lies.

        Args:
            database: Where.
            space: What it is a run of.
            run: Its id.
            epoch: Under which it is held.
        """
        self._database = database
        self._run = (space, run)
        self._epoch = epoch
        self._rows: list[tuple[str, str]] = []

    def add(self, entry: Entry) -> None:
        """Take up an entry; it counts from the next :meth:`flush` on."""
        self._rows.append((entry.id, line_of(entry)))

    def forget(self, id: str) -> None:  # noqa: A002
        """Take back that an action has ended."""
        self._rows.append((id, forgetting(id)))

    def flush(self) -> bool:
        """Write what was taken up, in one piece; tells whether there was anything.

        Raises:
            StaleEpochError: Another server has taken the run; nothing is written.
            LedgerError: It cannot be written.
        """
        if not self._rows:
            return False
        rows, self._rows = self._rows, []

        def write(connection: Connection) -> None:
            connection.lock(feed.RUN, *self._run)
            check_epoch(connection, *self._run, self._epoch)
            last = connection.execute(LAST_CALL, self._run)[0][0]
            numbered = [(*self._run, number, *row) for number, row in enumerate(rows, last + 1)]
            connection.executemany(ADD_CALL, numbered)

        self._database.transact(write)
        return True

    def find(self, id: str) -> Entry | None:  # noqa: A002
        """Read how an action has ended; None if it has not, or counts no more."""
        ends = Ends()
        for (line,) in self._database.read(LIST_CALLS_OF, (*self._run, id)):
            ends.take(line)
        return ends.entries.get(id)

    def read(self) -> dict[str, Entry]:
        """Read the actions that have ended, by name."""
        ends = Ends()
        for (line,) in self._database.read(LIST_CALLS, self._run):
            ends.take(line)
        return ends.entries
