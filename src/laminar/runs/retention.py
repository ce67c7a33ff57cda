"""What a folder of local runs keeps, and the removal of the rest, while runs go on in it or not.

A run is taken before it is removed, as a scheduler that resumes it would, so nobody goes on with it meanwhile. Only
runs that the ledger knows are removed. What nothing refers to any more goes after that.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import closing

from laminar.data.journal import SPACE
from laminar.data.local import LocalBlobs
from laminar.data.reachable import CONTENT, Content, Freed, collect, counted
from laminar.errors import RunHeldError
from laminar.host import processes
from laminar.ledger import retention
from laminar.ledger.sql import Ledger
from laminar.model.value import Value
from laminar.runs.local import LEDGER, LOGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from laminar.data.contract import Found
    from laminar.ledger.retention import Limits
    from laminar.ledger.rows import RunRow

    Where = tuple[str, str]

_RECORD = re.compile(r"[^/]+/(?:archives|\.cache)/([^/]+)/")
#: A limit that is none.
ALL = 2**62


class Cleared(Value, frozen=True):
    """What was removed from a folder of local runs, or would be.

    Attributes:
        runs: Runs, with all their rows.
        content: Values, and files that tasks have made.
        records: Journals, archives, records and output of the runs.
    """

    runs: int
    content: Freed
    records: Freed

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.content.size + self.records.size


def clear(root: str, limits: Limits, *, dry: bool) -> Cleared:
    """Remove what is not kept any longer.

    Args:
        root: The folder of the runs.
        limits: How long things are kept.
        dry: Whether to change nothing, and only tell what would go.

    Raises:
        LedgerError: There is no ledger, or it cannot be read or written.
    """
    blobs = LocalBlobs(root)
    with closing(Ledger(os.path.join(blobs.root, LEDGER), create=False)) as ledger:
        rows, now = ledger.runs(ALL), time.time()
        old = _old(rows, limits, now)
        before = min([limits.written, *(row.started for row in rows if row.held(now))])
        kept = {row.run for row in rows} - {row.run for row in old}
        records = Freed()
        for row in old:
            records += _records(blobs.root, row, shared=row.run in kept)
            if not dry:
                _remove(ledger, blobs.root, row, shared=row.run in kept)
        if old and not dry:
            time.sleep(limits.settle)
        found = _unnamed(ledger, blobs, before, {(row.space, row.run) for row in old} if dry else set())
        return Cleared(len(old), counted(found) if dry else collect(blobs, found, before), records)


def _old(rows: list[RunRow], limits: Limits, now: float) -> list[RunRow]:
    """List the runs that are not kept: old, none of the newest of their kind, and no part of one that is kept."""
    places: dict[str, int] = {}
    old, kept = [], set()
    for row in rows:  # the newest first
        places[row.space] = places.get(row.space, 0) + 1
        is_old = (row.ended or row.started) < limits.before
        if is_old and places[row.space] > limits.newest and not row.held(now):
            old.append(row)
        else:
            kept.add(row.run)
    return [row for row in old if kept.isdisjoint(_roots(row.run))]


def _roots(run: str) -> Iterator[str]:
    """Name a run, and those that may have called it: it bears their id and one of its own."""
    parts = run.split("-")
    return ("-".join(parts[:count]) for count in range(1, len(parts) + 1))


def _places(root: str, row: RunRow, shared: bool) -> list[str]:
    """Name what lies in the folder of a run; its journal only if no other run has the same id."""
    below = [f"{LOGS}/{row.space}/{row.run}", f"{row.space}/archives/{row.run}", f"{row.space}/.cache/{row.run}"]
    return [f"{root}/{path}" for path in (*below, *([] if shared else [f"{SPACE}/runs/{row.run}.jsonl"]))]


def _records(root: str, row: RunRow, *, shared: bool) -> Freed:
    freed = Freed()
    for place in _places(root, row, shared):
        files = [place] if os.path.isfile(place) else []
        files += [os.path.join(at, name) for at, _, names in os.walk(place) for name in names]
        freed += Freed(len(files), sum(os.lstat(path).st_size for path in files))
    return freed


def _remove(ledger: Ledger, root: str, row: RunRow, *, shared: bool) -> None:
    """Take a run, and remove it; one that somebody else has just taken stays."""
    try:
        epoch = ledger.claim(row.space, row.run, processes.identity(), None, resume=True)
    except RunHeldError:
        return
    for place in _places(root, row, shared):
        if os.path.isfile(place):
            os.unlink(place)
        else:
            shutil.rmtree(place, ignore_errors=True)
    retention.remove_local(ledger.database, (row.space, row.run), epoch)


def _unnamed(ledger: Ledger, blobs: LocalBlobs, before: float, without: Collection[Where]) -> list[Found]:
    """Find content that nothing refers to; it is listed first, so that whatever a run names later is younger."""
    spaces = [name for name in blobs.names("") if blobs.names(f"{name}/artifacts")]
    listed = [blob for name in spaces for blob in blobs.all(f"{name}/artifacts")]
    content = Content(blobs, [blob for blob in listed if CONTENT.search(blob.path)])
    gone = {run for _, run in without}
    for space in blobs.names(""):
        for part in ("archives", ".cache"):
            for blob in blobs.all(f"{space}/{part}"):
                record = _RECORD.match(blob.path)
                if record is None or (space, record[1]) not in without:
                    content.search(_read(blobs, blob.path))
    for blob in blobs.all(f"{SPACE}/runs"):
        if os.path.basename(blob.path).removesuffix(".jsonl") not in gone:
            for line in blobs.lines(blob.path):
                content.search_text(line.decode("utf-8", "replace"))
    for text in retention.result_texts(ledger.database, without, scoped=False):
        content.search_text(text)
    return content.unnamed(before)


def _read(blobs: LocalBlobs, path: str) -> bytes:
    try:
        return blobs.read(path)
    except FileNotFoundError:  # removed since
        return b""
