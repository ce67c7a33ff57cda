"""``laminar abort``: ending a run from another process."""

from __future__ import annotations

import time

import click

from laminar.cli import answers, endings, options
from laminar.cli.view import asked, ledger_of
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.data.local import LocalBlobs
    from laminar.ledger.rows import RunRow
    from laminar.ledger.sql import Ledger

#: Seconds between looks, while it is waited for the end of a run.
GLANCE = 0.1


@click.command("abort", short_help="Stop a run.")
@options.run_id
@click.option("--reason", default="", help="Why, as the run's error will say.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for its end.",
)
@options.server
@options.output
@options.root
@options.common
def abort(run: str, reason: str, timeout: float, output: str, root: str, **where: Any) -> int:
    """Stop the run ID: its scheduler is asked to stop what runs, and to start nothing more.

    A run whose scheduler has died is marked as cancelled. An aborted run can be resumed. ID may be abbreviated.
    """
    client = asked(root, **where)
    if client is not None:
        from laminar.cli import following  # loads what asks a server

        return following.abort(client, run, reason, timeout, output)
    ledger = ledger_of(root)
    parts = ledger.runs_of(run)
    parts = [part for part in parts if not part.state.terminal] or parts[-1:]
    deadline = time.monotonic() + timeout
    why = f"aborted: {reason}" if reason else "aborted"
    abortions = [_abort(ledger, part, why, deadline, root) for part in parts]
    if output == options.JSON:
        answers.as_json({"run": parts[0].run, **_plain(abortions)})
    for end in abortions:
        (answers.complain if end.code else answers.remark)(end.sentence)
    return max(end.code for end in abortions)


class Abortion(Value, frozen=True):
    """How the attempt to abort a run ended.

    Attributes:
        run: The run, as it is now.
        code: The exit code.
        sentence: What happened, for people.
    """

    run: RunRow
    code: int
    sentence: str


def _plain(abortions: list[Abortion]) -> dict[str, Any]:
    """Give what JSON says: of a task, or of each flow of a chain."""
    ends = [(end.run.space, {"state": end.run.state.value, "message": end.sentence}) for end in abortions]
    if options.of_task(ends[0][0]):
        return {"task": ends[0][0], **ends[0][1]}
    return {"flows": [{"flow": space, **end} for space, end in ends]}


def _abort(ledger: Ledger, part: RunRow, reason: str, deadline: float, root: str) -> Abortion:
    """End a run: ask who drives it, or do it here if nobody does."""
    from laminar.errors import RunHeldError  # loaded by then, but not for help texts

    asked = False
    name = f"Run {part.run} of {part.space}"
    while True:
        now = ledger.find(part.space, part.run) or part
        if now.state.terminal:
            return _ended(now, name, asked)
        if not now.held(time.time()):
            try:
                return _mark(ledger, now, reason, name, root)
            except RunHeldError:
                continue  # somebody has resumed it meanwhile
        if not asked:
            ledger.request(now.space, now.run, "abort", reason)
            asked = True
        if time.monotonic() >= deadline:
            still = f"{name} was asked to stop, and has not yet: {now.holder} still drives it."
            return Abortion(now, endings.FAILED, f"{still} Wait, or kill that process and abort again.")
        time.sleep(GLANCE)


def _ended(run: RunRow, name: str, asked: bool) -> Abortion:
    from laminar.model.states import State  # loaded by then, but not for help texts

    cancelled = run.state is State.CANCELLED
    if asked and cancelled:
        return Abortion(run, endings.DONE, f"{name} is aborted.")
    if asked:
        return Abortion(run, endings.FAILED, f"{name} came to its end before it could be aborted: {run.state.value}.")
    code = endings.DONE if cancelled else endings.MISUSED
    return Abortion(run, code, f"{name} has ended already: {run.state.value}.")


def _mark(ledger: Ledger, run: RunRow, reason: str, name: str, root: str) -> Abortion:
    """Write down that a run which nobody drives is cancelled, and end what is left of it.

    Raises:
        RunHeldError: Somebody has taken it meanwhile.
    """
    from laminar.data.local import LocalBlobs  # 15 ms that help texts do not need
    from laminar.host import processes
    from laminar.model.states import State
    from laminar.runs.local import sweep

    epoch = ledger.claim(run.space, run.run, processes.identity(), None, resume=True)
    sweep(root, run.space, run.run)
    _write_state(LocalBlobs(root), run, {"state": State.CANCELLED.value, "ended": time.time()})
    ledger.end(run.space, run.run, epoch, State.CANCELLED, reason)
    ended = ledger.find(run.space, run.run) or run
    died = f"Its scheduler, {run.holder}, had died"
    return Abortion(ended, endings.DONE, f"{name} is aborted. {died}: what it had left was ended.")


def _write_state(blobs: LocalBlobs, run: RunRow, changes: dict[str, Any]) -> None:
    """Change the state of a run where its results lie; one that has not begun has none."""
    if options.of_task(run.space):
        from laminar.data.journal import Journal  # 15 ms that help texts do not need

        journal = Journal(blobs, run.run)
        state = journal.noted().get("state")
        if state is not None:
            journal.note({"state": {**state, **changes}})
            journal.flush()
        return
    from laminar.data.archives import Archives  # as above

    archives = Archives(blobs)
    state = archives.state(run.space, run.run)
    if state is not None:
        archives.write_state(run.space, run.run, {**state, **changes})
