"""``laminar get``: what the ledger knows of runs."""

from __future__ import annotations

import click

from laminar.cli import answers, options
from laminar.cli.view import DIED, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.cli.view import Look
    from laminar.ledger.sql import Ledger

#: States that a call of a task may be in.
STATES = ("WAITING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")


@click.group("get")
@options.common
def get() -> None:
    """Look at runs."""


@get.command("runs")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@click.option("--label", multiple=True, callback=options.pairs, metavar="K=V", help="Only runs that bear this label.")
@click.option("--status", type=click.Choice(STATES, case_sensitive=False), help="Only runs in this state.")
@click.option("--of", metavar="NAME", help="Only runs of this task or flow.")
@options.server
@options.output
@options.root
@options.common
def runs(limit: int, label: dict[str, str], status: str | None, of: str | None, output: str, **where: Any) -> None:
    """List runs, the newest first."""
    found = opened(**where).runs(limit, label, None if status is None else status.upper(), of)
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
    answers.table(["RUN", "TASK OR FLOW", "STATE", "STARTED", "TOOK", "ERROR"], rows)


@get.command("run", short_help="Show a run, and its calls or its layers.")
@click.argument("run", metavar="ID")
@click.option("--tree", is_flag=True, help="Of a task: draw its calls below those that have made them.")
@click.option("--depth", type=click.IntRange(min=1), default=4, show_default=True, help="Levels of the tree.")
@click.option("--actions", is_flag=True, help="Of a task: list its calls.")
@click.option("--task", metavar="NAME", help="List the calls of one task.")
@click.option("--status", type=click.Choice(STATES, case_sensitive=False), help="List the calls in one state.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Calls to list.")
@click.option("--offset", type=click.IntRange(min=0), default=0, show_default=True, help="Calls to pass over.")
@options.server
@options.output
@options.root
@options.common
@click.pass_context
def one(
    context: click.Context,
    /,
    run: str,
    output: str,
    root: str,
    endpoint: str | None,
    project: str | None,
    domain: str | None,
    local: bool,
    **view: Any,
) -> None:
    """Show the run ID.

    Of a run of a task: how many calls there are of each task, what waits and why, and what failed; with --tree who has
    called whom, with --actions every call. Of a run of flows: the layers, their splits, how long they took, what waits
    and why, and what failed. ID may be abbreviated. A chain of flows has one part for each flow.
    """
    place = opened(root=root, endpoint=endpoint, project=project, domain=domain, local=local)
    found = place.parts(run)
    ledger = place.records
    if place.has_calls(found[0]):
        _task(found[0], ledger, output, place.noted(found[0]), **view)
        return
    options.refuse(context, ("tree", "depth", "actions", "task", "status", "limit", "offset"), "tasks", "run", "a flow")
    if output == options.JSON:
        flows = [{**look.plain(), "layers": look.plain_layers(ledger), **_plain_calls(look, ledger)} for look in found]
        answers.as_json({"run": found[0].run.run, "flows": flows})
        return
    for position, look in enumerate(found):
        if position:
            answers.line("")
        _show(look, ledger)


def _plain_calls(look: Look, ledger: Ledger) -> dict[str, Any]:
    """Give what JSON says of the tasks that layers have called, if any."""
    from laminar.cli import calls  # loads what help texts do not need

    tasks = calls.plain_tasks(look, ledger)
    return {"tasks": tasks} if tasks else {}


def _task(
    look: Any,
    ledger: Any,
    output: str,
    said: dict[str, Any],
    *,
    tree: bool,
    depth: int,
    actions: bool,
    task: str | None,
    status: str | None,
    limit: int,
    offset: int,
) -> None:
    """Show a run of a task."""
    from laminar.cli import calls  # loads what help texts do not need
    from laminar.model.states import State

    state = None if status is None else State(status.upper())
    wanted = calls.Wanted(task, state, limit, offset)
    lists = actions or task is not None or state is not None
    rows = calls.listed(look, ledger, wanted) if lists else []
    drawn = calls.Tree(look, ledger.calls(look.run.space, look.run.run), depth) if tree else None
    if output == options.JSON:
        more: dict[str, Any] = {} if drawn is None else {"tree": drawn.plain()}
        if lists:
            more["actions"] = [calls.plain_call(look, row) for row in rows]
        answers.as_json({**look.plain(), **said, "tasks": calls.plain_tasks(look, ledger), **more})
        return
    _head(look)
    if said["labels"]:
        answers.line(f"Labels: {', '.join(f'{name}={value}' for name, value in said['labels'].items())}")
    if drawn is not None:
        for line in drawn.lines():
            answers.line(line)
    if lists:
        calls.show_calls(look, rows, wanted)
    if drawn is None and not lists:
        calls.show_tasks(look, ledger)


def _head(look: Any) -> None:
    """Say how a run goes as a whole."""
    run = look.run
    took = answers.took(look.seconds(run.started, run.ended))
    answers.line(
        f"{run.space} {run.run}: {look.state}, started {answers.clock(run.started)}{took and f', took {took}'}"
    )
    if look.state == DIED:
        from laminar.runs.source import resume_command  # help texts do not need it

        answers.line(f"Its scheduler, {run.holder}, died. Go on with: {resume_command(run.source, run.run)}")
    if run.error:
        answers.line(f"Error: {run.error}")


def _show(look: Look, ledger: Ledger) -> None:
    _head(look)
    rows = []
    for layer in look.plain_layers(ledger):
        counted = layer["splits"] is not None
        counts = [str(layer[name]) if counted else "" for name in ("splits", "done", "running", "failed")]
        first, *more = _sentences(layer)
        rows.append([layer["layer"], layer["state"], *counts, answers.took(layer["seconds"]), first])
        rows += [[*[""] * 7, sentence] for sentence in more]
    answers.table(["LAYER", "STATE", "SPLITS", "DONE", "RUNNING", "FAILED", "TOOK", "WHY"], rows)
    if ledger.tasks(look.run.space, look.run.run):
        from laminar.cli import calls  # loads what help texts do not need

        answers.line("")
        calls.show_tasks(look, ledger)


def _sentences(layer: dict[str, Any]) -> list[str]:
    """Say why a layer is in its state: by its splits, or as a whole."""
    sentences = []
    for why in layer["reasons"]:
        first = f"[{why['first']}]"
        which = first if why["count"] == 1 else f"{why['count']} splits from {first}"
        sentences.append(f"{which} {why['reason']}")
    return sentences or [layer["reason"] or ""]
