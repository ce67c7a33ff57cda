"""Who has lost a run must not write for it any more."""

from __future__ import annotations

from laminar.errors import StaleEpochError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.database import Connection

FIND_EPOCH = "SELECT epoch FROM runs WHERE space = ? AND run = ?"


def check_epoch(connection: Connection, space: str, run: str, epoch: int) -> None:
    """Refuse a write under an epoch that is over. The run's name is locked, so it stays as it is.

    Raises:
        StaleEpochError: The run is held under another epoch.
    """
    rows = connection.execute(FIND_EPOCH, (space, run))
    if rows != [(epoch,)]:
        now = f"under epoch {rows[0][0]}" if rows else "not at all"
        raise StaleEpochError(
            f"Run {run} of {space} is not held under epoch {epoch} any more, but {now}. What would be written is left "
            "out: let the server that holds the run go on with it."
        )
