"""Runs on a server."""

from __future__ import annotations

from laminar.remote.actions import checked
from laminar.remote.asking import client_for
from laminar.runs.server_runs import ServerRuns
from laminar.tasks.run import Run as Base
from laminar.tasks.server_home import ServerHome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.model.states import State


class Run(Base):
    """A run on a server; see :class:`laminar.Run`."""

    @classmethod
    def get(  # type: ignore[override]  # what is kept on this machine is no business of this class
        cls, name: str, *, project: str | None = None, domain: str | None = None
    ) -> Run:
        """Find a run.

        Args:
            name: Its name.
            project: The project that it is in; by default the configured one.
            domain: The domain that it is in; by default the configured one.

        Raises:
            UnknownRunError: There is none.
            ServerError: The server cannot be reached.
        """
        return cls(ServerHome.find(name, client_for(project, domain)))

    @classmethod
    def listall(
        cls,
        *,
        status: State | str | None = None,
        task: str | None = None,
        label: Mapping[str, str] | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
        project: str | None = None,
        domain: str | None = None,
    ) -> list[Run]:
        """List runs, the newest first.

        Args:
            status: In this state.
            task: Of this task or flow.
            label: With these labels.
            name: Whose name begins so.
            since: Asked for at this time or later, in seconds since the epoch.
            until: Asked for before this time.
            limit: How many at most.
            project: The project that they are in; by default the configured one.
            domain: The domain that they are in; by default the configured one.

        Raises:
            TaskError: There is no such state.
            ServerError: The server cannot be reached.
        """
        state = checked(status, "remote.Run.listall")
        runs = ServerRuns(client_for(project, domain))
        query = {"entity": task, "name": name, "created_from": since, "created_to": until}
        views = runs.labelled(dict(label or {}), limit, state=state, **query)
        return [cls(ServerHome(view, runs)) for view in views]
