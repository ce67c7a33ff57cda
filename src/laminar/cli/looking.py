"""``laminar get``: what the ledger knows of runs."""

from __future__ import annotations

import os
import time

import click

from laminar.cli import answers, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.ledger.rows import GroupRow, RunRow
    from laminar.ledger.sql import Ledger

#: States that only looking at a run can tell: its scheduler has died; a layer was not begun in a run that is over.
DIED, NOT_RUN = "DIED", "NOT RUN"


def ledger_of(root: str) -> Ledger:
    """Open the ledger in a folder.

    Raises:
        LedgerError: There is none, or it cannot be read.
    """
    from laminar.ledger.sql import Ledger  # 5 ms that help texts do not need
    from laminar.runs.local import LEDGER

    return Ledger(os.path.join(root, LEDGER), create=False)


@click.group("get")
@options.common
def get() -> None:
    """Look at runs."""


@get.command("runs")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@options.output
@options.root
@options.common
def runs(limit: int, output: str, root: str) -> None:
    """List runs, the newest first."""
    found = [Look(run) for run in ledger_of(root).runs(limit)]
    if output == options.JSON:
        answers.as_json([look.plain() for look in found])
        return
    rows = [
        [
            look.run.run,
            look.run.space,
            look.state,
            answers.clock(look.run.started),
            answers.took(look.seconds(look.run.started, look.run.ended)),
            look.run.error or "",
        ]
        for look in found
    ]
    answers.table(["RUN", "FLOW", "STATE", "STARTED", "TOOK", "ERROR"], rows)


@get.command("run", short_help="Show a run and its layers.")
@click.argument("run", metavar="ID")
@options.output
@options.root
@options.common
def one(run: str, output: str, root: str) -> None:
    """Show the layers of the run ID: their splits, how long they took, what waits and why, and what failed.

    ID may be abbreviated. A chain of flows has one part for each flow.
    """
    ledger = ledger_of(root)
    found = [Look(part) for part in ledger.runs_of(run)]
    if output == options.JSON:
        flows = [{**look.plain(), "layers": look.plain_layers(ledger)} for look in found]
        answers.as_json({"run": found[0].run.run, "flows": flows})
        return
    for position, look in enumerate(found):
        if position:
            answers.line("")
        _show(look, ledger)


class Look:
    """A run, as it is seen now.

    Attributes:
        run: What the ledger says.
        held: Whether a scheduler that may be alive drives it.
    """

    def __init__(self, run: RunRow) -> None:
        """Look whether its scheduler lives."""
        self.run = run
        self._now = time.time()
        self.held = run.held(self._now)

    @property
    def state(self) -> str:
        """Its state; one whose scheduler has died is neither running nor ended."""
        return self.run.state.value if self.run.state.terminal or self.held else DIED

    def seconds(self, started: float | None, ended: float | None) -> float | None:
        """Tell how long something took or takes; None where its scheduler died, which nobody saw."""
        if started is None or (ended is None and not self.held):
            return None
        return (self._now if ended is None else ended) - started

    def layer_state(self, group: GroupRow) -> str:
        """Name the state of a layer; in a run that nobody drives nothing waits or runs."""
        from laminar.model.states import State  # loaded by then, but not for help texts

        if group.state.terminal or self.held:
            return group.state.value
        return NOT_RUN if group.state is State.WAITING else State.CANCELLED.value

    def running(self, group: GroupRow) -> int:
        """Count the splits of a layer that run."""
        return group.running if self.held else 0

    def reasons(self, ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
        """List why splits wait or failed, by layer."""
        from laminar.model.states import State  # loaded by then, but not for help texts

        found: dict[str, list[dict[str, Any]]] = {}
        for state in (State.WAITING, State.FAILED) if self.held else (State.FAILED,):
            for row in ledger.reasons(self.run.space, self.run.run, state):
                plain = {"state": state.value, "count": row.count, "first": row.first, "reason": row.reason}
                found.setdefault(row.name, []).append(plain)
        return found

    def plain(self) -> dict[str, Any]:
        """Give what JSON says of the run."""
        run = self.run
        return {
            "run": run.run,
            "flow": run.space,
            "state": self.state,
            "started": run.started,
            "ended": run.ended,
            "seconds": self.seconds(run.started, run.ended),
            "error": run.error,
            "source": run.source,
            "scheduler": {"host": run.holder.host, "pid": run.holder.pid},
        }

    def plain_layers(self, ledger: Ledger) -> list[dict[str, Any]]:
        """Give what JSON says of its layers."""
        reasons = self.reasons(ledger)
        return [
            {
                "layer": group.name,
                "state": self.layer_state(group),
                "splits": group.size,
                "done": group.done,
                "running": self.running(group),
                "failed": group.failed,
                "started": group.started,
                "ended": group.ended,
                "seconds": self.seconds(group.started, group.ended),
                "reason": group.reason,
                "reasons": reasons.get(group.name, []),
            }
            for group in ledger.groups(self.run.space, self.run.run)
        ]


def _show(look: Look, ledger: Ledger) -> None:
    run = look.run
    took = answers.took(look.seconds(run.started, run.ended))
    answers.line(
        f"{run.space} {run.run}: {look.state}, started {answers.clock(run.started)}{took and f', took {took}'}"
    )
    if look.state == DIED:
        from laminar.runs.local import resume_command  # loaded by then, but not for help texts

        answers.line(f"Its scheduler, {run.holder}, died. Go on with: {resume_command(run.source, run.run)}")
    if run.error:
        answers.line(f"Error: {run.error}")
    rows = []
    for layer in look.plain_layers(ledger):
        counted = layer["splits"] is not None
        counts = [str(layer[name]) if counted else "" for name in ("splits", "done", "running", "failed")]
        first, *more = _sentences(layer)
        rows.append([layer["layer"], layer["state"], *counts, answers.took(layer["seconds"]), first])
        rows += [[*[""] * 7, sentence] for sentence in more]
    answers.table(["LAYER", "STATE", "SPLITS", "DONE", "RUNNING", "FAILED", "TOOK", "WHY"], rows)


def _sentences(layer: dict[str, Any]) -> list[str]:
    """Say why a layer is in its state: by its splits, or as a whole."""
    sentences = []
    for why in layer["reasons"]:
        first = f"[{why['first']}]"
        which = first if why["count"] == 1 else f"{why['count']} splits from {first}"
        sentences.append(f"{which} {why['reason']}")
    return sentences or [layer["reason"] or ""]
