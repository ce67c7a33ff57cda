"""``laminar deploy``: tasks and flows that a file defines go to a server."""

from __future__ import annotations

import click

from laminar.cli import answers, code, options
from laminar.errors import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    from laminar.runs.deploying import Deployment

STYLES = ("loaded_modules", "all", "none")


@click.command("deploy", short_help="Deploy what a file defines to a server.")
@click.argument("file")
@click.argument("names", metavar="[VAR]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Deploy all environments and flows of FILE.")
@click.option("--version", metavar="V", help="The version; by default a hash of the content.")
@click.option("--dryrun", "--dry-run", is_flag=True, help="Only show what would be done. This needs no server.")
@click.option(
    "--copy-style",
    type=click.Choice(STYLES),
    default=STYLES[0],
    show_default=True,
    help="Which files travel: the modules of the code, the whole project, or none.",
)
@options.endpoint
@options.space
@options.output
@options.quiet
def deploy(file: str, names: Sequence[str], everything: bool, output: str, **given: Any) -> None:
    """Deploy the task environments and flows that FILE defines.

    VAR is the variable that holds a task environment, or the name of a flow. What they depend on is deployed with them.
    Without VAR, those that there are are listed.

    \b
    laminar deploy pipeline.py env
    laminar deploy train.py Train --dryrun
    laminar deploy --all pipeline.py
    """
    with answers.aside(output):
        module = code.load(file, names[0] if names else "")
        chosen = _chosen(module, file, names, everything)
        made = _deployed(chosen, **given)
    if output == options.JSON:
        _as_json(made)
    else:
        _show(made, given["dryrun"])


def _chosen(module: ModuleType, file: str, names: Sequence[str], everything: bool) -> list[Any]:
    """Find what is to be deployed.

    Raises:
        click.UsageError: Nothing was named, or something that the file does not have.
    """
    known = _deployable(module)
    listed = f" {file} has {', '.join(known)}." if known else f" {file} has no task environment and no flow."
    if everything and names:
        raise click.UsageError(f"--all deploys all of {file}; leave out {' '.join(names)}, or --all.")
    if everything and known:
        return list({id(one): one for one in known.values()}.values())
    if not names:
        raise click.UsageError(f"Missing argument 'VAR'.{listed}" if not everything else listed.strip())
    for name in names:
        if name not in known:
            hint = nearest(name, known) if known else ""  # it lists all where none is near
            more = "" if hint.startswith(" Known") else listed
            raise click.UsageError(f"{file} has no task environment or flow {name!r}.{hint}{more}")
    return [known[name] for name in names]


def _deployable(module: ModuleType) -> dict[str, Any]:
    """Find the environments of a module by their variables, and the flows by their names."""
    from laminar.tasks.environment import TaskEnvironment  # 60 ms that help texts do not need

    environments = {name: value for name, value in vars(module).items() if isinstance(value, TaskEnvironment)}
    return {**environments, **code.flows_in(module)}


def _deployed(
    chosen: list[Any],
    *,
    version: str | None,
    dryrun: bool,
    copy_style: str,
    **where: str | None,
) -> list[Deployment]:
    from laminar.runs import configuration, deploying, registering  # 100 ms that help texts do not need
    from laminar.runs.planning import plan

    settings = configuration.init_from_config(**where)
    made = plan(chosen, version, copy_style)
    if dryrun:
        return deploying.compared(made, registering.server() if settings.endpoint else None)
    return deploying.apply(made, registering.server(), answers.remark)


def _as_json(made: list[Deployment]) -> None:
    answers.as_json({"deployments": [_plain(one) for one in made]})


def _plain(one: Deployment) -> dict[str, Any]:
    import msgspec  # loaded by then, but not for help texts

    return {
        **{name: getattr(one, name) for name in ("kind", "name", "version", "place", "existed", "bundle")},
        "files": [{"path": path, "size": size} for path, size in one.files],
        "images": one.images,
        "differs": one.differs,
        "entities": msgspec.to_builtins(one.entities),
    }


def _show(made: list[Deployment], dryrun: bool) -> None:
    if dryrun:
        answers.table(["FILE", "BYTES"], [[path, f"{size:,}"] for path, size in made[0].files])
        answers.line("")
    for one in made:
        for line in (one.summary_repr(), *one.table_repr().splitlines(), *_difference(one, dryrun), ""):
            answers.line(line)


def _difference(one: Deployment, dryrun: bool) -> tuple[str, ...]:
    if not dryrun:
        return ()
    if one.differs is None:
        return ("No server is configured, so how this differs from what is deployed is not known.",)
    return one.differs or ("It is deployed with the same content already.",)
