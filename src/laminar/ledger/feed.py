"""The feed of a run: what has changed, as rows of events that who follows the run reads by their number."""

from __future__ import annotations

import json
import time

from laminar.ledger import queries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from laminar.ledger.database import Connection, Database, Row

RUN = "run"
GROUP = "group"
ACTION = "action"
ATTEMPT = "attempt"
#: A piece of what an attempt has printed.
OUTPUT = "output"


def change(space: str, run: str, kind: str, name: str | None = None, index: int | None = None, **detail: Any) -> Row:
    """Make the row of a change of state; what is None in the detail is left out.

    Args:
        space: What it is a run of.
        run: Its id.
        kind: What has changed: ``run``, ``group``, ``action`` or ``attempt``; or what came: ``output``.
        name: Which group, or whose attempt.
        index: Which split.
        **detail: The state, and what belongs to it.
    """
    told = json.dumps({key: value for key, value in detail.items() if value is not None})
    return (space, run, time.time(), kind, name, index, told)


def add(database: Database, rows: Sequence[Row]) -> None:
    """Write rows of one space and run."""
    if not rows:
        return

    def write(connection: Connection) -> None:
        connection.lock(RUN, *rows[0][:2])  # who reads by number must not be shown a later one first
        connection.executemany(queries.ADD_EVENT, rows)

    database.transact(write)
