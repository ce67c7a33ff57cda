"""Running tasks on a server: what is needed is deployed, and a run is asked for."""

from __future__ import annotations

import contextlib
import sys

from laminar.console import words
from laminar.errors import TaskError
from laminar.runs import configuration, connecting, deploying
from laminar.runs.planning import plan
from laminar.runs.registering import Server
from laminar.runs.server_runs import ServerRuns
from laminar.tasks import registry
from laminar.tasks.server_home import FILES, ServerHome, values_of
from laminar.wire.agents import CacheView
from laminar.wire.runs import RunRequest
from laminar.wire.specs import Overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.client.http import Client
    from laminar.data.contract import Blobs
    from laminar.tasks.choice import Choice
    from laminar.tasks.deployed import Deployed
    from laminar.tasks.task import Task

STYLE = "loaded_modules"


def begin(choice: Choice, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ServerHome:
    """Deploy a task with what it needs, and begin a run of it.

    Raises:
        TaskInputError: An argument does not fit.
        DeploymentError: It cannot be deployed as it is.
        ServerError: The server cannot be reached, or refuses.
    """
    client = client_for(choice)
    values = values_of(client)
    with _storing(values.artifacts.blobs):
        arguments = task.interface.bind(task.name, args, dict(kwargs))
    made = plan([registry.owner(task.environment)], choice.version, choice.copy_style or STYLE)
    deploying.apply(made, Server(client), _quietly if choice.quiet or words.silenced() else _tell)
    key = task.cache_key(arguments, read=not choice.overwrite_cache)
    return ask(
        choice,
        client,
        entity=task.name,
        version=made.version,
        packed=task.pack(values, arguments),
        overrides=Overrides.of(task.overrides) if task.overrides else None,
        cache=None if key is None else CacheView.of(key),
    )


def begin_deployed(choice: Choice, task: Deployed, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ServerHome:
    """Begin a run of a task that is deployed.

    Raises:
        TaskInputError: An argument does not fit.
        ServerError: The server cannot be reached, or refuses.
    """
    if choice.version is not None or choice.copy_style is not None:
        raise TaskError(
            f"{task.name} is deployed already, with its code and its version: leave out version= and copy_style=."
        )
    client = client_for(choice.replace(project=choice.project or task.project, domain=choice.domain or task.domain))
    view = task.fetch(client)
    values = values_of(client)
    with _storing(values.artifacts.blobs):
        arguments = task.arguments(view.spec.interface, args, kwargs)
    overrides = Overrides.of(task.overrides) if task.overrides else None
    inputs = task.inputs(values, arguments)
    return ask(choice, client, entity=view.spec.name, version=view.version, overrides=overrides, **inputs)


def ask(choice: Choice, client: Client, **what: Any) -> ServerHome:
    """Ask for a run.

    Args:
        choice: What is said of it.
        client: Asks the server.
        **what: Fields of the request that are not in the choice.
    """
    runs = ServerRuns(client)
    request = RunRequest(
        name=choice.name,
        labels=dict(choice.labels or {}),
        env_vars=dict(choice.env_vars or {}),
        overwrite_cache=choice.overwrite_cache,
        **what,
    )
    return ServerHome(runs.begin(request), runs)


def resume(choice: Choice, name: str) -> ServerHome:
    """Go on with a run.

    Raises:
        UnknownRunError: There is none.
        RunExistsError: It goes on, or has succeeded.
    """
    runs = ServerRuns(client_for(choice))
    return ServerHome(runs.resume(name), runs)


def client_for(choice: Choice) -> Client:
    """Give what asks the server.

    Raises:
        TaskError: Something is said of the run that only this machine can do.
        ConfigurationError: The configuration makes no sense.
    """
    for name in ("executor", "concurrency", "root"):
        if getattr(choice, name) is not None:
            raise TaskError(
                f"with_runcontext({name}=…) is for runs on this machine, and this one goes to a server, which has its "
                f"own. Leave it out, or add mode='local'."
            )
    chosen = configuration.current()
    return connecting.client(
        chosen.replace(project=choice.project or chosen.project, domain=choice.domain or chosen.domain)
    )


def _tell(text: str) -> None:
    sys.stderr.write(f"laminar: {text}\n")


def _quietly(_: str) -> None:
    pass


def _storing(blobs: Blobs) -> contextlib.AbstractContextManager[object]:
    """Let the content of files go to the server's store, where there are any."""
    if FILES not in sys.modules:
        return contextlib.nullcontext()
    from laminar.tasks.files import using  # loaded by then

    return using(blobs)
