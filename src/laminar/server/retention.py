"""What a server keeps, and the removal of the rest, while servers run or not.

Rows of runs go first, so that what lies in the store is removed because no row names it: who is killed in between
leaves nothing that the next time does not find. Nothing is removed that was written, or relied on, since the oldest run
was asked for that still goes on.
"""

from __future__ import annotations

import base64
import os
import re
import time

from laminar.data.reachable import CONTENT, Content, Freed, collect, counted
from laminar.host import leftovers
from laminar.ledger import retention
from laminar.model.value import Value
from laminar.server.keys import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from laminar.data.contract import Found, KeptBlobs
    from laminar.ledger.database import Database
    from laminar.ledger.retention import Limits
    from laminar.server.store import Store

_BUNDLE = re.compile(r"([^/]+/[^/]+)/bundles/([0-9a-f]{32})\.tar\.gz$")
_OF_RUN = re.compile(r"([^/]+/[^/]+)/(?:logs|[^/]+/archives|[^/]+/\.cache)/([^/]+)/")
_SPACE = re.compile(r"([^/]+/[^/]+)/")
_UNPACKED = re.compile(r"[0-9a-f]{32}")


class Cleared(Value, frozen=True):
    """What was removed from a server, or would be.

    Attributes:
        runs: Runs, with all their rows.
        content: Values, and files that tasks have made.
        bundles: Bundles of code that nothing deployed needs.
        records: Archives, records and output of runs that are no more.
        unpacked: Unpacked bundles in the server's folder.
        tokens: Tokens that have long expired or were revoked.
        strangers: Spaces of the store of which the database knows nothing; they are left alone.
    """

    runs: int
    content: Freed
    bundles: Freed
    records: Freed
    unpacked: Freed
    tokens: int
    strangers: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many bytes, in the store and in the server's folder."""
        return self.content.size + self.bundles.size + self.records.size + self.unpacked.size


class _Plan(Value):
    content: list[Found]
    bundles: list[Found]
    records: list[Found]
    strangers: tuple[str, ...]


def clear(database: Database, store: Store, state: str, limits: Limits, *, dry: bool) -> Cleared:
    """Remove what is not kept any longer.

    Args:
        database: The server's database.
        store: The server's store.
        state: The server's folder.
        limits: How long things are kept.
        dry: Whether to change nothing, and only tell what would go.

    Raises:
        LedgerError: The database cannot be read or written.
        StorageError: The store cannot be read or written.
    """
    live = retention.oldest_live(database)
    before = limits.written if live is None else min(limits.written, live)
    runs = set(retention.old_runs(database, limits))
    tokens = retention.old_tokens(database, limits)
    if not dry:
        retention.remove(database, runs, limits)
        if runs:
            time.sleep(limits.settle)
    plan = _plan(database, store.blobs, before, runs if dry else ())
    act: Callable[[list[Found]], Freed] = counted if dry else lambda found: collect(store.blobs, found, before)
    cleared = Cleared(
        runs=len(runs),
        content=act(plan.content),
        bundles=act(plan.bundles),
        records=act(plan.records),
        unpacked=_unpacked(database, state, before, dry=dry),
        tokens=tokens,
        strangers=plan.strangers,
    )
    if not dry:
        for folder in sorted({blob.path.rpartition("/")[0] for blob in plan.records}, reverse=True):
            store.blobs.tidy(folder)
    return cleared


def _plan(database: Database, blobs: KeptBlobs, before: float, without: Collection[tuple[str, str]]) -> _Plan:
    """Find what nothing refers to: the store is listed first, so that whatever a run names later is younger."""
    found = list(blobs.all())
    known = retention.spaces(database)
    own = [blob for blob in found if _space(blob) in known]
    content = Content(blobs, [blob for blob in own if CONTENT.search(blob.path)])
    runs = retention.run_names(database) - set(without)
    bundles = _bundles(database)
    records: list[Found] = []
    for blob in own:
        of_run = _OF_RUN.match(blob.path)
        if of_run is None:
            continue
        space, run = of_run.groups()
        if (space, run) not in runs and (space, owner(run)) not in runs:
            records.append(blob)
        elif "/logs/" not in blob.path:
            content.search(_read(blobs, blob.path))
    for text in retention.server_texts(database, without):
        content.search_text(text)
    return _Plan(
        content=content.unnamed(before),
        bundles=[blob for blob in own if blob.changed < before and _is_unused(blob, bundles)],
        records=[blob for blob in records if blob.changed < before],
        strangers=tuple(sorted({_space(blob) for blob in found} - known - {""})),
    )


def _is_unused(blob: Found, bundles: set[tuple[str, str]]) -> bool:
    bundle = _BUNDLE.match(blob.path)
    return bundle is not None and bundle.groups() not in bundles


def _space(blob: Found) -> str:
    found = _SPACE.match(blob.path)
    return found[1] if found else ""


def _read(blobs: KeptBlobs, path: str) -> bytes:
    try:
        return blobs.read(path)
    except FileNotFoundError:  # removed since
        return b""


def _bundles(database: Database) -> set[tuple[str, str]]:
    """List the bundles that something deployed needs: space and MD5 in hexadecimal."""
    return {(space, base64.b64decode(bundle).hex()) for space, bundle in retention.bundles(database)}


def _unpacked(database: Database, state: str, before: float, *, dry: bool) -> Freed:
    """Remove the code of bundles that agents have unpacked and nothing deployed needs."""
    folder = os.path.join(state, "agents", "bundles")
    needed = {bundle for _, bundle in _bundles(database)}
    freed = Freed()
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        place = os.path.join(folder, name)
        if _UNPACKED.fullmatch(name) and name not in needed and os.stat(place).st_mtime < before:
            freed += Freed(1, _size(place))
            if not dry:
                leftovers.remove(place)
    return freed


def _size(folder: str) -> int:
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(path).st_size for path in files)
