"""Where a run is kept and driven: on this machine, or on a server. What :class:`laminar.Run` asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from laminar.model.states import State


class Action(Value, frozen=True):
    """One call of a task in a run, or of a helper that is traced.

    Attributes:
        name: Its name within the run; the first is ``a0``.
        task: Full name of the task.
        parent: Name of the action that called it; empty for the first.
        group: Name of the group that it was called in; empty if in none.
        status: Its state.
        attempts: How often it was tried.
        started: When it was first tried, in seconds since the epoch.
        ended: When it ended.
        reason: Why it is in its state: what it waits for, how it failed, where its result came from.
        index: How often an action of this name had ended without success before, in this run.
    """

    name: str
    task: str
    parent: str
    group: str
    status: State
    attempts: int
    started: float | None
    ended: float | None
    reason: str | None
    index: int = 0

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended."""
        return None if self.started is None or self.ended is None else self.ended - self.started


class Home(ABC):
    """Where one run is kept and driven.

    Attributes:
        name: The run's id.
        task: Full name of the task, or name of the flow, that it is a run of.
        root: Where its results lie: a folder, or project, domain and address of a server.
        served: Whether a server drives it.
    """

    served = False

    def __init__(self, name: str, task: str, root: str) -> None:
        """Name a run.

        Args:
            name: Its id.
            task: Full name of its task, or name of its flow.
            root: Where its results lie.
        """
        self.name = name
        self.task = task
        self.root = root

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the run is to be found, as an address."""

    @property
    @abstractmethod
    def status(self) -> State:
        """State of the run; CANCELLED where its scheduler has died for good."""

    @property
    @abstractmethod
    def times(self) -> tuple[float | None, float | None]:
        """When it started and ended, in seconds since the epoch."""

    @abstractmethod
    def wait(self, *, shown: bool) -> None:
        """Wait for the end.

        Args:
            shown: Whether what the run prints is shown meanwhile, where that is not shown by itself.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Stop the run, and wait for that.

        Args:
            reason: Why; empty if that is not said.
        """

    @abstractmethod
    def result(self) -> Any:
        """Give what a run that has ended has returned, or raise what it has raised.

        Raises:
            RunAbortedError: It was stopped before it came to an end.
        """

    @property
    @abstractmethod
    def error(self) -> BaseException | None:
        """What the run has raised; None if it has returned, or not ended."""

    @abstractmethod
    def inputs(self) -> dict[str, Any]:
        """Give the arguments that it was begun with."""

    @abstractmethod
    def actions(self) -> list[Action]:
        """List its calls, the first that started first."""

    @abstractmethod
    def logs(self, action: str | None) -> Iterator[str]:
        """Give the lines that were printed so far, attempt by attempt.

        Args:
            action: Of one action, or of the calls of one task; None for all.
        """
