"""What a server has recorded of runs, as rows of a ledger: who looks at them need not know where they come from."""

from __future__ import annotations

import math
import time
from collections import Counter

import msgspec

from laminar.errors import UnknownRunError
from laminar.host.processes import ProcessIdentity
from laminar.ledger.rows import ActionRow, AttemptRow, CacheRow, CallReasonRow, RunRow, TaskRow
from laminar.model.action import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.states import State
    from laminar.runs.server_runs import ServerRuns
    from laminar.wire.runs import KeptPage, KeptView, RunView

#: Actions of which the reasons are counted: those of one page.
MOST = 1000
#: How reasons begin that say what the cache has to do with an action.
CACHE = "cache:"


class SeenRun:
    """A run on a server, as it is seen now.

    Attributes:
        view: What the server says of it.
        run: The same, as a row of a ledger.
        held: Whether it may still go on.
    """

    def __init__(self, view: RunView) -> None:
        """Take what the server says."""
        self.view = view
        self.run = RunRow(
            space=view.entity,
            run=view.name,
            state=view.state,
            epoch=view.epoch,
            holder=ProcessIdentity("", "server", 0, ""),
            lease=math.inf,
            source=None,
            started=view.created if view.started is None else view.started,
            ended=view.ended,
            error=view.error,
        )
        self.held = not view.state.terminal
        self._now = time.time()

    @property
    def state(self) -> str:
        """Its state."""
        return self.view.state.value

    def seconds(self, started: float | None, ended: float | None) -> float | None:
        """Tell how long something took or takes."""
        if started is None or (ended is None and not self.held):
            return None
        return (self._now if ended is None else ended) - started


class ServerRecords:
    """The record of the runs of a project and domain; see :class:`laminar.ledger.reading.Reader`.

    Attributes:
        runs: Asks the server.
    """

    def __init__(self, runs: ServerRuns) -> None:
        """Take what asks the server."""
        self.runs = runs
        self._kept: tuple[tuple[str, str], KeptPage] | None = None

    def find(self, run: str) -> RunView:
        """Find a run by its name, or by the unambiguous beginning of one.

        Raises:
            UnknownRunError: There is none, or several begin so.
        """
        try:
            return self.runs.view(run)
        except UnknownRunError:
            found = self.runs.page(name=run, limit=2).items
            if len(found) != 1:
                raise
            return found[0]

    def tasks(self, space: str, run: str) -> list[TaskRow]:  # noqa: ARG002 - the server knows what it is a run of
        """Count the calls of each task in a run."""
        return [TaskRow(**msgspec.structs.asdict(count)) for count in self.runs.counts(run).items]

    def calls(
        self,
        space: str,  # noqa: ARG002 - as above
        run: str,
        limit: int = -1,
        offset: int = 0,
        *,
        task: str | None = None,
        state: State | None = None,
    ) -> list[ActionRow]:
        """List the calls of a run, the first that started first."""
        most = None if limit < 0 else limit
        named = None if state is None else state.value
        views = self.runs.actions(run, most, offset, task=task, state=named)
        return [ActionRow(**msgspec.structs.asdict(view)) for view in views]

    def call_reasons(self, space: str, run: str, state: State) -> list[CallReasonRow]:
        """List why calls are in a state, by task, the most common reason first."""
        rows = self.calls(space, run, MOST, state=state)
        told = [row for row in rows if row.reason is not None and not row.reason.startswith(CACHE)]
        counts = Counter((row.task or "", row.reason or "") for row in told)
        first = {(row.task or "", row.reason or ""): row.name for row in reversed(told)}
        return [CallReasonRow(*key, count, first[key]) for key, count in counts.most_common()]

    def actions_of(self, space: str, run: str, which: str) -> list[ActionRow]:  # noqa: ARG002 - as above
        """Find actions of a run by the beginning of their name, or by their task."""
        return [ActionRow(**msgspec.structs.asdict(view)) for view in self.runs.actions(run, which=which)]

    def attempts(
        self,
        space: str,  # noqa: ARG002 - as above
        run: str,
        name: str | None = None,
        index: int | None = None,
    ) -> list[AttemptRow]:
        """List the attempts of an action, oldest first."""
        views = [] if name is None else self.runs.attempts(run, name).items
        rows = [AttemptRow(**msgspec.structs.asdict(view), log="") for view in views]
        return [row for row in rows if index in (None, row.index)]

    # What is kept for later runs

    def result_of(self, run: str, action: str) -> tuple[str, CacheRow] | None:
        """Find what an action has kept for later runs: its task, and the result."""
        page = self._page(run, action)
        return None if page.own is None else (page.task, _cached(page.own))

    def results(self, task: str, before: float, like: CacheRow, limit: int = 200) -> list[CacheRow]:  # noqa: ARG002
        """List the results of a task that were kept before a time, those first that may be compared with one."""
        earlier = self._page(like.run, like.action).earlier
        return [_cached(view) for view in earlier if view.made < before][:limit]

    def code(self, task: str, digest: str) -> dict[str, str]:  # noqa: ARG002 - it is what was asked about last
        """Read of which parts the code of a task was made; empty if that is not known."""
        return {} if self._kept is None else self._kept[1].code.get(digest, {})

    def _page(self, run: str, action: str) -> KeptPage:
        if self._kept is None or self._kept[0] != (run, action):
            self._kept = ((run, action), self.runs.kept(run, action))
        return self._kept[1]


def _cached(view: KeptView) -> CacheRow:
    return CacheRow(Output(()), view.run, view.action, view.made, view.parts)
