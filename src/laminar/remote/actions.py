"""Actions of runs on a server."""

from __future__ import annotations

from laminar.errors import TaskError, nearest
from laminar.model.states import State
from laminar.remote.asking import client_for
from laminar.runs.server_runs import ServerRuns
from laminar.tasks.home import Action as Base
from laminar.tasks.server_home import ServerHome, action_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from laminar.wire.runs import ActionView


class Action(Base, frozen=True):
    """A call in a run on a server; see :class:`laminar.Action`.

    Attributes:
        run: Name of the run.
        project: The project that it is in; None for the configured one.
        domain: The domain that it is in; None for the configured one.
    """

    run: str = ""
    project: str | None = None
    domain: str | None = None

    @classmethod
    def get(cls, run: str, name: str, *, project: str | None = None, domain: str | None = None) -> Action:
        """Find an action.

        Args:
            run: Name of the run.
            name: Name of the action, or the beginning of one, or a task that the run has called once.
            project: The project that the run is in; by default the configured one.
            domain: The domain that the run is in; by default the configured one.

        Raises:
            UnknownRunError: There is no such run, or no such action.
        """
        view = ServerRuns(client_for(project, domain)).action(run, name)
        return cls._of(view, run, project, domain)

    @classmethod
    def listall(
        cls,
        run: str,
        *,
        task: str | None = None,
        status: State | str | None = None,
        limit: int | None = None,
        project: str | None = None,
        domain: str | None = None,
    ) -> list[Action]:
        """List the actions of a run, the first that started first.

        Args:
            run: Name of the run.
            task: Calls of this task.
            status: In this state.
            limit: How many at most; all by default.
            project: The project that the run is in; by default the configured one.
            domain: The domain that the run is in; by default the configured one.

        Raises:
            UnknownRunError: There is no such run.
            TaskError: There is no such state.
        """
        state = checked(status, "remote.Action.listall")
        views = ServerRuns(client_for(project, domain)).actions(run, limit, task=task, state=state)
        return [cls._of(view, run, project, domain) for view in views]

    @classmethod
    def _of(cls, view: ActionView, run: str, project: str | None, domain: str | None) -> Action:
        return cls(**vars(action_of(view)), run=run, project=project, domain=domain)

    def logs(self) -> Iterator[str]:
        """Give the lines that it has printed so far."""
        return self._home().logs(self.name)

    def result(self) -> Any:
        """Give what it has returned, or raise what it has raised.

        Raises:
            RunAbortedError: It has not ended, or was stopped.
        """
        return self._home().result_of(self.name)

    def why(self) -> str:
        """Say why it is in its state: what it waits for, how it failed, what the cache has to do with it."""
        return "\n".join(self._home().reason_of(self.name).sentences())

    def _home(self) -> ServerHome:
        return ServerHome.find(self.run, client_for(self.project, self.domain))


def checked(status: State | str | None, where: str) -> str | None:
    """Give the name of a state.

    Raises:
        TaskError: There is none of that name.
    """
    if status is None:
        return None
    name = str(getattr(status, "value", status))
    if name not in State.__members__:
        raise TaskError(f"{where}(status={name!r}) is no state.{nearest(name, State.__members__)}")
    return name
