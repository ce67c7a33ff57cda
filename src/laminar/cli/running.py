"""``laminar run``, ``laminar resume`` and ``laminar graph``: what is done with a file of flows."""

from __future__ import annotations

import json
import os
import sys

import click

from laminar.cli import answers, code, endings, options
from laminar.errors import CodeLoadError, ExecutionError, FlowError, LaminarError, UnknownRunError, nearest
from laminar.model.tracebacks import own_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

    from laminar.flows.execution import Execution
    from laminar.flows.flow import Flow


class FlowCommand(click.Command):
    """A command that takes every option it does not know as a parameter of the flow."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Keep the flow's parameters apart from laminar's own options."""
        try:
            own, context.meta["parameters"] = self._divide(context, args)
        except click.UsageError as error:
            error.ctx = context
            raise
        return super().parse_args(context, own)

    def _divide(self, context: click.Context, args: list[str]) -> tuple[list[str], dict[str, Any]]:
        takes = {
            name: not getattr(option, "is_flag", False) for option in self.get_params(context) for name in option.opts
        }
        own: list[str] = []
        pairs: list[tuple[str, str]] = []
        names = 0
        left = list(args)
        while left:
            word = left.pop(0)
            name = word.partition("=")[0]
            if word == "--":
                while left:
                    pairs.append(_pair(left.pop(0), left))
            elif word.startswith("--") and (name not in takes or (name == "--version" and names)):
                _refuse_misspelt(name, takes)
                pairs.append(_pair(word, left))
            else:
                own.append(word)
                names += not word.startswith("-")
                if takes.get(word) and left:
                    own.append(left.pop(0))
        return own, _values(pairs)


def _pair(word: str, left: list[str]) -> tuple[str, str]:
    """Take a parameter's name and value from the command line."""
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name == "--":
        raise click.UsageError(f"{word!r} is no parameter. Write: --name value")
    if equals:
        return name, value
    if not left or left[0].startswith("--"):
        raise click.UsageError(f"The parameter {name} has no value. Write: {name} value, or {name}=value")
    return name, left.pop(0)


def _refuse_misspelt(name: str, takes: Iterable[str]) -> None:
    """Refuse a parameter that is almost the name of an option: it is more likely that option, misspelt."""
    import difflib  # 3 ms, and only who gives parameters needs it

    known = [option for option in takes if option.startswith("--") and not name.startswith(option)]
    for option in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
        raise click.UsageError(
            f"Did you mean {option}? If {name} is a parameter of the flow, give it behind --, as in: -- {name} value"
        )


def _values(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read parameters: JSON where it is JSON, else text."""
    values: dict[str, Any] = {}
    for option, text in pairs:
        name = option.removeprefix("--").replace("-", "_")
        if not name.isidentifier():
            raise click.UsageError(f"{option} cannot be a parameter: {name!r} is no name in Python.")
        if name in values:
            raise click.UsageError(f"The parameter {option} was given twice.")
        try:
            values[name] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            values[name] = text
    return values


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not part of JSON")


@click.command("run", cls=FlowCommand, short_help="Run a flow that a file defines.")
@click.argument("file")
@click.argument("flow", metavar="FLOW [--NAME VALUE]...")
@click.option("--execution", metavar="ID", help="Id of the run; a new one by default.")
@click.option("--executor", metavar="NAME", help="Where layers run: thread, process or docker.")
@click.option("--datastore", "--root", metavar="ROOT", help="Where results lie: a folder, s3://…, gs://… or az://…")
@click.option("--resume", is_flag=True, help="Go on with the newest run that is not finished, or with --execution.")
@options.output
@options.common
@click.pass_context
def run(
    context: click.Context,
    file: str,
    flow: str,
    execution: str | None,
    executor: str | None,
    datastore: str | None,
    resume: bool,
    output: str,
) -> int:
    """Run the flow named FLOW that FILE defines.

    Every other option is a parameter of the flow: `--name value`. Values are read as JSON, or as text where they are no
    JSON. What FILE itself would run is not run; how it configures the flow holds.

    \b
    laminar run train.py Train --epochs 3 --name first
    laminar run train.py Train --resume
    """
    parameters: dict[str, Any] = context.meta["parameters"]
    if resume and parameters:
        raise click.UsageError(f"A resumed run keeps its parameters; {', '.join(parameters)} cannot be given to it.")
    with answers.aside(output):
        chosen = code.configured(code.find(code.load(file, flow), flow), datastore, executor)
        result = _go_on(chosen, execution) if resume else _carry_out(lambda: chosen(execution=execution, **parameters))
    _answer(output, [chosen.execution])
    return result


def _go_on(flow: Flow, run: str | None) -> int:
    """Resume a run, or the newest one that is not finished.

    Raises:
        UnknownRunError: The flow was never run.
    """
    from laminar.model.states import State  # loaded by then, but not for help texts

    if run is not None:
        return _carry_out(flow.execution(run).resume)
    datastore = flow.configuration.datastore
    known = sorted(datastore.list_executions(flow=flow), key=lambda one: (one.started or 0.0, one.known_id))
    if not known:
        raise UnknownRunError(
            f"Flow {flow.name} has no run in {datastore.root} to go on with. Run it without --resume."
        )
    for execution in reversed(known):
        if execution.status is not State.SUCCEEDED:
            return _carry_out(flow.execution(execution.known_id).resume)
    newest = flow.execution(known[-1].known_id)
    answers.remark(f"Flow {flow.name} has no unfinished run in {datastore.root}; the newest is {newest.id}.")
    return endings.DONE


@click.command("resume", short_help="Go on with a run where it stopped.")
@click.argument("file")
@click.argument("run", metavar="ID")
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENTS]...")
@click.option("-m", "--module", is_flag=True, help="FILE is the name of a module, as python -m takes it.")
@options.output
@options.root
@options.common
def resume(file: str, run: str, arguments: tuple[str, ...], module: bool, output: str, root: str) -> int:
    """Go on with the run ID of FILE, where it failed, was stopped, or its scheduler died.

    FILE is executed as `python FILE ARGUMENTS` would, but its calls of flows go on with that run: what is finished is
    kept, what is missing runs. So chains of flows go on too. ID may be abbreviated.
    """
    from laminar.flows.flow import made  # 40 ms that help texts do not need
    from laminar.worker import loading

    path = os.path.abspath(file) if module else code.path_of(file)
    wanted = _full_id(run, root)
    code.go_first(path, arguments)
    start = (lambda: loading.run_module(file)) if module else (lambda: loading.run_script(path))
    with answers.aside(output):
        result = _carry_out(lambda: _execute(start, file, wanted))
    _answer(output, [flow.execution for flow in made if flow.execution.id == wanted and flow.execution.status])
    return result


def _full_id(run: str, root: str) -> str:
    """Complete an abbreviated id, where the ledger is there and knows it."""
    from laminar.ledger.sql import Ledger  # 5 ms that help texts do not need
    from laminar.runs.local import LEDGER

    try:
        ledger = Ledger(os.path.join(root, LEDGER), create=False)
        try:
            return ledger.runs_of(run)[0].run
        finally:
            ledger.close()
    except LaminarError:
        return run  # it may lie in another place, which only the file knows


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


@click.command("graph", short_help="Draw a flow as Mermaid text.")
@click.argument("file")
@click.argument("flow")
@options.output
@options.common
def graph(file: str, flow: str, output: str) -> None:
    """Draw the flow named FLOW that FILE defines, as Mermaid text (https://mermaid.js.org)."""
    with answers.aside(output):
        chosen = code.configured(code.find(code.load(file, flow), flow))
        text = chosen.graph()
    if output == options.JSON:
        needs = {layer: sorted(others) for layer, others in chosen.dependencies.items()}
        answers.as_json({"flow": chosen.name, "needs": needs, "mermaid": text})
    else:
        click.echo(text.rstrip("\n"))


def _carry_out(act: Callable[[], object]) -> int:
    """Do what runs a flow.

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


def _answer(output: str, executions: list[Execution]) -> None:
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
