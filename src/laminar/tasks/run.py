"""Runs: what goes on in them, and what came of them; the same for those of this machine and those of a server."""

from __future__ import annotations

from typing import Any

from laminar.runs import configuration
from laminar.tasks.both import waits
from laminar.tasks.home import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.model.states import State
    from laminar.tasks.home import Home

__all__ = ["Action", "Run"]


class Run:
    """A run of a task; on a server, of a flow too.

    Attributes:
        name: Its id.
        task: Full name of the task, or name of the flow, that it is a run of.
        root: Where its results lie: a folder, or project, domain and address of a server.
        home: Keeps and drives it.
    """

    def __init__(self, home: Home) -> None:
        """Take where it is kept; use :meth:`get`, or :func:`laminar.run` to begin one."""
        self.name = home.name
        self.task = home.task
        self.root = home.root
        self.home = home

    @classmethod
    def get(cls, name: str, root: str | None = None) -> Run:
        """Find a run: on the server that is configured, else among those that were kept here.

        Args:
            name: Its id, or, of one that was kept here, an unambiguous beginning of it.
            root: Folder where it was kept; then no server is asked.

        Raises:
            UnknownRunError: There is none.
        """
        if root is None and configuration.current().endpoint is not None:
            from laminar.tasks.server_home import ServerHome  # 100 ms, and only for who has a server

            return cls(ServerHome.find(name))
        from laminar.tasks.local_home import LocalHome  # loaded by who runs tasks

        return cls(LocalHome.find(name, root))

    @property
    def url(self) -> str:
        """Where it is to be found, as an address."""
        return self.home.url

    # How it goes

    @property
    def status(self) -> State:
        """State of the run; a :class:`str`: ``run.status == "SUCCEEDED"``. CANCELLED where its scheduler has died."""
        return self.home.status

    @property
    def phase(self) -> State:
        """Another word for :attr:`status`."""
        return self.status

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self.status.terminal

    @waits
    def wait(self) -> Run:
        """Wait until it has ended. What its tasks print is shown meanwhile.

        Returns:
            The run itself.

        Raises:
            BlockingCallError: An event loop runs here; ``await run.wait.aio()``.
            KeyboardInterrupt: Ctrl-C was pressed. A run of this process has been stopped and can be resumed; one on a
                server goes on.
        """
        self.home.wait(shown=True)
        return self

    @waits
    def abort(self, reason: str = "") -> Run:
        """Stop the run with all that it has started, and wait for that.

        Args:
            reason: Why, as its error will say.
        """
        self.home.abort(reason)
        return self

    # What came of it

    @waits
    def result(self) -> Any:
        """Wait for the end, and give what the task has returned.

        Raises:
            Exception: What the task has raised, as itself.
            RunAbortedError: It was stopped before it came to an end.
        """
        self.home.wait(shown=False)
        return self.home.result()

    @waits
    def outputs(self) -> tuple[Any, ...]:
        """Wait for the end, and give what the task has returned as a tuple: the items of a tuple, else one item.

        Raises:
            Exception: What the task has raised, as itself.
        """
        self.home.wait(shown=False)
        result = self.home.result()
        return result if type(result) is tuple else (result,)

    def inputs(self) -> dict[str, Any]:
        """Give the arguments that the task was called with."""
        return self.home.inputs()

    @property
    def error(self) -> BaseException | None:
        """What the task has raised; None if it has returned, or not ended."""
        return self.home.error

    def actions(self) -> list[Action]:
        """List the calls of the run, the first that started first; their parents make them a tree."""
        return self.home.actions()

    def logs(self, action: str | None = None) -> Iterator[str]:
        """Give the lines that its tasks have printed so far, attempt by attempt.

        Args:
            action: Name of one action, or of a task; None for all.
        """
        return self.home.logs(action)

    def __repr__(self) -> str:
        """Show the task, the id and the state."""
        return f"<Run {self.name} of {self.task}: {self.status}>"
