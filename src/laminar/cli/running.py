"""``laminar run`` and ``laminar graph``: what is done with a task or a flow that a file defines."""

from __future__ import annotations

import sys

import click

from laminar.cli import answers, arguments, code, endings, options, outcomes
from laminar.errors import FlowError, UnknownRunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

    from laminar.cli.code import AnyTask
    from laminar.flows.flow import Flow
    from laminar.tasks.choice import Choice

#: Options that only one of the two kinds has, by click's names.
OF_TASKS = ("overwrite_cache",)
OF_FLOWS = ("resume",)
#: Options of flows that only servers have.
OF_SERVERS = ("env", "label", "project", "domain", "copy_style")
#: Words in place of FILE, for what is deployed.
DEPLOYED_TASK, DEPLOYED_FLOW = "deployed-task", "deployed-flow"
STYLES = ("loaded_modules", "all", "none")


class RunCommand(click.Command):
    """A command whose options are laminar's own and, behind NAME, the inputs of a task or the parameters of a flow."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Load FILE, and read what follows NAME as the task or the flow has it."""
        try:
            words = self._words(context, args)
        except click.UsageError as error:
            error.ctx = context
            raise
        return super().parse_args(context, words)

    def _words(self, context: click.Context, args: list[str]) -> list[str]:
        """Give the words that are left to click."""
        takes = self._takes(context)
        head = arguments.head(args, takes)
        if head.file is None or "--version" in head.own:
            return args
        wants_help = arguments.asks_for_help([*head.own, *head.rest])
        is_deployed = head.file in (DEPLOYED_TASK, DEPLOYED_FLOW)
        is_local = "--local" in [*head.own, *head.rest]
        if not is_local:
            _configure(arguments.value([*head.own, *(head.rest if is_deployed else ())], "--endpoint"))
        if is_deployed:
            return self._deployed(context, head, takes, wants_help=wants_help)
        module = code.load(head.file, head.name or "")
        context.meta["file"], context.meta["module"] = head.file, module
        if head.name is None and wants_help:
            return ["--help"]
        if head.name is None:
            raise click.UsageError(f"Missing argument 'NAME'.{_known(module, head.file)}")
        chosen = context.meta["target"] = code.target(module, head.name)
        context.meta["name"] = head.name
        if wants_help:
            return ["--help"]
        own = self._inputs(context, chosen, takes, head.rest)
        endpoint = arguments.value(own, "--endpoint")  # an input of a task may be called so
        if endpoint is not None and not is_local:
            _configure(endpoint)
        return [*head.own, head.file, head.name, *own]

    def _takes(self, context: click.Context) -> dict[str, bool]:
        """Name laminar's own options, and tell whether each takes a value."""
        return {
            name: not getattr(option, "is_flag", False)
            for option in self.get_params(context)
            if isinstance(option, click.Option)
            for name in option.opts
        }

    def _inputs(
        self, context: click.Context, chosen: AnyTask | type[Flow], takes: Mapping[str, bool], rest: list[str]
    ) -> list[str]:
        """Keep the inputs, and give the words that are not among them."""
        if isinstance(chosen, type):
            return self._parameters(context, takes, rest)
        from laminar.cli.inputs import Inputs  # loaded by then, but not for help texts

        inputs = Inputs(chosen.name, chosen.interface.parameters, takes)
        inputs.read(rest)
        context.meta["inputs"] = inputs.values
        return inputs.own

    def _parameters(self, context: click.Context, takes: Mapping[str, bool], rest: list[str]) -> list[str]:
        """Keep the parameters of a flow, and give the words that are not among them."""
        others = {name for option in self.get_params(context) if option.name in OF_TASKS for name in option.opts}
        left = {name: takes_one for name, takes_one in takes.items() if name not in others}
        own, context.meta["inputs"] = arguments.of_flow(rest, left)
        return own

    def _deployed(
        self, context: click.Context, head: arguments.Head, takes: Mapping[str, bool], *, wants_help: bool
    ) -> list[str]:
        """Find what is deployed under NAME, and read what follows as its interface on the server says."""
        assert head.file is not None
        if head.name is None:
            if wants_help:
                return ["--help"]
            raise click.UsageError(f"Missing argument 'NAME'. Write: laminar run {head.file} NAME[:VERSION]")
        from laminar.cli import deployed  # loads what asks a server, which help texts do not need

        context.meta["file"], context.meta["name"] = head.file, head.name
        where = {name: arguments.value([*head.own, *head.rest], f"--{name}") for name in ("project", "domain")}
        find: Any = deployed.task if head.file == DEPLOYED_TASK else deployed.flow
        context.meta["target"] = find(head.name, **where)
        if wants_help:
            return ["--help"]
        if head.file == DEPLOYED_FLOW:
            own = self._parameters(context, takes, head.rest)
        else:
            own, context.meta["inputs"] = deployed.inputs(context.meta["target"], takes, head.rest)
        return [*head.own, head.file, head.name, *own]

    # Help

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what to write, with the file and the name if they were given."""
        file, chosen = context.meta.get("file"), context.meta.get("target")
        if file is None:
            super().format_usage(context, formatter)
            return
        name = "NAME" if chosen is None else context.meta["name"]
        formatter.write_usage(context.command_path, f"[OPTIONS] {file} {name} [--INPUT VALUE]...")

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe the task or the flow, or list those of the file."""
        module, chosen = context.meta.get("module"), context.meta.get("target")
        if module is None and chosen is None:
            super().format_help_text(context, formatter)
        elif chosen is None:
            assert module is not None
            _list(module, formatter)
        else:
            _describe(chosen, formatter)


def _known(module: ModuleType, file: str) -> str:
    """Say what a file defines, as the end of a sentence."""
    tasks, flows = code.tasks_in(module), code.flows_in(module)
    found = [f"task {name}" for name in tasks] + [f"flow {name}" for name in flows]
    return f" {file} defines {', '.join(found)}." if found else f" {file} defines no task and no flow."


def _list(module: ModuleType, formatter: click.HelpFormatter) -> None:
    """List the tasks and the flows of a file."""
    tasks = [(name, task.interface.doc) for name, task in code.tasks_in(module).items()]
    flows = [(name, _first_line(flow.__doc__)) for name, flow in code.flows_in(module).items()]
    for title, rows in (("Tasks", tasks), ("Flows", flows)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
    if not tasks and not flows:
        formatter.write_paragraph()
        formatter.write_text("The file defines no task and no flow.")


def _describe(chosen: Any, formatter: click.HelpFormatter) -> None:
    """Describe a task with its inputs, or a flow."""
    if isinstance(chosen, type):
        about, rows = _first_line(chosen.__doc__), []
    elif "laminar.cli.deployed" in sys.modules:
        about, rows = sys.modules["laminar.cli.deployed"].described(chosen)
    else:
        from laminar.cli.inputs import described  # loaded by then, but not for help texts

        about, rows = chosen.interface.doc, described(chosen.interface.parameters)
    if about:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(about)
    if rows:
        with formatter.section("Inputs"):
            formatter.write_dl(rows)


def _configure(endpoint: str | None) -> None:
    """Configure this process by a file, before FILE is loaded, which may do so by itself."""
    from laminar.runs import configuration  # 5 ms that help texts do not need

    configuration.init_from_config(endpoint=endpoint)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


@click.command("run", cls=RunCommand, short_help="Run a task or a flow, here or on a server.")
@click.argument("file")
@click.argument("name", metavar="NAME [--INPUT VALUE]...")
@click.option("--name", "--execution", "run_id", metavar="ID", help="Id of the run; a new one by default.")
@click.option("--executor", metavar="NAME", help="Where it runs on this machine: thread, process or docker.")
@click.option(
    "--root",
    "--datastore",
    "root",
    metavar="ROOT",
    help="Where results lie on this machine: a folder; for flows also s3://…, gs://… or az://…",
)
@click.option(
    "-f", "--follow", is_flag=True, help="Show states and output until the end. Runs on this machine always do."
)
@click.option("--env", multiple=True, callback=options.pairs, metavar="K=V", help="Environment variable of every task.")
@click.option("--label", multiple=True, callback=options.pairs, metavar="K=V", help="Label to find the run by.")
@click.option("--overwrite-cache", is_flag=True, help="Make all results of tasks anew, and keep them.")
@click.option("--copy-style", type=click.Choice(STYLES), help="Which files travel: the modules of the code by default.")
@options.server
@click.option(
    "--resume", is_flag=True, help="Go on with the newest run of a flow that is not finished, or with --name."
)
@options.output
@options.common
@click.pass_context
def run(context: click.Context, /, **given: Any) -> int:
    """Run the task or the flow named NAME that FILE defines.

    Where a server is configured, what is needed is deployed, and it runs there; else it runs on this machine.

    NAME is the variable that holds the task, its short name or its full name; or the name of a flow. What follows it
    are its inputs. `laminar run FILE --help` lists what the file defines, `laminar run FILE NAME --help` the inputs of
    a task. Laminar's own options stand before FILE, or behind NAME unless the task has an input of that name.

    With deployed-task or deployed-flow in place of FILE, NAME[:VERSION] is what was deployed before.

    The inputs of a task are read as its types ask for. The parameters of a flow are read as JSON, or as text where they
    are no JSON. What FILE itself would run is not run; how it configures the flow holds.

    \b
    laminar run --local pipeline.py process --input_path data/raw --batch-size 100
    laminar run pipeline.py process --input_path s3://data/raw --follow
    laminar run deployed-task etl.process --input_path s3://data/raw
    laminar run train.py Train --epochs 3
    laminar run train.py Train --resume
    """
    return _run(context, **given)


def _run(context: click.Context, **given: Any) -> int:
    """Run what the words name, where the options say."""
    chosen, name, inputs = context.meta["target"], context.meta["name"], context.meta["inputs"]
    is_task = not isinstance(chosen, type) and context.meta["file"] != DEPLOYED_FLOW
    options.refuse(context, *((OF_FLOWS, "flows", name, "a task") if is_task else (OF_TASKS, "tasks", name, "a flow")))
    if context.meta["file"] == DEPLOYED_FLOW:
        return _run_deployed_flow(chosen, inputs, **given)
    if is_task:
        return _run_task(chosen, inputs, **given)
    if _is_served(local=given["local"]):
        return _deploy_and_run(chosen, inputs, **given)
    options.refuse(context, OF_SERVERS, "tasks, and for runs on a server", name, "a flow that runs here")
    return _run_flow(chosen, inputs, **given)


def _is_served(*, local: bool) -> bool:
    """Tell whether a server is to be asked."""
    from laminar.runs import configuration  # loaded by then, but not for help texts

    return not local and configuration.current().endpoint is not None


def _choice(
    *,
    local: bool,
    run_id: str | None,
    executor: str | None,
    root: str | None,
    env: dict[str, str],
    label: dict[str, str],
    overwrite_cache: bool,
    project: str | None,
    domain: str | None,
    copy_style: str | None,
    **_: object,
) -> Choice:
    """Put together what the options say of a run."""
    from laminar.tasks.choice import Choice  # loads what help texts do not need

    return Choice(
        "local" if local else None,
        name=run_id,
        executor=executor,
        env_vars=env,
        labels=label,
        overwrite_cache=overwrite_cache,
        copy_style=copy_style,
        project=project,
        domain=domain,
        root=root,
    )


def _run_task(
    task: Any,
    inputs: Mapping[str, Any],
    *,
    output: str,
    executor: str | None,
    root: str | None,
    follow: bool,
    **given: Any,
) -> int:
    from laminar.runs import places  # 100 ms of all that runs need
    from laminar.tasks.running import Runner

    if executor is not None:
        places.executor(executor, f"--executor {executor}")
    if root is not None and "://" in root:
        raise FlowError(f"--root {root}: the runs of tasks lie in a folder. Name one.")
    runner = Runner(_choice(executor=executor, root=root, **given))
    with answers.aside(output):
        begun = runner.run(task, **inputs)
        result = None if begun.home.served else outcomes.carry_out(begun.result)
    if result is None:
        from laminar.cli import following  # loads what asks a server

        return following.answer(begun, output, follow=follow)
    outcomes.answer_task(begun, output)
    return result


def _deploy_and_run(kind: type[Flow], parameters: Mapping[str, Any], *, resume: bool, **given: Any) -> int:
    """Deploy a flow, and run it on the server."""
    if resume:
        raise click.UsageError("On a server, name the run to go on with: laminar resume ID")
    from laminar.cli import deployed  # loads what asks a server

    return _run_deployed_flow(deployed.deploy(kind, _choice(**given)), parameters, **{**given, **deployed.DONE})


def _run_deployed_flow(flow: Any, parameters: Mapping[str, Any], *, output: str, follow: bool, **given: Any) -> int:
    """Run a flow that is deployed."""
    from laminar.cli import following  # loads what asks a server

    return following.answer(flow.begin(_choice(**given), parameters), output, follow=follow)


def _run_flow(
    kind: type[Flow],
    parameters: Mapping[str, Any],
    *,
    output: str,
    run_id: str | None,
    executor: str | None,
    root: str | None,
    resume: bool,
    **_: object,
) -> int:
    if resume and parameters:
        raise click.UsageError(f"A resumed run keeps its parameters; {', '.join(parameters)} cannot be given to it.")
    with answers.aside(output):
        chosen = code.configured(kind, root, executor)
        if resume:
            result = _go_on(chosen, run_id)
        else:
            result = outcomes.carry_out(lambda: chosen(execution=run_id, **parameters))
    outcomes.answer_flows([chosen.execution], output)
    return result


def _go_on(flow: Flow, run: str | None) -> int:
    """Resume a run, or the newest one that is not finished.

    Raises:
        UnknownRunError: The flow was never run.
    """
    from laminar.model.states import State  # loaded by then, but not for help texts

    if run is not None:
        return outcomes.carry_out(flow.execution(run).resume)
    datastore = flow.configuration.datastore
    known = sorted(datastore.list_executions(flow=flow), key=lambda one: (one.started or 0.0, one.known_id))
    if not known:
        raise UnknownRunError(
            f"Flow {flow.name} has no run in {datastore.root} to go on with. Run it without --resume."
        )
    for execution in reversed(known):
        if execution.status is not State.SUCCEEDED:
            return outcomes.carry_out(flow.execution(execution.known_id).resume)
    newest = flow.execution(known[-1].known_id)
    answers.remark(f"Flow {flow.name} has no unfinished run in {datastore.root}; the newest is {newest.id}.")
    return endings.DONE


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
