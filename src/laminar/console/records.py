"""What is asked of the record of a run: of the ledger of this machine, or of a server."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from laminar.ledger.rows import ActionRow, AttemptRow, CacheRow, CallReasonRow, RunRow, TaskRow
    from laminar.model.states import State

    class Seen(Protocol):
        """A run, as it is seen now."""

        run: RunRow
        held: bool

        def seconds(self, started: float | None, ended: float | None) -> float | None:
            """Tell how long something took or takes; None where that is not known."""

    class Records(Protocol):
        """Knows what happened in runs; see :class:`laminar.ledger.reading.Reader`."""

        def tasks(self, space: str, run: str) -> list[TaskRow]:
            """Count the calls of each task in a run."""

        def calls(
            self,
            space: str,
            run: str,
            limit: int = -1,
            offset: int = 0,
            *,
            task: str | None = None,
            state: State | None = None,
        ) -> list[ActionRow]:
            """List the task calls of a run."""

        def call_reasons(self, space: str, run: str, state: State) -> list[CallReasonRow]:
            """List why task calls are in a state."""

        def actions_of(self, space: str, run: str, which: str) -> list[ActionRow]:
            """Find actions of a run by the beginning of their name, or by their task."""

        def attempts(self, space: str, run: str, name: str | None = None, index: int | None = None) -> list[AttemptRow]:
            """List attempts, oldest first."""

        def result_of(self, run: str, action: str) -> tuple[str, CacheRow] | None:
            """Find what an action has kept for later runs."""

        def results(self, task: str, before: float, like: CacheRow, limit: int = 200) -> list[CacheRow]:
            """List the results of a task that were kept before a time."""

        def code(self, task: str, digest: str) -> dict[str, str]:
            """Read of which parts the code of a task was made."""
