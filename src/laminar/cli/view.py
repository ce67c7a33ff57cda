"""Runs as they are seen from outside: what the ledger says, and whether anybody drives them."""

from __future__ import annotations

import itertools
import os
import time

import click

from laminar.cli import options
from laminar.cli.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.client.http import Client
    from laminar.ledger.rows import GroupRow, RunRow
    from laminar.ledger.sql import Ledger

#: States that only looking at a run can tell: its scheduler has died; a layer was not begun in a run that is over.
DIED, NOT_RUN = "DIED", "NOT RUN"


def ledger_of(root: str) -> Ledger:
    """Open the ledger in a folder.

    Raises:
        LedgerError: There is none, or it cannot be read.
    """
    from laminar.ledger.sql import Ledger  # 5 ms that help texts do not need
    from laminar.runs.local import LEDGER

    return Ledger(os.path.join(root, LEDGER), create=False)


def noted(root: str, run: RunRow) -> dict[str, Any]:
    """Read what was said of a run of a task when it was begun: ``labels``, ``version``, ``project``, ``domain``."""
    from laminar.data.journal import Journal  # 15 ms that help texts do not need
    from laminar.data.local import LocalBlobs

    found = Journal(LocalBlobs(root), run.run).noted()
    return {name: found.get(name) for name in ("labels", "version", "project", "domain")}


class Local(Place):
    """The runs of this machine.

    Attributes:
        root: Folder of the ledger.
    """

    def __init__(self, root: str) -> None:
        """Open the ledger.

        Raises:
            LedgerError: There is none, or it cannot be read.
        """
        self.root = root
        self.records = ledger_of(root)

    def runs(self, limit: int, labels: Mapping[str, str], state: str | None, entity: str | None) -> list[Look]:
        """List runs."""
        some = labels or state or entity
        found = (Look(run) for run in self.records.runs(-1 if some else limit))
        return list(itertools.islice((look for look in found if self._fits(look, labels, state, entity)), limit))

    def _fits(self, look: Look, labels: Mapping[str, str], state: str | None, entity: str | None) -> bool:
        if state not in (None, look.state) or entity not in (None, look.run.space):
            return False
        if not labels:
            return True
        return options.of_task(look.run.space) and labels.items() <= (self.noted(look)["labels"] or {}).items()

    def parts(self, run: str) -> list[Look]:
        """Find a run."""
        return [Look(part) for part in self.records.runs_of(run)]

    def has_calls(self, look: Look) -> bool:
        """Tell whether it is a run of a task."""
        return options.of_task(look.run.space)

    def noted(self, look: Look) -> dict[str, Any]:
        """Give what was said of a run of a task when it was begun."""
        return noted(self.root, look.run)


def opened(*, root: str, endpoint: str | None, project: str | None, domain: str | None, local: bool) -> Place:
    """Open the place that the options of a command name.

    Raises:
        ConfigurationError: The configuration makes no sense.
        LedgerError: There is no ledger on this machine.
    """
    client = asked(root, endpoint, project, domain, local=local)
    if client is None:
        return Local(root)
    from laminar.cli.served import Served  # 100 ms, and only for who has a server

    return Served(client)


def asked(
    root: str,  # noqa: ARG001 - whether it was given is what counts
    endpoint: str | None,
    project: str | None,
    domain: str | None,
    *,
    local: bool,
) -> Client | None:
    """Give what asks the server that the options or the configuration name; None for this machine.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    from click.core import ParameterSource

    if local or click.get_current_context().get_parameter_source("root") is ParameterSource.COMMANDLINE:
        return None
    from laminar.runs import configuration  # 5 ms that help texts do not need

    chosen = configuration.init_from_config(project=project, domain=domain, endpoint=endpoint)
    if chosen.endpoint is None:
        return None
    from laminar.runs import connecting  # 90 ms, and only for who has a server

    return connecting.client(chosen)


class Look:
    """A run, as it is seen now.

    Attributes:
        run: What the ledger says.
        held: Whether a scheduler that may be alive drives it.
    """

    def __init__(self, run: RunRow) -> None:
        """Look whether its scheduler lives."""
        self.run = run
        self._now = time.time()
        self.held = run.held(self._now)

    @property
    def state(self) -> str:
        """Its state; one whose scheduler has died is neither running nor ended."""
        return self.run.state.value if self.run.state.terminal or self.held else DIED

    def seconds(self, started: float | None, ended: float | None) -> float | None:
        """Tell how long something took or takes; None where its scheduler died, which nobody saw."""
        if started is None or (ended is None and not self.held):
            return None
        return (self._now if ended is None else ended) - started

    def layer_state(self, group: GroupRow) -> str:
        """Name the state of a layer; in a run that nobody drives nothing waits or runs."""
        from laminar.model.states import State  # loaded by then, but not for help texts

        if group.state.terminal or self.held:
            return group.state.value
        return NOT_RUN if group.state is State.WAITING else State.CANCELLED.value

    def running(self, group: GroupRow) -> int:
        """Count the splits of a layer that run."""
        return group.running if self.held else 0

    def reasons(self, ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
        """List why splits wait or failed, by layer."""
        from laminar.model.states import State  # loaded by then, but not for help texts

        found: dict[str, list[dict[str, Any]]] = {}
        for state in (State.WAITING, State.FAILED) if self.held else (State.FAILED,):
            for row in ledger.reasons(self.run.space, self.run.run, state):
                plain = {"state": state.value, "count": row.count, "first": row.first, "reason": row.reason}
                found.setdefault(row.name, []).append(plain)
        return found

    def plain(self) -> dict[str, Any]:
        """Give what JSON says of the run."""
        run = self.run
        return {
            "run": run.run,
            "task" if options.of_task(run.space) else "flow": run.space,
            "state": self.state,
            "started": run.started,
            "ended": run.ended,
            "seconds": self.seconds(run.started, run.ended),
            "error": run.error,
            "source": run.source,
            "scheduler": {"host": run.holder.host, "pid": run.holder.pid},
        }

    def plain_layers(self, ledger: Ledger) -> list[dict[str, Any]]:
        """Give what JSON says of its layers."""
        reasons = self.reasons(ledger)
        return [
            {
                "layer": group.name,
                "state": self.layer_state(group),
                "splits": group.size,
                "done": group.done,
                "running": self.running(group),
                "failed": group.failed,
                "started": group.started,
                "ended": group.ended,
                "seconds": self.seconds(group.started, group.ended),
                "reason": group.reason,
                "reasons": reasons.get(group.name, []),
            }
            for group in ledger.groups(self.run.space, self.run.run)
        ]
