"""Runs on a server, as the command line begins and follows them."""

from __future__ import annotations

import json
import sys
import time

from laminar.cli import answers, endings, options, outcomes
from laminar.console import words
from laminar.errors import FlowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.cli.served import Seen, Served
    from laminar.client.http import Client
    from laminar.runs.printing import Line
    from laminar.runs.server_runs import ServerRuns
    from laminar.tasks.run import Run

CANCELLED = "CANCELLED"
#: Seconds between looks, while it is waited for the end of a run.
GLANCE = 0.1
#: Name of the first action of a run.
ROOT = "a0"
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
    answers.remark(_hints(run))


def _hints(run: Run) -> str:
    return f"Follow it: laminar logs -f {_named(run)}    Stop it: laminar abort {_named(run)}"


def _named(run: Run) -> str:
    """Name a run as commands take it, with what of its place is not configured."""
    from laminar.runs import configuration  # loaded by then, but not for help texts
    from laminar.tasks.server_home import ServerHome

    assert isinstance(run.home, ServerHome)
    client, chosen = run.home.runs.client, configuration.look()
    parts = ("endpoint", "project", "domain")
    said = [f" --{part} {there}" for part in parts if (there := getattr(client, part)) != getattr(chosen, part)]
    return "".join([run.name, *said])


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
        answers.complain(f"Run {run.name} goes on. {_hints(run)}")
        return endings.INTERRUPTED
    return ended(run)


def show(runs: ServerRuns, name: str) -> None:
    """Show states and output of a run as they come, until it has ended."""
    from laminar.runs.printing import Lines  # 100 ms of all that asking a server needs

    lines = Lines()
    labels: dict[str, str] = {}
    for told in runs.events(name, output=True):
        if isinstance(told, dict):
            _say(told, labels)
        else:
            for line in lines.take(told):
                sys.stdout.write(f"{words.clean(str(line))}\n")
            sys.stdout.flush()
    for line in lines.rest():
        sys.stdout.write(f"{words.clean(str(line))}\n")
    sys.stdout.flush()


def _say(told: dict[str, Any], labels: dict[str, str]) -> None:
    """Say that something has another state, where people want to know that."""
    if told["kind"] != "action":
        return
    if told.get("label"):
        labels[told["name"]] = told["label"]  # it is told once, when the action is called
    if told["state"] != "WAITING":
        reason = f": {told['reason']}" if told.get("reason") else ""
        answers.remark(f"{_which(told, labels)} {told['state'].lower()}{reason}")


def _which(told: dict[str, Any], labels: dict[str, str]) -> str:
    """Name an action: a split of a layer by its index, another by the beginning of its name."""
    of, _, layer = (told.get("task") or "").rpartition(".")
    label = labels.get(told["name"], "")
    if of and label.startswith(f"{layer}["):
        return f"{of}.{label}"
    return f"{told.get('task') or ''}[{told['name'] if told['name'] == ROOT else told['name'][:SHORT]}]"


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
    answers.remark(f"Go on with it: laminar resume {_named(run)}")
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
    """Show what a run has printed: all, or one action, one split of a layer, or the calls of one task.

    Raises:
        UnknownRunError: There is no such run.
        FlowError: There is no such place in it.
    """
    from laminar.cli.served import Served
    from laminar.runs.printing import Lines

    served = Served(client)
    [look] = served.parts(run)
    which = None if place is None else _which_of(look, served, place)
    lines, any_ = Lines(), False
    for piece in served.served.printed(look.run.run, which, wait=follow):
        any_ = True
        for line in lines.take(piece):
            _print(line, output)
        sys.stdout.flush()
    for line in lines.rest():
        _print(line, output)
    if not any_:
        answers.remark("Nothing was printed.")


def _which_of(look: Seen, served: Served, place: str) -> str:
    """Give what the server calls a place: the full name of a task or a layer, or an action.

    Raises:
        FlowError: There is none, or it is ambiguous.
    """
    from laminar.cli import calls

    layer, slash, index = place.partition("/")
    rows = calls.find(served.records, look.run, layer)
    if slash:
        rows = [row for row in rows if row.label == f"{layer.rpartition('.')[2]}[{index}]"]
        if not rows:
            raise FlowError(f"Layer {layer} of run {look.run.run} has no split {index!r} that has begun.")
        return rows[0].name
    first = rows[0]
    return first.name if first.name.startswith(place) else first.task or ""


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
