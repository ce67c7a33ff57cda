"""How laminar is on this machine: versions, configuration, local runs, and the server that is configured."""

from __future__ import annotations

import os
import sys
import time

from laminar.containers import examining as containers
from laminar.errors import ConfigurationError, LaminarError
from laminar.host.checks import Check, ok, problem, warning
from laminar.ledger import examining as ledger
from laminar.runs import configuration
from laminar.runs.local import LEDGER
from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.runs.configuration import Configuration

#: The oldest Python that laminar runs on.
PYTHON = (3, 11)
#: Seconds that two clocks may differ, beyond what the way to the server takes.
APART = 2.0


def local(root: str | None = None) -> list[Check]:
    """Look at this machine, without changing anything.

    Args:
        root: Folder of local runs; by default the configured one.
    """
    found = [_versions(), ledger.library(), *containers.engine()]
    try:
        chosen = configuration.look()
    except ConfigurationError as error:
        return [*found, problem("configuration", str(error))]
    found.append(ok("configuration", chosen.file or "no file, the environment alone"))
    found += ledger.file("ledger", os.path.join(os.path.abspath(root or chosen.root), LEDGER))
    return [*found, *(_server(chosen) if chosen.endpoint else ())]


def _versions() -> Check:
    text = f"laminar {VERSION}, Python {'.'.join(map(str, sys.version_info[:3]))}"
    if sys.version_info[:2] < PYTHON:
        return problem("versions", text, f"Use Python {'.'.join(map(str, PYTHON))} or later.")
    return ok("versions", text)


def _server(chosen: Configuration) -> list[Check]:
    """Ask the server who this is, and what its clock says."""
    from laminar.runs.connecting import client  # 60 ms, and only where a server is configured
    from laminar.wire.health import Me

    try:
        with client(chosen) as line:
            line.call("GET", "/me", returns=Me)  # the first answer takes a connection to be made
            before = time.time()
            me: Me = line.call("GET", "/me", returns=Me)
            after = time.time()
    except LaminarError as error:
        return [problem("server", str(error))]
    text = f"{chosen.endpoint}, laminar {me.version}, as {me.name} ({me.role}), tasks by {me.executor}"
    checks = [ok("server", text)]
    if me.version != VERSION:
        checks = [warning("server", f"{text}; this is laminar {VERSION}", "Use the same version on both.")]
    if me.trouble:
        checks = [problem("server", f"{chosen.endpoint} cannot do its work: {me.trouble}", "Look into its log.")]
    return [*checks, clock(None if me.time is None else me.time / 1000, before, after)]


def clock(there: float | None, before: float, after: float) -> Check:
    """Compare the server's clock with this machine's.

    Args:
        there: What it said.
        before: What the clock here said before it was asked.
        after: And after it had answered.
    """
    if there is None:
        return warning("clock", "the server does not tell its time", "Upgrade the server.")
    apart = max(before - there, there - after, 0.0)
    if apart > APART:
        text = f"the server's clock and this one differ by {apart:.1f} s"
        return warning("clock", text, "Set both by NTP: times of runs and expiries would be wrong.")
    return ok("clock", "the server's clock and this one agree")
