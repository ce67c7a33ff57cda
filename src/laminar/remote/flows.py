"""Flows that are deployed on a server."""

from __future__ import annotations

from laminar.errors import FlowError, nearest
from laminar.flows.flow import Flow as Local
from laminar.remote.asking import client_for
from laminar.runs.catalog import Catalog
from laminar.tasks import sending
from laminar.tasks.choice import Choice
from laminar.tasks.deployed import LATEST, is_plain
from laminar.tasks.run import Run
from laminar.tasks.server_home import values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from laminar.flows.execution import Execution
    from laminar.wire.deployments import EntityView

FLOW = "flow"


class Flow:
    """A flow that is deployed; nothing is asked of the server before it is needed.

    Attributes:
        name: Its name.
        project: The project that it is in; None for the configured one.
        domain: The domain that it is in; None for the configured one.
    """

    def __init__(
        self,
        name: str,
        version: str = LATEST,
        project: str | None = None,
        domain: str | None = None,
        kind: type[Local] | None = None,
    ) -> None:
        """Name a flow; use :meth:`get`."""
        self.name = name
        self.project = project
        self.domain = domain
        self._version = version
        self._kind = kind
        self._view: EntityView | None = None

    @classmethod
    def get(
        cls,
        flow: str | type[Local],
        version: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> Flow:
        """Refer to a flow.

        Args:
            flow: Its name, or its class.
            version: Its version; by default the one that was deployed last.
            project: The project that it is in; by default the configured one.
            domain: The domain that it is in; by default the configured one.

        Usage::

            run = laminar.remote.Flow.get("HelloFlow").run(foo="bar")
            print(run.wait().status)
        """
        kind = None if isinstance(flow, str) else flow
        name = flow if isinstance(flow, str) else flow.__name__
        return cls(name, version or LATEST, project, domain, kind)

    @classmethod
    def listall(
        cls, name: str | None = None, *, limit: int = 100, project: str | None = None, domain: str | None = None
    ) -> list[Flow]:
        """List flows: the newest version of each; or all versions of one, the newest first.

        Args:
            name: Name of one.
            limit: How many at most.
            project: The project that they are in; by default the configured one.
            domain: The domain that they are in; by default the configured one.
        """
        lines = Catalog(client_for(project, domain)).entities(FLOW, name, limit)
        return [cls(line.name, line.version, project, domain) for line in lines]

    @property
    def version(self) -> str:
        """Its version.

        Raises:
            UnknownEntityError: There is no such flow.
            ServerError: The server cannot be reached.
        """
        return self.fetch().version if self._version == LATEST else self._version

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its layers, in their order.

        Raises:
            UnknownEntityError: There is no such flow.
            ServerError: The server cannot be reached.
        """
        return tuple(layer.rpartition(".")[2] for layer in self.fetch().spec.layers)

    def fetch(self) -> EntityView:
        """Ask the server what it is, once.

        Raises:
            UnknownEntityError: There is no such flow.
            FlowError: What bears that name is no flow.
            ServerError: The server cannot be reached.
        """
        if self._view is None:
            found = Catalog(client_for(self.project, self.domain)).entity(self.name, self._version)
            if found.spec.kind != FLOW:
                raise FlowError(f"{self.name} is a {found.spec.kind}, not a flow.")
            self._view = found
        return self._view

    def run(self, **parameters: Any) -> Run:
        """Run it; comes back once the run has begun.

        Args:
            **parameters: Values that the layers find in ``Parameters``.

        Raises:
            UnknownEntityError: There is no such flow.
            ServerError: The server cannot be reached, or refuses.
        """
        return self.begin(Choice(), parameters)

    def begin(self, choice: Choice, parameters: Mapping[str, Any]) -> Run:
        """Run it with what is said of the run; see :meth:`run`.

        Args:
            choice: What is said of the run.
            parameters: Values that the layers find in ``Parameters``.
        """
        choice = choice.replace(project=choice.project or self.project, domain=choice.domain or self.domain)
        client = sending.client_for(choice)
        view = self.fetch()
        if all(map(is_plain, parameters.values())):
            given: dict[str, Any] = {"inputs": dict(parameters)}
        else:
            given = {"packed": values_of(client).pack_arguments(parameters)}
        return Run(sending.ask(choice, client, entity=self.name, version=view.version, **given))

    def execution(self, run: str) -> Execution:
        """Get a run of it as an execution of the flow's class, to read its artifacts.

        Args:
            run: The run's name.

        Raises:
            FlowError: The class is not in this process.
        """
        from laminar.client.blobs import SpaceBlobs  # loaded by who has asked before
        from laminar.executors.thread import Thread
        from laminar.flows.served import Served

        datastore = Served(SpaceBlobs(client_for(self.project, self.domain)))
        return self._class()(datastore=datastore, executor=Thread(concurrency=1)).execution(run)

    def _class(self) -> type[Local]:
        if self._kind is None:
            known = {kind.__name__: kind for kind in _subclasses(Local)}
            if self.name not in known:
                raise FlowError(
                    f"The class of flow {self.name} is not in this process, and artifacts are read with it."
                    f"{nearest(self.name, known) if known else ''} Import it, or give it: remote.Flow.get({self.name})."
                )
            self._kind = known[self.name]
        return self._kind

    def __repr__(self) -> str:
        """Show the name and the version."""
        return f"<remote.Flow {self.name}:{self._version}>"


def _subclasses(kind: type[Local]) -> Iterator[type[Local]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
