"""Following a run: what happens in it, and what its attempts print, in one order."""

from __future__ import annotations

import asyncio
import json

from anyio import to_thread

from laminar.ledger import feed
from laminar.model.ids import ActionKey, AttemptKey
from laminar.server.runs import Ledgers
from laminar.server.streams import Event
from laminar.wire.runs import OutputPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from laminar.ledger.rows import FeedRow
    from laminar.server.engine import Engine

#: Seconds between looks for what has happened.
GLANCE = 0.25
#: Events that are read at a time.
MOST = 500


class Following:
    """Follows one run. Numbers of events are those of the feed, so whoever has lost a stream goes on behind one."""

    def __init__(
        self,
        engine: Engine,
        space: str,
        run: str,
        *,
        states: bool = False,
        output: bool = False,
        which: str | None = None,
        to_end: bool = True,
    ) -> None:
        """Choose what is told.

        Args:
            engine: What drives runs.
            space: Project and domain.
            run: The run's id.
            states: Whether states are told.
            output: Whether output is told.
            which: Output of the action of this name, or the beginning of one, or of the calls of this task alone.
            to_end: Whether to go on until the run has ended; else that ends which has happened by now.
        """
        self._engine = engine
        self._space = space
        self._run = run
        self._states = states
        self._output = output
        self._which = which
        self._to_end = to_end
        self._ledger = Ledgers(engine, space)
        self._tasks: dict[tuple[str, int], str] = {}

    async def events(self, after: int) -> AsyncIterator[list[Event]]:
        """Give what has happened after an event, and what happens until the end, in pieces."""
        while True:
            over, rows, told = await to_thread.run_sync(self._look, after)
            if told:
                yield told
            if rows:
                after = rows[-1].sequence
            if len(rows) < MOST:
                if over:
                    return
                await asyncio.sleep(GLANCE)

    def _look(self, after: int) -> tuple[bool, list[FeedRow], list[Event]]:
        over = not self._to_end or self._has_ended()
        rows = self._ledger.events_after(self._space, self._run, after, MOST)
        events = [self._event(row) for row in rows]
        return over, rows, [event for event in events if event is not None]

    def _has_ended(self) -> bool:
        row = self._engine.submissions.find(self._space, self._run)
        return row is None or row.state.terminal

    def _event(self, row: FeedRow) -> Event | None:
        if row.kind == feed.OUTPUT:
            return self._piece(row, json.loads(row.detail)) if self._output else None
        if row.kind == feed.ACTION and row.name is not None:
            detail = json.loads(row.detail)
            if "task" in detail:
                self._tasks[row.name, row.index or 0] = detail["task"]
        return self._state(row) if self._states else None

    def _state(self, row: FeedRow) -> Event:
        detail: dict[str, Any] = json.loads(row.detail) if row.detail.startswith("{") else {"text": row.detail}
        if row.name is not None:
            detail.setdefault("task", self._task(row.name, row.index or 0))
        return Event(row.sequence, row.kind, {"time": row.time, "name": row.name, "index": row.index, **detail})

    def _piece(self, row: FeedRow, detail: dict[str, Any]) -> Event | None:
        name, index = row.name or "", row.index or 0
        task = self._task(name, index)
        if self._which is not None and not name.startswith(self._which) and task != self._which:
            return None
        number, epoch = detail["number"], detail["epoch"]
        key = AttemptKey(ActionKey(self._space, self._run, name, index), number, epoch)
        data = self._engine.output.piece(key, detail["offset"])
        piece = OutputPiece(
            action=name, index=index, task=task, number=number, epoch=epoch, offset=detail["offset"], data=data
        )
        return Event(row.sequence, row.kind, piece)

    def _task(self, name: str, index: int) -> str:
        """Tell what an action is a call of."""
        if (name, index) not in self._tasks:
            for row in self._ledger.actions_of(self._space, self._run, name):
                self._tasks[row.name, row.index] = row.task or ""
            self._tasks.setdefault((name, index), "")
        return self._tasks[name, index]
