"""What attempts print: pieces in the store, each under the number of bytes that came before it.

That a piece is there is an event of the run, so who follows a run is told of output and states in one order.
"""

from __future__ import annotations

from laminar.engine.contract import Logs as Following
from laminar.ledger import feed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.data.contract import Blobs
    from laminar.ledger.database import Database, Row
    from laminar.model.ids import AttemptKey


class Output:
    """The output of all attempts."""

    def __init__(self, blobs: Blobs, database: Database) -> None:
        """Remember where it is kept, and where it is told of."""
        self._blobs = blobs
        self._database = database

    def add(self, key: AttemptKey, offset: int, data: bytes) -> None:
        """Keep a piece; to keep it again does no harm.

        Args:
            key: The attempt.
            offset: How many bytes it had printed before.
            data: The bytes.

        Raises:
            StorageError: It cannot be stored.
        """
        self._blobs.write(_piece(key.action.space, name(key), offset), data)

    def tell(self, pieces: Iterable[tuple[AttemptKey, int, int]]) -> None:
        """Tell those who follow runs of pieces that are kept.

        Args:
            pieces: Of each the attempt, how many bytes it had printed before, and how many these are.
        """
        rows: dict[tuple[str, str], list[Row]] = {}
        for key, offset, size in pieces:
            action = key.action
            told = {"number": key.number, "epoch": key.epoch, "offset": offset, "size": size}
            row = feed.change(action.space, action.run, feed.OUTPUT, action.name, action.index, **told)
            rows.setdefault((action.space, action.run), []).append(row)
        for of_run in rows.values():
            feed.add(self._database, of_run)

    def piece(self, key: AttemptKey, offset: int) -> bytes:
        """Read a piece; what is not there any more is empty."""
        try:
            return self._blobs.read(_piece(key.action.space, name(key), offset))
        except FileNotFoundError:
            return b""


class Logs(Following):
    """The logs of one run, as the engine knows them: it only names them, since agents tell their content."""

    def follow(self, key: AttemptKey, label: str, splits: int) -> str:  # noqa: ARG002
        """Name the log of an attempt."""
        return name(key)

    def poll(self) -> None:
        """Do nothing."""

    def leave(self, key: AttemptKey) -> None:
        """Do nothing."""


def name(key: AttemptKey) -> str:
    """Name the log of an attempt, within its space."""
    action = key.action
    return f"logs/{action.run}/{action.name}.{action.index}/{key.epoch}.{key.number}"


def _piece(space: str, log: str, offset: int) -> str:
    return f"{space}/{log}/{offset:015d}"
