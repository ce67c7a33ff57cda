"""Runs on a server, as its API tells of them."""

from __future__ import annotations

import itertools
import sys
from urllib.parse import quote

import msgspec

from laminar.runs import connecting
from laminar.wire.runs import (
    ActionPage,
    ActionView,
    AttemptPage,
    InputsView,
    KeptPage,
    OutputPiece,
    ResultView,
    RunPage,
    RunRequest,
    RunView,
    StopRequest,
    TaskCounts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from laminar.client.http import Client

#: Items of one page.
PAGE = 1000
#: The kind of the events that tell what was printed.
OUTPUT = "output"


class ServerRuns:
    """The runs of a project and domain.

    Attributes:
        client: Asks the server.
    """

    def __init__(self, client: Client | None = None) -> None:
        """Take what asks the server; by default the one that is configured."""
        self.client = client or connecting.client()

    def path(self, run: str, rest: str = "") -> str:
        """Name something of a run."""
        return self.client.space_path(f"/runs/{quote(run, safe='')}{rest}")

    def begin(self, request: RunRequest) -> RunView:
        """Ask for a run; one that bears a name may be asked for twice.

        Raises:
            UnknownEntityError: What is to be run is not deployed.
            RunExistsError: A run has the name.
        """
        view: RunView = self.client.call("POST", self.client.space_path("/runs"), body=request, returns=RunView)
        return view

    def view(self, run: str) -> RunView:
        """Describe a run.

        Raises:
            UnknownRunError: There is none.
        """
        view: RunView = self.client.call("GET", self.path(run), returns=RunView)
        return view

    def page(self, **query: Any) -> RunPage:
        """List runs, the newest first; see :class:`laminar.wire.runs.RunQuery`."""
        page: RunPage = self.client.call("GET", self.client.space_path("/runs"), query=query, returns=RunPage)
        return page

    def all(self, limit: int, **query: Any) -> Iterator[RunView]:
        """Give runs, the newest first, page by page; at most so many."""
        after = None
        while limit > 0:
            page = self.page(**query, limit=min(limit, PAGE), after=after)
            yield from page.items
            limit -= len(page.items)
            after = page.next
            if after is None:
                return

    def labelled(self, labels: Mapping[str, str], limit: int, **query: Any) -> Iterator[RunView]:
        """Give runs that bear all of some labels, the newest first; at most so many."""
        first = next((f"{key}={value}" for key, value in labels.items()), None)
        most = limit if len(labels) < 2 else sys.maxsize
        found = (one for one in self.all(most, label=first, **query) if labels.items() <= one.labels.items())
        return itertools.islice(found, limit)

    def stop(self, run: str, reason: str) -> RunView:
        """Ask for the end of a run."""
        body = StopRequest(reason=reason)
        view: RunView = self.client.call("POST", self.path(run, "/stop"), body=body, returns=RunView, again=True)
        return view

    def resume(self, run: str) -> RunView:
        """Go on with a run that has ended in vain.

        Raises:
            RunExistsError: It goes on, or has succeeded.
        """
        view: RunView = self.client.call("POST", self.path(run, "/resume"), returns=RunView)
        return view

    def rerun(self, run: str) -> RunView:
        """Begin a run like another."""
        view: RunView = self.client.call("POST", self.path(run, "/rerun"), returns=RunView)
        return view

    # What has happened in one

    def inputs(self, run: str) -> InputsView:
        """Give what it was asked for with."""
        view: InputsView = self.client.call("GET", self.path(run, "/inputs"), returns=InputsView)
        return view

    def result(self, run: str, action: str) -> ResultView:
        """Give what an action has returned or raised."""
        path = self.path(run, f"/actions/{quote(action, safe='')}/result")
        view: ResultView = self.client.call("GET", path, returns=ResultView)
        return view

    def counts(self, run: str) -> TaskCounts:
        """Count its actions by task."""
        counts: TaskCounts = self.client.call("GET", self.path(run, "/tasks"), returns=TaskCounts)
        return counts

    def actions(self, run: str, limit: int | None = None, offset: int = 0, **query: str | None) -> Iterator[ActionView]:
        """Give its actions, the first that started first; see :class:`laminar.wire.runs.ActionQuery`.

        What does not fit on one page is asked for in the order of names: in that of starts, an action that starts
        meanwhile moves from one page to another.
        """
        if limit is not None and limit <= PAGE:
            return iter(self._actions(run, **query, limit=limit, offset=offset).items)
        found: list[ActionView] = []
        page = self._actions(run, **query, limit=PAGE, order="name")
        found += page.items
        while page.next is not None:
            page = self._actions(run, **query, limit=PAGE, order="name", after=page.next)
            found += page.items
        found.sort(key=_began)
        return itertools.islice(found, offset, None if limit is None else offset + limit)

    def _actions(self, run: str, **query: str | int | None) -> ActionPage:
        page: ActionPage = self.client.call("GET", self.path(run, "/actions"), query=query, returns=ActionPage)
        return page

    def action(self, run: str, action: str) -> ActionView:
        """Describe the action of a name, or the only one of a task."""
        path = self.path(run, f"/actions/{quote(action, safe='')}")
        view: ActionView = self.client.call("GET", path, returns=ActionView)
        return view

    def kept(self, run: str, action: str) -> KeptPage:
        """Give what an action has kept for later runs, and what was kept of its task before."""
        path = self.path(run, f"/actions/{quote(action, safe='')}/kept")
        page: KeptPage = self.client.call("GET", path, returns=KeptPage)
        return page

    def attempts(self, run: str, action: str) -> AttemptPage:
        """List the attempts of an action."""
        path = self.path(run, f"/actions/{quote(action, safe='')}/attempts")
        page: AttemptPage = self.client.call("GET", path, returns=AttemptPage)
        return page

    # As it goes on

    def events(self, run: str, *, after: int = 0, output: bool = False, wait: bool = True) -> Iterator[Told]:
        """Follow what happens in it.

        Args:
            run: Its id.
            after: What comes after the event of this number.
            output: Whether what is printed is told too.
            wait: Whether to go on until it has ended.
        """
        return self._followed(self.path(run, "/events"), after, {"output": output, "wait": wait})

    def printed(
        self, run: str, action: str | None = None, *, after: int = 0, wait: bool = True
    ) -> Iterator[OutputPiece]:
        """Follow what it prints.

        Args:
            run: Its id.
            action: Of one action, or of the calls of one task; None for all.
            after: What comes after the event of this number.
            wait: Whether to go on until it has ended.
        """
        told = self._followed(self.path(run, "/logs"), after, {"action": action, "wait": wait})
        return (each for each in told if isinstance(each, OutputPiece))

    def _followed(self, path: str, after: int, query: dict[str, str | bool | None]) -> Iterator[Told]:
        known: dict[tuple[str, int, int, int], int] = {}
        for _, kind, data in self.client.events(path, after, query):
            if kind == OUTPUT:
                piece = _fresh(msgspec.json.decode(data, type=OutputPiece), known)
                if piece is not None:
                    yield piece
            else:
                plain: dict[str, Any] = msgspec.json.decode(data)
                yield {"kind": kind, **plain}


if TYPE_CHECKING:
    Told = OutputPiece | dict[str, Any]


def _fresh(piece: OutputPiece, known: dict[tuple[str, int, int, int], int]) -> OutputPiece | None:
    """Leave out of a piece what was there before: an agent may have told it to two servers."""
    key = (piece.action, piece.index, piece.number, piece.epoch)
    seen = known.get(key, 0)
    end = piece.offset + len(piece.data)
    if end <= seen:
        return None
    known[key] = end
    skipped = max(0, seen - piece.offset)
    return msgspec.structs.replace(piece, offset=piece.offset + skipped, data=piece.data[skipped:])


def _began(view: ActionView) -> tuple[bool, float, str, int]:
    return view.started is None, view.started or 0.0, view.name, view.index
