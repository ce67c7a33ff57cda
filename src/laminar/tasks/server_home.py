"""Runs that a server keeps and drives."""

from __future__ import annotations

import sys

from laminar.client.blobs import SpaceBlobs
from laminar.console import words
from laminar.console.reasons import Reason
from laminar.data.artifacts import Artifacts
from laminar.data.journal import SPACE
from laminar.data.serde import frames
from laminar.data.serde.failures import revive
from laminar.data.values import Values
from laminar.engine.task import ROOT
from laminar.errors import RunAbortedError
from laminar.runs.printing import Lines
from laminar.runs.server_records import SeenRun, ServerRecords
from laminar.runs.server_runs import ServerRuns
from laminar.tasks.deployed import UNCHECKED
from laminar.tasks.home import Action, Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from laminar.client.http import Client
    from laminar.model.states import State
    from laminar.runs.printing import Line
    from laminar.wire.runs import ActionView, RunView

FLOW = "flow"
#: The module whose handles have content of their own.
FILES = "laminar.tasks.files"


class ServerHome(Home):
    """A server, with one run in it.

    Attributes:
        runs: The runs of its project and domain.
    """

    served = True

    def __init__(self, view: RunView, runs: ServerRuns) -> None:
        """Take a run.

        Args:
            view: What the server says of it.
            runs: The runs of its project and domain.
        """
        super().__init__(
            view.name, view.entity, f"{runs.client.project}/{runs.client.domain} at {runs.client.endpoint}"
        )
        self.runs = runs
        self._view = view

    @classmethod
    def find(cls, name: str, client: Client | None = None) -> ServerHome:
        """Find a run; see :meth:`laminar.Run.get`."""
        runs = ServerRuns(client)
        return cls(runs.view(name), runs)

    @property
    def url(self) -> str:
        """Address of the run in the server's API."""
        return f"{self.runs.client.endpoint}/api/v1{self.runs.path(self.name)}"

    @property
    def view(self) -> RunView:
        """What the server says of it now; what has ended is not asked about again."""
        if not self._view.state.terminal:
            self._view = self.runs.view(self.name)
        return self._view

    @property
    def status(self) -> State:
        """State of the run."""
        return self.view.state

    @property
    def times(self) -> tuple[float | None, float | None]:
        """When it started and ended."""
        return self.view.started, self.view.ended

    def wait(self, *, shown: bool) -> None:
        """Wait for the end; a lost connection is made again."""
        if shown and not words.silenced():
            lines = Lines()
            for piece in self.runs.printed(self.name):
                _show(lines.take(piece))
            _show(lines.rest())
        while not self.status.terminal:
            for _ in self.runs.events(self.name):
                pass  # the stream ends with the run

    def abort(self, reason: str) -> None:
        """Stop the run, and wait for that."""
        self._view = self.runs.stop(self.name, reason)
        self.wait(shown=False)

    # What came of it

    def result(self) -> Any:
        """Give what it has returned, or raise what it has raised."""
        if self._view.kind == FLOW and self.status == "SUCCEEDED":
            return None
        return self.result_of(ROOT)

    def result_of(self, action: str) -> Any:
        """Give what an action has returned, or raise what it has raised.

        Args:
            action: Its name.

        Raises:
            RunAbortedError: It has not ended, or was stopped before it came to an end.
        """
        found = self.runs.result(self.name, action)
        if found.output is not None:
            return self._at_home(lambda: self.values.unpack(found.output.output().refs[0]))
        if found.failure is not None:
            raise revive(found.failure.failure(), self._where)
        raise RunAbortedError(
            f"Run {self.name} of {self.task} has no result: {self.view.error or 'it was stopped'}. "
            f"Go on with: laminar resume {self.name}"
        )

    @property
    def _where(self) -> str:
        return f"{self._view.kind} {self.task}"

    @property
    def error(self) -> BaseException | None:
        """What it has raised; None if it has returned, or not ended."""
        failure = self.runs.result(self.name, ROOT).failure
        return None if failure is None else revive(failure.failure(), self._where)

    def inputs(self) -> dict[str, Any]:
        """Give the arguments that it was begun with."""
        given = self.runs.inputs(self.name)
        if given.packed is None:
            return given.inputs
        packed = given.packed.removeprefix(UNCHECKED)
        arguments: dict[str, Any] = self._at_home(lambda: self.values.unpack_arguments(packed))
        return arguments

    def actions(self) -> list[Action]:
        """List its calls, the first that started first."""
        return [action_of(view) for view in self.runs.actions(self.name)]

    def logs(self, action: str | None) -> Iterator[str]:
        """Give the lines that were printed so far."""
        lines = Lines()
        for piece in self.runs.printed(self.name, action, wait=False):
            yield from (line.text for line in lines.take(piece))
        yield from (line.text for line in lines.rest())

    def reason_of(self, action: str) -> Reason:
        """Give why an action is in its state.

        Args:
            action: Its name.

        Raises:
            UnknownRunError: There is none of that name.
        """
        view = self.runs.action(self.name, action)
        records = ServerRecords(self.runs)
        row = records.actions_of(self.task, self.name, view.name)[-1]
        return Reason(records, SeenRun(self.view), row)

    # Values

    @property
    def values(self) -> Values:
        """What packs and unpacks values of its project and domain."""
        return values_of(self.runs.client)

    def _at_home(self, unpack: Any) -> Any:
        """Unpack a value; its files stay where they are, and can be read from here."""
        if FILES not in sys.modules:
            value = unpack()
            if FILES not in sys.modules:
                return value
        from laminar.tasks.files import settled_at  # loaded by then

        return settled_at(self.values.artifacts.blobs, unpack)


def _show(lines: Iterable[Line]) -> None:
    sys.stdout.writelines(f"{words.clean(str(line))}\n" for line in lines)
    sys.stdout.flush()


def values_of(client: Client) -> Values:
    """Give what packs and unpacks the values of a project and domain."""
    return Values(Artifacts(SpaceBlobs(client), SPACE, frames.registry()))


def action_of(view: ActionView) -> Action:
    """Make an action of what a server says."""
    return Action(
        view.name,
        view.task or "",
        view.parent or "",
        view.label or "",
        view.state,
        view.attempts,
        view.started,
        view.ended,
        view.reason,
        view.index,
    )
