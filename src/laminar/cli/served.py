"""Runs on a server, as commands look at them."""

from __future__ import annotations

from laminar.cli.place import Place
from laminar.runs.server_records import SeenRun, ServerRecords
from laminar.runs.server_runs import ServerRuns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.client.http import Client


class Seen(SeenRun):
    """A run on a server, as commands show it."""

    def plain(self) -> dict[str, Any]:
        """Give what JSON says of the run."""
        view, run = self.view, self.run
        return {
            "run": view.name,
            view.kind: view.entity,
            "version": view.version,
            "state": self.state,
            "created": view.created,
            "started": view.started,
            "ended": view.ended,
            "seconds": self.seconds(view.started, run.ended),
            "error": view.error,
            "author": view.author,
            "trigger": view.trigger,
            "rerun_of": view.rerun_of,
            "labels": view.labels,
        }


class Served(Place):
    """The runs of a project and domain on a server.

    Attributes:
        served: Asks the server.
    """

    def __init__(self, client: Client) -> None:
        """Take what asks the server."""
        self.served = ServerRuns(client)
        self.records: ServerRecords = ServerRecords(self.served)

    def runs(self, limit: int, labels: Mapping[str, str], state: str | None, entity: str | None) -> list[Seen]:
        """List runs."""
        return [Seen(view) for view in self.served.labelled(labels, limit, state=state, entity=entity)]

    def parts(self, run: str) -> list[Seen]:
        """Find a run; on a server each has one part."""
        return [Seen(self.records.find(run))]

    def has_calls(self, look: Seen) -> bool:  # noqa: ARG002 - the splits of layers are calls there
        """Tell that it consists of calls."""
        return True

    def noted(self, look: Seen) -> dict[str, Any]:
        """Give what was said of a run when it was begun."""
        project, _, domain = look.view.space.partition("/")
        return {"labels": look.view.labels, "version": look.view.version, "project": project, "domain": domain}
