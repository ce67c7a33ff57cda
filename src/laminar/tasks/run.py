"""Runs: what goes on in them, and what came of them; the same for those of this process and those of others."""

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
from laminar.model.value import Value
from laminar.runs.local import LEDGER, sweep
from laminar.tasks import store
from laminar.tasks.both import waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.ledger.rows import ActionRow, RunRow
    from laminar.model.entries import Entry
    from laminar.tasks.scheduling import Scheduling

#: Seconds between looks at a run that another process drives.
GLANCE = 0.1


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


class Run:
    """A run of a task.

    Attributes:
        name: Its id.
        task: Full name of the task that it is a run of.
        root: Folder where it is kept.
    """

    def __init__(self, name: str, task: str, root: str, scheduling: Scheduling | None = None) -> None:
        """Name a run.

        Args:
            name: Its id.
            task: Full name of its task.
            root: Folder where it is kept.
            scheduling: What drives it, if that is this process.
        """
        self.name = name
        self.task = task
        self.root = root
        self._scheduling = scheduling

    @classmethod
    def get(cls, name: str, root: str | None = None) -> Run:
        """Find a run that was kept here.

        Args:
            name: Its id, or an unambiguous beginning of it.
            root: Folder where it is kept; by default the configured one.

        Raises:
            UnknownRunError: There is none.
        """
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
        """Where its journal lies, as an address."""
        return "file://" + os.path.join(self.root, *self._journal.path.split("/"))

    # How it goes

    @property
    def status(self) -> State:
        """State of the run; a :class:`str`: ``run.status == "SUCCEEDED"``. CANCELLED where its scheduler has died."""
        if self._scheduling is not None and self._scheduling.over:
            return self._scheduling.state
        row = self._row()
        if row is None:
            return State.WAITING
        return row.state if row.state.terminal or row.held(time.time()) else State.CANCELLED

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
            KeyboardInterrupt: Ctrl-C was pressed; the run has been stopped and can be resumed.
        """
        self._wait()
        return self

    def _wait(self) -> None:
        if self._scheduling is not None:
            self._scheduling.wait()
        while not self.done():
            time.sleep(GLANCE)

    @waits
    def abort(self, reason: str = "") -> Run:
        """Stop the run with all that it has started, and wait for that.

        Args:
            reason: Why, as its error will say.
        """
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
        self._wait_quietly()
        return self

    def _wait_quietly(self) -> None:
        while not self.done():
            time.sleep(GLANCE)

    # What came of it

    @waits
    def result(self) -> Any:
        """Wait for the end, and give what the task has returned.

        Raises:
            Exception: What the task has raised, as itself.
            RunAbortedError: It was stopped before it came to an end.
        """
        self._wait()
        return self._result()

    def _result(self) -> Any:
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

    @waits
    def outputs(self) -> tuple[Any, ...]:
        """Wait for the end, and give what the task has returned as a tuple: the items of a tuple, else one item.

        Raises:
            Exception: What the task has raised, as itself.
        """
        self._wait()
        result = self._result()
        return result if type(result) is tuple else (result,)

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

    def logs(self, action: str | None = None) -> Iterator[str]:
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

    def __repr__(self) -> str:
        """Show the task, the id and the state."""
        return f"<Run {self.name} of {self.task}: {self.status}>"


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
