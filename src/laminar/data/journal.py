"""The journal of a run: what its task calls have returned or raised, a line each.

``.tasks/runs/<run>.jsonl`` under the root of a datastore. A line is the commit of an action: one with a line for its
success never runs again in that run. Lines that are made together are appended together. The values lie in the lines
themselves where they are small, else at ``.tasks/artifacts/<sha256>.gz``.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import b2a_base64
from json.encoder import encode_basestring_ascii as _quoted

from laminar.model.action import Failure, Output, Ref
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.data.contract import Blobs

#: Where the values of all task runs lie.
SPACE = ".tasks"
#: How a line begins that is about the run as a whole.
NOTE = b'{"run": '


class Entry(Value, hot=True):
    """An action that has ended.

    Attributes:
        id: Its name.
        task: Full name of the task, or name of the helper that is a checkpoint.
        parent: Name of the action that called it; empty for the first of a run.
        output: What it returned.
        failure: What it raised.
        attempt: Which try was the last.
        started: When that started, in seconds since the epoch.
        ended: When it ended.
        inputs: The arguments, where they are small.
    """

    id: str
    task: str
    parent: str
    output: Output | None
    failure: Failure | None
    attempt: int
    started: float
    ended: float
    inputs: bytes | None = None


class Journal:
    """The journal of one run."""

    def __init__(self, blobs: Blobs, run: str) -> None:
        """Remember where it lies."""
        self.blobs = blobs
        self.path = f"{SPACE}/runs/{run}.jsonl"
        self._lines: list[str] = []

    def add(self, entry: Entry) -> None:
        """Take up an entry; it counts from the next :meth:`flush` on."""
        if entry.failure is None and entry.output is not None and len(entry.output.refs) == 1:
            self._lines.append(_line(entry, entry.output.refs[0]))
            return
        plain: dict[str, Any] = {"id": entry.id, "task": entry.task, "parent": entry.parent}
        if entry.output is not None:
            plain["output"] = _from_output(entry.output)
        if entry.failure is not None:
            plain["failure"] = _from_failure(entry.failure)
        plain["attempt"] = entry.attempt
        plain["started"] = round(entry.started, 6)
        plain["ended"] = round(entry.ended, 6)
        if entry.inputs is not None:
            plain["inputs"] = _text(entry.inputs)
        self._lines.append(json.dumps(plain))

    def forget(self, id: str) -> None:  # noqa: A002
        """Take back that an action has ended."""
        self._lines.append(json.dumps({"forget": id}))

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
                    found = _to_entry(json.loads(line))
                except ValueError:
                    continue
            elif line.startswith(forgotten):
                found = None
        return found

    def read(self) -> tuple[dict[str, Any], dict[str, Entry]]:
        """Read what is noted about the run, and the actions that have ended. A line that is torn does not count.

        A failure counts until its parent itself has failed: whoever tries the parent again tries its children again.
        """
        run: dict[str, Any] = {}
        entries: dict[str, Entry] = {}
        failed = Failed()
        for line in self.blobs.lines(self.path):
            try:
                plain = json.loads(line)
            except ValueError:
                continue
            if "run" in plain:
                run.update(plain["run"])
            elif "forget" in plain:
                entries.pop(plain["forget"], None)
            else:
                entry = _to_entry(plain)
                failed.forget(entry.id)
                entries[entry.id] = entry
                if entry.failure is not None:
                    for id_ in failed.forget_below(entry.id):
                        entries.pop(id_, None)
                    failed.add(entry)
        return run, entries


class Failed:
    """Actions that have failed, also by the action that called them: a run may have a hundred thousand."""

    def __init__(self) -> None:
        """Start with none."""
        self._entries: dict[str, Entry] = {}
        self._below: dict[str, set[str]] = {}

    def add(self, entry: Entry) -> None:
        """Take up a failure."""
        self._entries[entry.id] = entry
        self._below.setdefault(entry.parent, set()).add(entry.id)

    def get(self, id: str) -> Entry | None:  # noqa: A002
        """Find a failure."""
        return self._entries.get(id)

    def forget(self, id: str) -> None:  # noqa: A002
        """Forget a failure, if there is one."""
        entry = self._entries.pop(id, None)
        if entry is not None:
            self._below[entry.parent].discard(id)

    def forget_below(self, parent: str) -> set[str]:
        """Forget the failures of the children of an action, which will be tried again with it; gives their names."""
        below = self._below.pop(parent, set())
        for id_ in below:
            del self._entries[id_]
        return below


def runs(blobs: Blobs) -> list[str]:
    """List the runs that have a journal, oldest first by their ids."""
    return sorted(name.removesuffix(".jsonl") for name in blobs.names(f"{SPACE}/runs") if name.endswith(".jsonl"))


def _line(entry: Entry, ref: Ref) -> str:
    """Write the entry of a success, at a third of the time that the encoder takes: names are checked elsewhere."""
    data = "null" if ref.data is None else f'"{_text(ref.data)}"'
    inputs = "" if entry.inputs is None else f', "inputs": "{_text(entry.inputs)}"'
    return (
        f'{{"id": "{entry.id}", "task": {_quoted(entry.task)}, "parent": "{entry.parent}", '
        f'"output": [[{_quoted(ref.dtype)}, "{ref.hexdigest}", {data}]], "attempt": {entry.attempt}, '
        f'"started": {entry.started:.6f}, "ended": {entry.ended:.6f}{inputs}}}'
    )


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _from_output(output: Output) -> list[Any]:
    return [[ref.dtype, ref.hexdigest, None if ref.data is None else _text(ref.data)] for ref in output.refs]


def to_output(plain: list[Any]) -> Output:
    """Make an output from its JSON form."""
    return Output(tuple(Ref(dtype, digest, None if data is None else b64decode(data)) for dtype, digest, data in plain))


def _from_failure(failure: Failure) -> dict[str, Any]:
    pickled = None if failure.pickled is None else _text(failure.pickled)
    return {**vars(failure), "pickled": pickled}


def _to_entry(plain: dict[str, Any]) -> Entry:
    failure = plain.get("failure")
    if failure is not None:
        pickled = failure["pickled"]
        failure = Failure(**{**failure, "pickled": None if pickled is None else b64decode(pickled)})
    output = plain.get("output")
    inputs = plain.get("inputs")
    return Entry(
        id=plain["id"],
        task=plain["task"],
        parent=plain["parent"],
        output=None if output is None else to_output(output),
        failure=failure,
        attempt=plain["attempt"],
        started=plain["started"],
        ended=plain["ended"],
        inputs=None if inputs is None else b64decode(inputs),
    )
