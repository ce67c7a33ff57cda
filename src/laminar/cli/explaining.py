"""``laminar why``: why a call of a task ran, did not run, waits or failed."""

from __future__ import annotations

import click

from laminar.cli import answers, options
from laminar.cli.view import opened
from laminar.errors import FlowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command("why", short_help="Say why a call of a task ran, or did not.")
@options.run_id
@click.argument("action", metavar="ACTION")
@options.server
@options.output
@options.root
@options.common
def why(run: str, action: str, output: str, **where: Any) -> None:
    """Say why ACTION of the run ID ran, or was answered from the cache; what it waits for, or how it failed.

    Where no earlier result could stand for it, the nearest one is compared: which inputs differ, and which functions,
    classes and constants of its code. ACTION is the name of an action or the beginning of one, or a task that was
    called once: laminar get run ID --actions lists them. ID may be abbreviated.
    """
    from laminar.cli import calls  # loads what help texts do not need
    from laminar.console.reasons import Reason

    place = opened(**where)
    look = place.parts(run)[0]
    part = look.run
    rows = calls.find(place.records, part, action)
    if len({row.name for row in rows}) > 1:
        shown = ", ".join(row.name for row in rows[:10])
        raise FlowError(f"Run {part.run} has called {rows[0].task} {len(rows)} times. Name one of its actions: {shown}")
    reason = Reason(place.records, look, rows[-1])
    if output == options.JSON:
        answers.as_json({"run": part.run, **calls.plain_call(look, rows[-1]), **reason.plain()})
        return
    for sentence in reason.sentences():
        answers.line(sentence)
