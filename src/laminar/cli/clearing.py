"""``laminar gc`` and ``laminar backup``: what is kept of runs, and a copy of a server's database."""

from __future__ import annotations

import time

import click

from laminar.cli import answers, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.cli.options import CommandT
    from laminar.ledger.retention import Limits

DAY, HOUR = 86400.0, 3600.0
#: What is counted, by the name of the field: one, and several.
WORDS = {
    "runs": ("run", "runs"),
    "content": ("blob", "blobs"),
    "bundles": ("bundle", "bundles"),
    "records": ("record or log", "records and logs"),
    "unpacked": ("unpacked bundle", "unpacked bundles"),
    "tokens": ("old token", "old tokens"),
}


def _limit(
    name: str, kind: click.ParamType[Any], metavar: str, default: int, text: str
) -> Callable[[CommandT], CommandT]:
    return click.option(name, type=kind, metavar=metavar, default=default, show_default=True, help=text)


@click.command("gc", short_help="Remove old runs, and what nothing refers to.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would go.")
@_limit("--keep-days", click.FloatRange(min=0), "N", 30, "Days that runs are kept after their end.")
@_limit("--keep-runs", click.IntRange(min=0), "N", 10, "Newest runs of each task and flow that are kept, however old.")
@_limit("--grace", click.FloatRange(min=0), "HOURS", 24, "Leave what was written in so many hours.")
@options.root
@options.server_place
@options.output
@options.common
def gc(
    dry_run: bool, keep_days: float, keep_runs: int, grace: float, root: str, output: str, **place: str | None
) -> None:
    """Remove runs that ended long ago, and whatever no run, cached result or deployment refers to any more.

    With --state, --database, --store or --config, those of a server of this machine, which may go on running; else the
    local runs in the folder --root. Runs that go on are never touched, nor what was written since the oldest of them
    began.
    """
    from laminar.ledger.retention import Limits  # 20 ms that help texts do not need

    now = time.time()
    limits = Limits(before=now - keep_days * DAY, newest=keep_runs, written=now - grace * HOUR)
    cleared = _of_server(place, limits, dry_run) if any(place.values()) else _of_root(root, limits, dry_run)
    if output == options.JSON:
        answers.as_json({"dry_run": dry_run, "bytes": cleared.size, **_plain(cleared)})
        return
    answers.line(said(cleared, dry=dry_run))
    for space in getattr(cleared, "strangers", ()):
        answers.remark(f"The store has {space}, where the database knows nothing that is deployed; it was left alone.")
    if cleared.runs and not dry_run and any(place.values()):
        answers.remark("The room of rows is used again; to give it back to the system: VACUUM, in sqlite3 or psql.")


def _of_server(place: Mapping[str, str | None], limits: Limits, dry: bool) -> Any:
    import os

    from laminar.server import desk, retention  # 150 ms, and only here
    from laminar.server.settings import load
    from laminar.server.signing import Signer
    from laminar.server.store import open_store

    settings = load({name: place[name] for name in ("state", "database", "store")}, place["config"])
    with desk.database(settings) as database:
        content = open_store(settings.store_url, Signer(os.urandom(32)))  # nothing is signed
        return retention.clear(database, content, os.path.abspath(settings.state), limits, dry=dry)


def _of_root(root: str, limits: Limits, dry: bool) -> Any:
    from laminar.runs import retention  # as above

    return retention.clear(root, limits, dry=dry)


def _plain(cleared: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in vars(cleared).items():
        plain[name] = vars(value) if hasattr(value, "count") and not isinstance(value, tuple) else value
    return plain


def said(cleared: Any, *, dry: bool) -> str:
    """Say what was removed, or would be, in a sentence."""
    parts = []
    for name, (one, several) in WORDS.items():
        value = getattr(cleared, name, 0)
        count = value if isinstance(value, int) else value.count
        if count:
            parts.append(f"{count:,} {one if count == 1 else several}")
    if not parts:
        return "There is nothing to remove."
    return f"{'Would free' if dry else 'Freed'} {amount(cleared.size)}: {', '.join(parts)}."


def amount(size: float) -> str:
    """Say how many bytes, in three digits or so."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@click.command("backup", short_help="Copy a server's database while it runs.")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@options.state
@options.database
@options.server_config
@options.common
def backup(file: str, config: str | None, **given: str | None) -> None:
    """Copy the database of a server of this machine to FILE, as it is at one moment, while the server runs.

    Content is not in it: copy the store after that. For PostgreSQL, use pg_dump.
    """
    from laminar.ledger import copying  # 100 ms that help texts do not need
    from laminar.server.settings import load

    size = copying.copy(load(given, config).database_url, file)
    answers.remark(
        f"{file} has {amount(size)}. Now copy the store; runs that go on are taken up where this copy is used."
    )
