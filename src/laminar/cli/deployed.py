"""What is deployed on a server, as ``laminar run`` finds, describes and runs it."""

from __future__ import annotations

import click

from laminar.cli import answers
from laminar.cli.inputs import Inputs
from laminar.cli.inputs import described as rows_of
from laminar.remote.flows import Flow
from laminar.runs import configuration, connecting, deploying
from laminar.runs.planning import plan
from laminar.runs.registering import Server
from laminar.tasks.deployed import LATEST, Deployed
from laminar.tasks.interface import Parameter
from laminar.tasks.kinds.described import Described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.flows.flow import Flow as Local
    from laminar.tasks.choice import Choice
    from laminar.wire.specs import InterfaceSpec

STYLE = "loaded_modules"
#: Options that say how something is deployed: of no use once it is.
DONE: dict[str, Any] = {"copy_style": None}


def named(text: str) -> tuple[str, str]:
    """Read ``NAME[:VERSION]``.

    Raises:
        click.UsageError: One of both is empty.
    """
    name, colon, version = text.partition(":")
    if not name or (colon and not version):
        raise click.UsageError(f"{text!r} names nothing that is deployed. Write NAME or NAME:VERSION.")
    return name, version or LATEST


def task(text: str, project: str | None, domain: str | None) -> Deployed:
    """Find a task.

    Raises:
        UnknownEntityError: There is none of that name and version.
        TaskError: What bears that name is no task.
        ServerError: The server cannot be reached.
    """
    found = Deployed(*named(text), project, domain)
    found.fetch()
    return found


def flow(text: str, project: str | None, domain: str | None) -> Flow:
    """Find a flow.

    Raises:
        UnknownEntityError: There is none of that name and version.
        FlowError: What bears that name is no flow.
        ServerError: The server cannot be reached.
    """
    found = Flow(*named(text), project, domain)
    found.fetch()
    return found


def inputs(chosen: Deployed, takes: Mapping[str, bool], rest: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Read what follows a task's name as its interface says.

    Returns:
        The words that are laminar's own, and the inputs.

    Raises:
        TaskInputError: An input is unknown, missing, given twice, or does not fit.
    """
    read = Inputs(chosen.name, _parameters(chosen.interface), takes)
    read.read(rest)
    return read.own, read.values


def described(chosen: Deployed | Flow) -> tuple[str, list[tuple[str, str]]]:
    """Describe what is deployed: what it is for, and its options."""
    spec = chosen.fetch().spec
    return spec.doc, rows_of(_parameters(spec.interface))


def _parameters(interface: InterfaceSpec) -> list[Parameter]:
    return [Parameter(one.name, Described(one), one.required, one.default, one.doc) for one in interface.parameters]


def deploy(kind: type[Local], choice: Choice) -> Flow:
    """Deploy a flow.

    Raises:
        DeploymentError: It cannot be deployed as it is.
        ServerError: The server cannot be reached, or refuses.
    """
    chosen = configuration.current()
    project, domain = choice.project or chosen.project, choice.domain or chosen.domain
    client = connecting.client(chosen.replace(project=project, domain=domain))
    made = plan([kind], choice.version, choice.copy_style or STYLE)
    deploying.apply(made, Server(client), answers.remark)
    return Flow(kind.__name__, made.version, project, domain, kind)
