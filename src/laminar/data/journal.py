"""The journal of a run: what its task calls have returned or raised, a line each.

``.tasks/runs/<run>.jsonl`` under the root of a datastore. A line is the commit of an action: one with a line for its
success never runs again in that run. Lines that are made together are appended together. The values lie in the lines
themselves where they are small, else at ``.tasks/artifacts/<sha256>.gz``.
"""

from __future__ import annotations

import json

from laminar.model.entries import Ends, entry_of, forgetting, line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.data.contract import Blobs
    from laminar.model.entries import Entry

#: Where the values of all task runs lie.
SPACE = ".tasks"
#: How a line begins that is about the run as a whole.
NOTE = b'{"run": '


class Journal:
    """The journal of one run."""

    def __init__(self, blobs: Blobs, run: str) -> None:
        """Remember where it lies."""
        self.blobs = blobs
        self.path = f"{SPACE}/runs/{run}.jsonl"
        self._lines: list[str] = []

    def add(self, entry: Entry) -> None:
        """Take up an entry; it counts from the next :meth:`flush` on."""
        self._lines.append(line_of(entry))

    def forget(self, id: str) -> None:  # noqa: A002
        """Take back that an action has ended."""
        self._lines.append(forgetting(id))

    def note(self, plain: Mapping[str, Any]) -> None:
        """Take up something about the run as a whole, which replaces what was noted under the same names before."""
        self._lines.append(json.dumps({"run": dict(plain)}))

    def flush(self) -> bool:
        """Write what was taken up, in one piece; tells whether there was anything.

        Raises:
            StorageError: It cannot be written.
        """
        if not self._lines:
            return False
        lines, self._lines = self._lines, []
        self.blobs.append(self.path, "\n".join(lines).encode())
        return True

    def noted(self) -> dict[str, Any]:
        """Read what is noted about the run as a whole; actions are passed over."""
        run: dict[str, Any] = {}
        for line in self.blobs.lines(self.path):
            if line.startswith(NOTE):
                try:
                    run.update(json.loads(line)["run"])
                except ValueError:
                    continue
        return run

    def first(self, id: str) -> Entry | None:  # noqa: A002
        """Read how an action that no other has called has ended; all others are passed over."""
        ended, forgotten = f'{{"id": "{id}", '.encode(), f'{{"forget": "{id}"}}'.encode()
        found: Entry | None = None
        for line in self.blobs.lines(self.path):
            if line.startswith(ended):
                try:
                    found = entry_of(json.loads(line))
                except ValueError:
                    continue
            elif line.startswith(forgotten):
                found = None
        return found

    def read(self) -> tuple[dict[str, Any], dict[str, Entry]]:
        """Read what is noted about the run, and the actions that have ended. A line that is torn does not count."""
        ends = Ends()
        for line in self.blobs.lines(self.path):
            ends.take(line)
        return ends.notes, ends.entries


def runs(blobs: Blobs) -> list[str]:
    """List the runs that have a journal, oldest first by their ids."""
    return sorted(name.removesuffix(".jsonl") for name in blobs.names(f"{SPACE}/runs") if name.endswith(".jsonl"))
