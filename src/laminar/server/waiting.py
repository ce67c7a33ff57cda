"""Why what has not ended waits, in one sentence each."""

from __future__ import annotations

from laminar.model.states import State
from laminar.server.deployments import spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from laminar.ledger.rows import ActionRow
    from laminar.ledger.server_rows import SubmissionRow
    from laminar.server.engine import Engine

#: How many holders of slots, or tasks, are named in a sentence.
NAMED = 3
#: What the engine says of an action that waits for its next try.
AGAIN = " to try again"


def of_run(engine: Engine, row: SubmissionRow) -> str | None:
    """Say what a run waits for; None if a server drives it, or it has ended."""
    if row.state is State.WAITING:
        count, most = engine.driving.count(), engine.driving.most
        full = f": this one drives {count}, as many as it may" if count >= most else ""
        return f"waits for a server to take it up{full}"
    if row.state.terminal or engine.driving.find(row.space, row.run) is not None:
        return None
    if engine.submissions.holder_url(row.space, row.run) is not None:
        return None
    return "waits for a server to go on with it: the one that drove it is gone"


def explained(engine: Engine, space: str, run: str, rows: Sequence[ActionRow]) -> list[ActionRow]:
    """Give actions of a run, each that has not ended with what it waits for as its reason."""
    names = {row.name for row in rows if not row.state.terminal}
    if not names:
        return list(rows)
    look = _Look(engine, space, run, names)
    return [row if row.state.terminal else row.replace(reason=look.reason(row)) for row in rows]


class _Look:
    """A look at what goes on in one run."""

    def __init__(self, engine: Engine, space: str, run: str, names: set[str]) -> None:
        self._engine = engine
        self._space = space
        self._run = run
        self._driven = engine.driving.find(space, run)
        self._unready = engine.agents.waiting(space, run)
        self._awaited = {} if self._driven is None else self._driven.awaited()
        self._slots = {} if self._driven is None else self._driven.waiting(names)
        self._said: dict[str, str] = {}

    def reason(self, row: ActionRow) -> str | None:
        key = (row.name, row.index)
        if key in self._unready:
            return self._unready[key]
        if key in self._awaited:
            return _called(self._awaited[key])
        if row.state is not State.WAITING:
            return row.reason
        if self._driven is None:
            return row.reason if AGAIN in (row.reason or "") else self._elsewhere(row)
        lane = self._slots.get(key)
        return row.reason if lane is None else self._slot(lane)

    def _slot(self, queue: str) -> str:
        """Say what actions of a queue wait for."""
        if queue not in self._said:
            full = self._engine.queues.reason(self._space, queue)
            self._said[queue] = full or self._here() or "is about to start"
        return self._said[queue]

    def _here(self) -> str | None:
        size, holders = self._engine.slots.size, self._engine.slots.holders()
        taken = sum(holders.values())
        if taken < size:
            return None
        runs = [f"{run} of {space}" if space != self._space else run for space, run in holders]
        named = ", ".join(runs[:NAMED]) + (", …" if len(runs) > NAMED else "")
        held = f"{taken} {'is' if taken == 1 else 'are'} held by {'run' if len(runs) == 1 else 'runs'} {named}"
        return f"waits for a slot of the server, which runs {size} at a time: {held}"

    def _elsewhere(self, row: ActionRow) -> str:
        """Say what an action of a run waits for that another server drives, or none."""
        url = self._engine.submissions.holder_url(self._space, self._run)
        if url is None:
            return "waits for a server to go on with its run: the one that drove it is gone"
        queue = self._queue(row.task) if row.task else ""
        return self._engine.queues.reason(self._space, queue) or f"waits for a slot of the server at {url}"

    def _queue(self, task: str) -> str:
        """Give the queue of a task in this run."""
        run = self._engine.submissions.find(self._space, self._run)
        found = self._engine.catalog.entity(self._space, task, None if run is None else run.version)
        return "" if found is None else spec_of(found).queue or ""


def _called(counts: dict[str, int]) -> str:
    named = [f"{task} ({count})" if count > 1 else task for task, count in counts.items()]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"waits for what it has called: {', '.join(named[:NAMED])}{more}"
