"""Runs that are kept on this machine, whichever of its processes drives them."""

from __future__ import annotations

import os
import time
from typing import Any

from laminar.data.journal import Journal
from laminar.data.serde.failures import revive
from laminar.engine.task import ROOT
from laminar.errors import RunAbortedError, UnknownRunError, nearest
from laminar.ledger.sql import Ledger
from laminar.model.states import State
from laminar.runs.local import LEDGER, sweep
from laminar.tasks import store
from laminar.tasks.home import Action, Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.ledger.rows import ActionRow, RunRow
    from laminar.model.entries import Entry
    from laminar.tasks.scheduling import Scheduling

#: Seconds between looks at a run that another process drives.
GLANCE = 0.1


class LocalHome(Home):
    """A folder of this machine, with one run of a task in it."""

    def __init__(self, name: str, task: str, root: str, scheduling: Scheduling | None = None) -> None:
        """Name a run.

        Args:
            name: Its id.
            task: Full name of its task.
            root: Folder where it is kept.
            scheduling: What drives it, if that is this process.
        """
        super().__init__(name, task, root)
        self._scheduling = scheduling

    @classmethod
    def find(cls, name: str, root: str | None = None) -> LocalHome:
        """Find a run that was kept here; see :meth:`laminar.Run.get`."""
        root = store.root(root)
        ledger = Ledger(os.path.join(root, LEDGER), create=False)
        try:
            found = [row for row in ledger.runs_of(name) if "." in row.space]
            if not found:
                tasks = [row.run for row in ledger.runs() if "." in row.space]
                raise UnknownRunError(f"There is no run of a task named {name!r} in {root}.{nearest(name, tasks)}")
            return cls(found[0].run, found[0].space, root)
        finally:
            ledger.close()

    @property
    def url(self) -> str:
        """Address of its journal."""
        return "file://" + os.path.join(self.root, *self._journal.path.split("/"))

    # How it goes

    @property
    def status(self) -> State:
        """State of the run."""
        if self._scheduling is not None and self._scheduling.over:
            return self._scheduling.state
        row = self._row()
        if row is None:
            return State.WAITING
        return row.state if row.state.terminal or row.held(time.time()) else State.CANCELLED

    @property
    def times(self) -> tuple[float | None, float | None]:
        """When it started and ended."""
        row = self._row()
        return (None, None) if row is None else (row.started, row.ended)

    def wait(self, *, shown: bool) -> None:  # noqa: ARG002 - who drives it shows what it prints
        """Wait for the end."""
        if self._scheduling is not None:
            self._scheduling.wait()
        while not self.status.terminal:
            time.sleep(GLANCE)

    def abort(self, reason: str) -> None:
        """Stop the run, and wait for that."""
        why = f"aborted: {reason}" if reason else "aborted"
        row = self._row()
        if row is not None and not row.state.terminal and row.held(time.time()):
            ledger = Ledger(os.path.join(self.root, LEDGER))
            try:
                ledger.request(row.space, row.run, "abort", why)
            finally:
                ledger.close()
        elif row is not None and not row.state.terminal:
            sweep(self.root, row.space, row.run)
        while not self.status.terminal:
            time.sleep(GLANCE)

    # What came of it

    def result(self) -> Any:
        """Give what it has returned, or raise what it has raised."""
        entry = self._ended()
        if entry is not None and entry.output is not None:
            return store.values(self.root).unpack(entry.output.refs[0])
        if self._scheduling is not None and self._scheduling.error is not None:
            raise self._scheduling.error.with_traceback(None)  # its notes have that of the task
        if entry is not None and entry.failure is not None:
            raise revive(entry.failure, f"task {self.task}")
        row = self._row()
        why = row.error if row is not None and row.error else "it was stopped"
        raise RunAbortedError(f"Run {self.name} of {self.task} has no result: {why}.")

    def inputs(self) -> dict[str, Any]:
        """Give the arguments that the task was called with."""
        noted = self._journal.noted()
        return store.values(self.root).unpack_arguments(bytes.fromhex(noted["inputs"]))

    @property
    def error(self) -> BaseException | None:
        """What the task has raised; None if it has returned, or not ended."""
        entry = self._ended()
        failure = None if entry is None else entry.failure
        return None if failure is None else revive(failure, f"task {self.task}")

    def actions(self) -> list[Action]:
        """List the calls of the run, the first that started first; their parents make them a tree."""
        ledger = self._ledger()
        try:
            return [_action(row) for row in ledger.calls(self.task, self.name)]
        finally:
            ledger.close()

    def logs(self, action: str | None) -> Iterator[str]:
        """Give the lines that its tasks have printed so far, attempt by attempt.

        Args:
            action: Name of one action, or of a task; None for all.
        """
        ledger = self._ledger()
        try:
            tasks = {(row.name, row.index): row.task for row in ledger.calls(self.task, self.name)}
            attempts = ledger.attempts(self.task, self.name)
        finally:
            ledger.close()
        for attempt in attempts:
            if action in (None, attempt.name, tasks.get((attempt.name, attempt.index))):
                yield from _lines(attempt.log)

    # Where it is kept

    @property
    def _journal(self) -> Journal:
        return Journal(store.blobs(self.root), self.name)

    def _ended(self) -> Entry | None:
        return self._journal.first(ROOT)

    def _ledger(self) -> Ledger:
        return Ledger(os.path.join(self.root, LEDGER))

    def _row(self) -> RunRow | None:
        ledger = self._ledger()
        try:
            return ledger.find(self.task, self.name)
        finally:
            ledger.close()


def _action(row: ActionRow) -> Action:
    return Action(
        row.name,
        row.task or "",
        row.parent or "",
        row.label or "",
        row.state,
        row.attempts,
        row.started,
        row.ended,
        row.reason,
        row.index,
    )


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.rstrip("\n")
    except FileNotFoundError:
        return  # it has printed nothing
