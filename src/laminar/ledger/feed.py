"""The feed of a run: what has changed, as rows of events that who follows the run reads by their number."""

from __future__ import annotations

import json
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.ledger.database import Row

RUN = "run"
GROUP = "group"
ACTION = "action"
ATTEMPT = "attempt"


def change(space: str, run: str, kind: str, name: str | None = None, index: int | None = None, **detail: Any) -> Row:
    """Make the row of a change of state; what is None in the detail is left out.

    Args:
        space: What it is a run of.
        run: Its id.
        kind: What has changed: ``run``, ``group``, ``action`` or ``attempt``.
        name: Which group, or whose attempt.
        index: Which split.
        **detail: The state, and what belongs to it.
    """
    told = json.dumps({key: value for key, value in detail.items() if value is not None})
    return (space, run, time.time(), kind, name, index, told)
