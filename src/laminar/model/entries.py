"""How the end of an action is written down: a line of JSON, in a journal that is a file or a table."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import b2a_base64
from json.encoder import encode_basestring_ascii as _quoted

from laminar.model.action import Failure, Output, Ref
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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


def line_of(entry: Entry) -> str:
    """Write an entry as a line of JSON."""
    if entry.failure is None and entry.output is not None and len(entry.output.refs) == 1:
        return _short(entry, entry.output.refs[0])
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
    return json.dumps(plain)


def forgetting(id: str) -> str:  # noqa: A002
    """Write that it is taken back that an action has ended."""
    return json.dumps({"forget": id})


class Ends:
    """What the lines of a journal come to, one after another.

    Attributes:
        notes: What is noted about the run as a whole.
        entries: The actions that have ended, by name.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.notes: dict[str, Any] = {}
        self.entries: dict[str, Entry] = {}
        self._failed = Failed()

    def take(self, line: bytes | str) -> None:
        """Take up a line; one that is torn does not count.

        A failure counts until its parent itself has failed: whoever tries the parent again tries its children again.
        """
        try:
            plain = json.loads(line)
        except ValueError:
            return
        if "run" in plain:
            self.notes.update(plain["run"])
        elif "forget" in plain:
            self.entries.pop(plain["forget"], None)
        else:
            self._add(entry_of(plain))

    def _add(self, entry: Entry) -> None:
        self._failed.forget(entry.id)
        self.entries[entry.id] = entry
        if entry.failure is not None:
            for id_ in self._failed.forget_below(entry.id):
                self.entries.pop(id_, None)
            self._failed.add(entry)


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


def _short(entry: Entry, ref: Ref) -> str:
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


def _to_output(plain: list[Any]) -> Output:
    """Make an output from its JSON form."""
    return Output(tuple(Ref(dtype, digest, None if data is None else b64decode(data)) for dtype, digest, data in plain))


def _from_failure(failure: Failure) -> dict[str, Any]:
    pickled = None if failure.pickled is None else _text(failure.pickled)
    return {**vars(failure), "pickled": pickled}


def entry_of(plain: dict[str, Any]) -> Entry:
    """Make an entry of its JSON form."""
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
        output=None if output is None else _to_output(output),
        failure=failure,
        attempt=plain["attempt"],
        started=plain["started"],
        ended=plain["ended"],
        inputs=None if inputs is None else b64decode(inputs),
    )
