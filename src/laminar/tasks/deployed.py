"""Tasks that are deployed on a server, for who has no more than their names."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from laminar.errors import TaskError, TaskInputError, nearest
from laminar.tasks.group import label
from laminar.tasks.settings import OF_CALL, encoded, read
from laminar.tasks.task import Pending, awaited
from laminar.wire.messages import Call
from laminar.worker.calling import Caller, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from laminar.client.http import Client
    from laminar.data.values import Values
    from laminar.wire.deployments import EntityView
    from laminar.wire.specs import InterfaceSpec, ParameterSpec

LATEST, CURRENT = "latest", "current"
#: Begins arguments that are packed, and that nobody has checked yet against the annotations.
UNCHECKED = b"?"
PLAIN = frozenset({str, int, bool, type(None)})


class Deployed:
    """A task that is deployed; nothing is asked of the server before it is needed.

    Attributes:
        name: Full name.
        project: The project that it is in; None for the configured one.
        domain: The domain that it is in; None for the configured one.
        overrides: What was said of it by :meth:`override`.
    """

    def __init__(
        self,
        name: str,
        version: str,
        project: str | None = None,
        domain: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        """Name a task; use :meth:`get`."""
        self.name = name
        self.project = project
        self.domain = domain
        self.overrides = dict(overrides or {})
        self._version = version
        self._view: EntityView | None = None

    @classmethod
    def get(
        cls,
        name: str,
        version: str | None = None,
        auto_version: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> Deployed:
        """Refer to a task.

        Args:
            name: Full name, ``<environment>.<function>``.
            version: Its version.
            auto_version: In place of that: ``"latest"`` for the one that was deployed last; ``"current"``, within a
                task, for the version of that task.
            project: The project that it is in; by default the configured one.
            domain: The domain that it is in; by default the configured one.

        Raises:
            TaskError: No version is named, or two are.

        Usage::

            task = laminar.remote.Task.get("etl.load", auto_version="latest")
            run = laminar.run(task, source="data.csv")
        """
        if (version is None) == (auto_version is None):
            raise TaskError(f"remote.Task.get({name!r}): give either version='…' or auto_version='{LATEST}'.")
        if auto_version not in (None, LATEST, CURRENT):
            raise TaskError(
                f"remote.Task.get(auto_version={auto_version!r}).{nearest(auto_version, (LATEST, CURRENT))}"
            )
        return cls(name, version or auto_version or LATEST, project, domain)

    @classmethod
    def listall(
        cls,
        name: str | None = None,
        *,
        limit: int = 100,
        project: str | None = None,
        domain: str | None = None,
    ) -> list[Deployed]:
        """List tasks: the newest version of each; or all versions of one, the newest first.

        Args:
            name: Full name of one.
            limit: How many at most.
            project: The project that they are in; by default the configured one.
            domain: The domain that they are in; by default the configured one.
        """
        from laminar.runs.catalog import Catalog  # 100 ms, and only for who asks a server

        lines = Catalog(_client(project, domain)).entities("task", name, limit)
        return [cls(line.name, line.version, project, domain) for line in lines]

    @property
    def version(self) -> str:
        """Its version.

        Raises:
            UnknownEntityError: There is no such task.
            ServerError: The server cannot be reached.
        """
        return self._version if self._version not in (LATEST, CURRENT) else self.fetch().version

    @property
    def interface(self) -> InterfaceSpec:
        """What it takes and gives.

        Raises:
            UnknownEntityError: There is no such task.
            ServerError: The server cannot be reached.
        """
        return self.fetch().spec.interface

    @property
    def doc(self) -> str:
        """The first paragraph of its docstring.

        Raises:
            UnknownEntityError: There is no such task.
            ServerError: The server cannot be reached.
        """
        return self.fetch().spec.doc

    def fetch(self, client: Client | None = None) -> EntityView:
        """Ask the server what it is, once.

        Args:
            client: Asks the server; by default the configured one.

        Raises:
            UnknownEntityError: There is no such task.
            TaskError: It is the current version that is asked for, and no task runs here.
            ServerError: The server cannot be reached.
        """
        if self._view is None:
            from laminar.runs.catalog import Catalog  # 100 ms, and only for who asks a server

            if self._version == CURRENT:
                raise self._not_running()
            found = Catalog(client or _client(self.project, self.domain)).entity(self.name, self._version)
            if found.spec.kind != "task":
                raise TaskError(f"{self.name} is a {found.spec.kind}, not a task.")
            self._view = found
        return self._view

    def override(self, **changes: Any) -> Deployed:
        """Give the task with other settings, for the calls that are made of it; see :meth:`laminar.Task.override`.

        Raises:
            TaskError: A setting is unknown, or cannot be changed for a call.
            PolicyError: A value makes no sense.
        """
        made = {**self.overrides, **read(changes, OF_CALL, f"Task {self.name}")}
        return Deployed(self.name, self._version, self.project, self.domain, made)

    # Calls

    def __call__(self, **inputs: Any) -> Any:
        """Call it from a task that runs on the same server, by names of parameters; there it is a child action.

        Where an event loop runs, the call must be awaited.

        Raises:
            TaskError: No task runs here, or it does not run on a server.
            Exception: What the task has raised, as itself.
        """
        caller = self._caller()
        if asyncio._get_running_loop() is not None:
            return Pending(self.name, awaited(caller, self._call(caller, inputs)))
        return caller.value(caller.call_blocking(self._call(caller, inputs)))

    def aio(self, **inputs: Any) -> Coroutine[Any, Any, Any]:
        """Call it, to be awaited."""
        caller = self._caller()
        return awaited(caller, self._call(caller, inputs))

    def _caller(self) -> Caller:
        caller = current.get()
        if caller is None or not caller.version:
            raise self._not_running()
        return caller

    def _not_running(self) -> TaskError:
        current_one = ", and its current version is that of who calls it" if self._version == CURRENT else ""
        return TaskError(
            f"{self.name} is deployed on a server{current_one}. A task that runs there may call it; from here, run it: "
            f"laminar.run(laminar.remote.Task.get({self.name!r}, auto_version='{LATEST}'), …)"
        )

    def _call(self, caller: Caller, inputs: Mapping[str, Any]) -> Call:
        given = self.inputs(caller.values, inputs)
        data: bytes = given.get("packed") or json.dumps(given["inputs"], ensure_ascii=False).encode()
        version = caller.version if self._version == CURRENT else self._version
        overrides = encoded(self.overrides) if self.overrides else b""
        name = caller.name(self.name, version.encode() + b"\0" + data)
        return Call(name, self.name, "", data, label(), overrides, None, version)

    def arguments(self, interface: InterfaceSpec, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arrange the arguments of a call by name, and check them as far as the server knows what they must be.

        Raises:
            TaskInputError: One is missing, unknown, given twice, or does not fit.
        """
        known = {parameter.name: parameter for parameter in interface.parameters}
        if len(args) > len(known):
            raise TaskInputError(f"Task {self.name} takes {len(known)} arguments, got {len(args)}.{_takes(known)}")
        given = dict(zip(known, args, strict=False))
        for name, value in kwargs.items():
            if name not in known:
                raise TaskInputError(f"Task {self.name} has no parameter {name!r}.{nearest(name, known)}")
            if name in given:
                raise TaskInputError(f"Task {self.name} got parameter {name} twice: by position and by name.")
            given[name] = value
        missing = [name for name, parameter in known.items() if parameter.required and name not in given]
        if missing:
            raise TaskInputError(f"Task {self.name} needs a value for {' and '.join(missing)}.{_takes(known)}")
        for name, value in given.items():
            self._check(known[name], value)
        return given

    def _check(self, parameter: ParameterSpec, value: Any) -> None:
        from laminar.tasks.kinds.contract import Mismatch  # loaded by who runs tasks
        from laminar.tasks.kinds.described import Described

        try:
            Described(parameter).check(value)
        except Mismatch as mismatch:
            raise TaskInputError(f"Task {self.name}: parameter {parameter.name} {mismatch}.") from None

    def inputs(self, values: Values, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give the arguments as a request says them: as JSON where it can say them, else packed."""
        if all(map(is_plain, arguments.values())):
            return {"inputs": dict(arguments)}
        return {"packed": UNCHECKED + values.pack_arguments(arguments)}

    def __repr__(self) -> str:
        """Show the name and the version."""
        return f"<remote.Task {self.name}:{self._version}>"


def _takes(known: Mapping[str, ParameterSpec]) -> str:
    return f" It takes ({', '.join(known)})."


def is_plain(value: Any) -> bool:
    """Tell whether JSON says a value exactly: no tuples, no keys but text, no numbers that are none."""
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(is_plain, value))
    return kind is dict and all(type(key) is str for key in value) and all(map(is_plain, value.values()))


def _client(project: str | None, domain: str | None) -> Client:
    from laminar.runs import configuration, connecting  # 100 ms, and only for who asks a server

    chosen = configuration.current()
    return connecting.client(chosen.replace(project=project or chosen.project, domain=domain or chosen.domain))
