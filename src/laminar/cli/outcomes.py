"""What came of a run: carrying it out, and answering with its results."""

from __future__ import annotations

from typing import Any

from laminar.cli import answers, endings, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.flows.execution import Execution
    from laminar.tasks.kinds import Kind
    from laminar.tasks.run import Run


def carry_out(act: Callable[[], object]) -> int:
    """Do what runs something.

    Returns:
        The exit code.
    """
    try:
        act()
    except BaseException as error:
        if not endings.is_of_run(error):
            raise
        return endings.after_run(error)
    return endings.DONE


# Flows


def answer_flows(executions: list[Execution], output: str) -> None:
    """Answer in JSON, if that is wanted, how flows have ended."""
    if output == options.JSON:
        run = executions[0].id if executions else None
        answers.as_json({"run": run, "flows": [_plain(execution) for execution in executions]})


def _plain(execution: Execution) -> dict[str, Any]:
    started, ended, error, status = execution.started, execution.ended, execution.error, execution.status
    return {
        "flow": execution.flow.name,
        "state": None if status is None else status.value,
        "started": started,
        "ended": ended,
        "seconds": None if started is None or ended is None else ended - started,
        "results": execution.flow.configuration.datastore.root,
        "error": None if error is None else vars(error),
    }


# Tasks


def answer_task(run: Run, output: str) -> None:
    """Answer what a task has returned: for people as text or JSON, or all that is known of its run as JSON.

    Args:
        run: The run, which has ended.
        output: The form of the answer.
    """
    kind = _kind(run.task)
    succeeded = run.status == "SUCCEEDED"
    result = run.result() if succeeded else None
    if output == options.JSON:
        outputs = [] if not succeeded else _outputs(kind, result)
        answers.as_json({**_about(run), "outputs": outputs})
    elif result is not None:
        plain = kind.plain(result)
        if isinstance(plain, str):
            for line in plain.split("\n"):
                answers.line(line)
        else:
            answers.as_json(plain)


def _kind(task: str) -> Kind:
    """Tell what a task returns; anything, where its code is not here."""
    from laminar.tasks import registry  # loaded by then, but not for help texts
    from laminar.tasks.kinds import kind_of
    from laminar.tasks.task import Task

    if task not in registry.names():
        return kind_of(Any)
    return registry.find(task, "__main__", Task).interface.result


def _outputs(kind: Kind, result: Any) -> list[Any]:
    """Give what a task has returned, as :meth:`laminar.Run.outputs` does: the items of a tuple, else one item."""
    plain = kind.plain(result)
    return plain if type(result) is tuple and isinstance(plain, list) else [plain]


def _about(run: Run) -> dict[str, Any]:
    error = run.error
    started, ended = run.home.times
    return {
        "run": run.name,
        "task": run.task,
        "status": run.status.value,
        "started": started,
        "ended": ended,
        "seconds": None if started is None or ended is None else ended - started,
        "results": run.root,
        "error": None if error is None else _error(error),
    }


def _error(error: BaseException) -> dict[str, str]:
    notes = getattr(error, "__notes__", ())
    trace = next((note for note in notes if note.startswith("Raised in ")), "")
    return {"exception": f"{type(error).__name__}: {error}", "traceback": trace.partition("\n")[2]}
