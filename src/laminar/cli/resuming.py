"""``laminar resume``: going on with a run where it stopped."""

from __future__ import annotations

import os
import sys

import click

from laminar.cli import answers, code, endings, options, outcomes
from laminar.cli.view import asked
from laminar.errors import CodeLoadError, ExecutionError, FlowError, LaminarError, UnknownRunError, nearest
from laminar.model.tracebacks import own_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from laminar.flows.execution import Execution
    from laminar.flows.flow import Flow
    from laminar.ledger.rows import RunRow


@click.command("resume", short_help="Go on with a run where it stopped.")
@click.argument("file", metavar="[FILE]")
@click.argument("run", metavar="ID", required=False)
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENTS]...")
@click.option("-m", "--module", is_flag=True, help="FILE is the name of a module, as python -m takes it.")
@click.option("-f", "--follow", is_flag=True, help="Show states and output of a run on a server until its end.")
@options.server
@options.output
@options.root
@options.common
def resume(
    file: str,
    run: str | None,
    arguments: tuple[str, ...],
    module: bool,
    follow: bool,
    output: str,
    root: str,
    **where: Any,
) -> int:
    """Go on with the run ID, where it failed, was stopped, or its scheduler died.

    A run on a server needs no FILE: the server has its code. One of this machine does.

    A run of flows: FILE is executed as `python FILE ARGUMENTS` would, but its calls of flows go on with that run. So
    chains of flows go on too. A run of a task: FILE is loaded for its definitions, and left where it comes to a run.
    What is finished is kept, what is missing runs. ID may be abbreviated.
    """
    if run is None:
        return _resume_served(file, output, follow=follow, root=root, **where)
    path = os.path.abspath(file) if module else code.path_of(file)
    found = _find(run, root)
    if found is not None and options.of_task(found.space):
        return _resume_task(found, file, path, arguments, output, root, module=module)
    from laminar.flows.flow import made  # 40 ms that help texts do not need

    wanted = run if found is None else found.run
    code.go_first(path, arguments)
    with answers.aside(output):
        result = outcomes.carry_out(lambda: _execute(_start(file, path, module=module), file, wanted))
    ours = [flow.execution for flow in made if flow.execution.id == wanted and flow.execution.status]
    outcomes.answer_flows(ours, output)
    return result


def _resume_served(run: str, output: str, *, follow: bool, root: str, **where: Any) -> int:
    """Go on with a run on a server.

    Raises:
        click.UsageError: None is configured.
    """
    client = asked(root, **where)
    if client is None:
        raise click.UsageError(
            "Missing argument 'ID'. Write: laminar resume FILE ID. Without FILE, a server must have the run: "
            "--endpoint URL, or a configuration that names one."
        )
    from laminar.cli import following  # loads what asks a server

    return following.resume(client, run, output, follow=follow)


def _find(run: str, root: str) -> RunRow | None:
    """Find a run by its abbreviated id, where the ledger is there and knows it."""
    from laminar.ledger.sql import Ledger  # 5 ms that help texts do not need
    from laminar.runs.local import LEDGER

    try:
        ledger = Ledger(os.path.join(root, LEDGER), create=False)
        try:
            return ledger.runs_of(run)[0]
        finally:
            ledger.close()
    except LaminarError:
        return None  # it may lie in another place, which only the file knows


def _start(file: str, path: str, *, module: bool) -> Callable[[], object]:
    """Give what executes a file as Python would."""
    from laminar.worker import loading  # 15 ms that help texts do not need

    return (lambda: loading.run_module(file)) if module else (lambda: loading.run_script(path))


def _resume_task(
    found: RunRow, file: str, path: str, arguments: tuple[str, ...], output: str, root: str, *, module: bool
) -> int:
    """Go on with a run of a task. The file gets the name that it had then, since values name their classes by it."""
    from laminar.data.journal import Journal  # 15 ms that help texts do not need
    from laminar.data.local import LocalBlobs

    noted = Journal(LocalBlobs(root), found.run).noted()
    if module or noted.get("module") == "__main__":
        code.go_first(path, arguments)
        code.load_as_main(file, _start(file, path, module=module))
    else:
        code.load(file, found.space)
    from laminar.tasks.running import with_runcontext  # loaded by the file, if it has tasks

    with answers.aside(output):
        run = with_runcontext("local", root=root).resume(found.run)
        result = outcomes.carry_out(run.result)
    outcomes.answer_task(run, output)
    return result


def _execute(start: Callable[[], object], file: str, run: str) -> None:
    """Execute a file so that its calls go on with a run; if none of them has it, go on with a flow that has.

    Args:
        start: Executes it.
        file: Its name.
        run: Id of the run.

    Raises:
        CodeLoadError: The file failed before any run went on.
        ExecutionError: The file failed afterwards.
        UnknownRunError: No flow of the file has such a run.
    """
    from laminar.flows import resuming  # loaded by then, but not for help texts
    from laminar.flows.flow import made

    resuming.want(run)
    try:
        start()
    except SystemExit as error:
        if error.code:
            raise
    except Exception as error:
        if endings.is_of_run(error) or (isinstance(error, LaminarError) and not isinstance(error, FlowError)):
            raise
        trace = own_traceback(error).rstrip()
        if resuming.resumed():
            raise ExecutionError(f"{file} failed after its run:\n{trace}") from None
        if made and not _having(made, run):
            raise _unknown(made, run, file) from None
        raise CodeLoadError(f"{file} failed before it came to its run:\n{trace}") from None
    if resuming.resumed():
        return
    flows = [code.configured(kind) for kind in code.flows_in(sys.modules["__main__"]).values()]
    found = _having(flows, run)
    if not found:
        raise _unknown(flows, run, file)
    for execution in sorted(found, key=lambda one: one.started or 0.0):
        execution.resume()


def _having(flows: Iterable[Flow], run: str) -> list[Execution]:
    """Find the executions of an id."""
    return [flow.execution(run) for flow in flows if run in flow.configuration.datastore.archives.runs(flow.name)]


def _unknown(flows: Iterable[Flow], run: str, file: str) -> LaminarError:
    known = {other for flow in flows for other in flow.configuration.datastore.archives.runs(flow.name)}
    if not flows:
        return FlowError(f"{file} defines no flow, so it has no run to go on with.")
    return UnknownRunError(f"No flow of {file} has a run {run!r}.{nearest(run, known)}")


@click.command("rerun", short_help="Begin a run like another, on a server.")
@options.run_id
@click.option("-f", "--follow", is_flag=True, help="Show states and output until its end.")
@options.server
@options.output
@options.root
@options.common
def rerun(run: str, follow: bool, output: str, root: str, **where: Any) -> int:
    """Begin a run with the task or flow, the version, the inputs and the labels of the run ID, which a server has.

    ID may be abbreviated.
    """
    client = asked(root, **where)
    if client is None:
        raise click.UsageError(
            "Only a server keeps what a run was asked for with: --endpoint URL, or a configuration that names one. "
            "On this machine, run it again: laminar run FILE NAME"
        )
    from laminar.cli import following  # loads what asks a server

    return following.rerun(client, run, output, follow=follow)
