"""Runs on a server, as the command line begins and follows them."""

from __future__ import annotations

import json
import sys
import time

from laminar.cli import answers, endings, options, outcomes
from laminar.console import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.client.http import Client
    from laminar.runs.printing import Line
    from laminar.runs.server_runs import ServerRuns
    from laminar.tasks.run import Run

CANCELLED = "CANCELLED"
#: Seconds between looks, while it is waited for the end of a run.
GLANCE = 0.1
#: Characters of an action's name that tell one from the other.
SHORT = 6


def answer(run: Run, output: str, *, follow: bool) -> int:
    """Say that a run has begun on a server, or follow it to its end.

    Returns:
        The exit code: 0 if it has begun; of one that was followed, 0 if it has succeeded.
    """
    if not follow:
        _begun(run, output)
        return endings.DONE
    answers.remark(f"Run {run.name} of {run.task}: {run.url}")
    with answers.aside(output):
        code = followed(run)
    if code != endings.INTERRUPTED:
        outcomes.answer_task(run, output)
    return code


def _begun(run: Run, output: str) -> None:
    if output == options.JSON:
        answers.as_json({"run": run.name, "task": run.task, "status": run.status.value, "url": run.url})
        return
    answers.line(run.name)
    answers.remark(f"Run {run.name} of {run.task} has begun: {run.url}")
    answers.remark(f"Follow it: laminar logs -f {run.name}    Stop it: laminar abort {run.name}")


def followed(run: Run) -> int:
    """Show states and output of a run as they come, until it has ended.

    Returns:
        The exit code.
    """
    from laminar.tasks.server_home import ServerHome  # loaded by then, but not for help texts

    home = run.home
    assert isinstance(home, ServerHome)
    try:
        show(home.runs, run.name)
        home.wait(shown=False)
    except KeyboardInterrupt:
        answers.complain(
            f"Run {run.name} goes on. Follow it: laminar logs -f {run.name}    Stop it: laminar abort {run.name}"
        )
        return endings.INTERRUPTED
    return ended(run)


def show(runs: ServerRuns, name: str) -> None:
    """Show states and output of a run as they come, until it has ended."""
    from laminar.runs.printing import Lines  # 100 ms of all that asking a server needs

    lines = Lines()
    for told in runs.events(name, output=True):
        if isinstance(told, dict):
            _say(told)
        else:
            for line in lines.take(told):
                sys.stdout.write(f"{words.clean(str(line))}\n")
            sys.stdout.flush()
    for line in lines.rest():
        sys.stdout.write(f"{words.clean(str(line))}\n")
    sys.stdout.flush()


def _say(told: dict[str, Any]) -> None:
    """Say that something has another state, where people want to know that."""
    if told["kind"] == "action" and told["state"] != "WAITING":
        which = told["name"] if told["name"] == "a0" else told["name"][:SHORT]
        reason = f": {told['reason']}" if told.get("reason") else ""
        answers.remark(f"{told.get('task') or ''}[{which}] {told['state'].lower()}{reason}")


def ended(run: Run) -> int:
    """Say of a run that has ended in vain why.

    Returns:
        The exit code.
    """
    if run.status == "SUCCEEDED":
        return endings.DONE
    try:
        run.home.result()
    except Exception as error:  # whatever the task has raised
        notes = getattr(error, "__notes__", ())
        stopped = run.status == "CANCELLED"
        head = str(error) if stopped else f"{type(error).__name__}: {error}"
        answers.complain("\n".join([head, *notes]))
    answers.remark(f"Go on with it: laminar resume {run.name}")
    return endings.FAILED


# Runs that have begun before


def found(client: Client, run: str) -> Run:
    """Find a run by its name, which may be abbreviated.

    Raises:
        UnknownRunError: There is none.
    """
    from laminar.runs.server_records import ServerRecords  # 100 ms of all that asking a server needs
    from laminar.runs.server_runs import ServerRuns
    from laminar.tasks.run import Run
    from laminar.tasks.server_home import ServerHome

    runs = ServerRuns(client)
    return Run(ServerHome(ServerRecords(runs).find(run), runs))


def logs(client: Client, run: str, place: str | None, output: str, *, follow: bool) -> None:
    """Show what a run has printed: all, or one action, or the calls of one task."""
    from laminar.runs.printing import Lines
    from laminar.runs.server_runs import ServerRuns

    name = found(client, run).name
    lines, any_ = Lines(), False
    for piece in ServerRuns(client).printed(name, place, wait=follow):
        any_ = True
        for line in lines.take(piece):
            _print(line, output)
        sys.stdout.flush()
    for line in lines.rest():
        _print(line, output)
    if not any_:
        answers.remark("Nothing was printed.")


def _print(line: Line, output: str) -> None:
    if output == options.JSON:
        plain = {"task": line.task, "action": line.action, "attempt": line.number, "text": line.text}
        sys.stdout.write(f"{json.dumps(plain)}\n")
    else:
        sys.stdout.write(f"{words.clean(str(line))}\n")


def abort(client: Client, run: str, reason: str, timeout: float, output: str) -> int:
    """Stop a run, and wait for its end.

    Returns:
        The exit code.
    """
    one = found(client, run)
    before = one.status
    code, sentence = _over(before.value) if before.terminal else _stopped(one, reason, timeout)
    sentence = f"Run {one.name} of {one.task} {sentence}"
    if output == options.JSON:
        answers.as_json({"run": one.name, "of": one.task, "state": one.status.value, "message": sentence})
    (answers.complain if code else answers.remark)(sentence)
    return code


def _over(state: str) -> tuple[int, str]:
    return (endings.DONE if state == CANCELLED else endings.MISUSED), f"has ended already: {state}."


def _stopped(run: Run, reason: str, timeout: float) -> tuple[int, str]:
    from laminar.tasks.server_home import ServerHome  # loaded by then

    assert isinstance(run.home, ServerHome)
    deadline = time.monotonic() + timeout
    run.home.runs.stop(run.name, reason)
    while not run.done():
        if time.monotonic() >= deadline:
            return endings.FAILED, "was asked to stop, and has not yet. Wait, and look: laminar get run " + run.name
        time.sleep(GLANCE)
    if run.status.value == CANCELLED:
        return endings.DONE, "is aborted."
    return endings.FAILED, f"came to its end before it could be aborted: {run.status.value}."


def resume(client: Client, run: str, output: str, *, follow: bool) -> int:
    """Go on with a run.

    Returns:
        The exit code.
    """
    from laminar.runs.server_runs import ServerRuns

    one = found(client, run)
    ServerRuns(client).resume(one.name)
    return answer(found(client, one.name), output, follow=follow)


def rerun(client: Client, run: str, output: str, *, follow: bool) -> int:
    """Begin a run like another.

    Returns:
        The exit code.
    """
    from laminar.runs.server_runs import ServerRuns

    begun = ServerRuns(client).rerun(found(client, run).name)
    return answer(found(client, begun.name), output, follow=follow)
