"""The calls of a task's run: counted by task, as a tree, or each for itself."""

from __future__ import annotations

from collections import Counter

from laminar.cli import answers
from laminar.errors import FlowError, nearest
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from laminar.console.records import Records, Seen
    from laminar.ledger.rows import ActionRow, RunRow

#: Calls of one task side by side that a tree shows each for itself.
SIDE_BY_SIDE = 5
#: Sentences about one task: the most common ones.
SENTENCES = 3
#: Characters of an action's name that are shown where it only tells one from the other.
SHORT = 6


def is_cached(row: ActionRow) -> bool:
    """Tell whether a call was answered from the cache."""
    return row.reason is not None and row.reason.startswith("cache: hit")


def full_name(ledger: Records, run: RunRow, task: str) -> str:
    """Complete the name of a task of a run, which may be that of its function alone.

    Raises:
        FlowError: The run has called no such task.
    """
    known = [row.task for row in ledger.tasks(run.space, run.run)]
    found = [name for name in known if task in (name, name.rpartition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise FlowError(f"{task!r} is short for {' and '.join(found)}. Give the full name.")
    names = known if "." in task else [name.rpartition(".")[2] for name in known]
    raise FlowError(f"Run {run.run} has called no task {task!r}.{nearest(task, names)}")


def find(ledger: Records, run: RunRow, which: str) -> list[ActionRow]:
    """Find calls by an action's name, an unambiguous beginning of it, or by a task.

    Raises:
        FlowError: There are none, or several actions begin so.
    """
    rows = [row for row in ledger.actions_of(run.space, run.run, which) if row.task is not None and row.task != which]
    names = {row.name for row in rows}
    if which in names:
        return [row for row in rows if row.name == which]
    try:
        task = full_name(ledger, run, which)
    except FlowError as error:
        if len(names) == 1:
            return rows
        if names:
            shown = ", ".join(sorted(names)[:10])
            raise FlowError(f"More than one action of run {run.run} begins as {which!r}: {shown}.") from None
        raise FlowError(f"{error} No action of it begins so either: laminar get run {run.run} --actions") from None
    return ledger.calls(run.space, run.run, task=task)


# By task


def plain_tasks(look: Seen, ledger: Records) -> list[dict[str, Any]]:
    """Count the calls of each task."""
    run = look.run
    reasons = _reasons(look, ledger)
    return [
        {
            "task": row.task,
            "calls": row.count,
            "done": row.done,
            "cached": row.cached,
            "running": row.running if look.held else 0,
            "failed": row.failed,
            "cancelled": row.cancelled + (0 if look.held else row.running),
            "started": row.started,
            "ended": None if row.running and look.held else row.ended,
            "seconds": look.seconds(row.started, None if row.running and look.held else row.ended),
            "reasons": reasons.get(row.task, []),
        }
        for row in ledger.tasks(run.space, run.run)
    ]


def _reasons(look: Seen, ledger: Records) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for state in (State.WAITING, State.FAILED) if look.held else (State.FAILED,):
        for row in ledger.call_reasons(look.run.space, look.run.run, state):
            plain = {"state": state.value, "count": row.count, "first": row.first, "reason": row.reason}
            found.setdefault(row.task, []).append(plain)
    return found


def show_tasks(look: Seen, ledger: Records) -> None:
    """Answer with a line for each task."""
    columns = ("calls", "done", "cached", "running", "failed", "cancelled")
    rows = []
    for task in plain_tasks(look, ledger):
        counts = [str(task[name] or "") for name in columns]
        first, *more = _sentences(task["reasons"])
        rows.append([task["task"], *counts, answers.took(task["seconds"]), first])
        rows += [[*[""] * (len(columns) + 2), sentence] for sentence in more]
    answers.table(["TASK", *(name.upper() for name in columns), "TOOK", "WHY"], rows)


def _sentences(reasons: Sequence[dict[str, Any]]) -> list[str]:
    """Say why calls of a task wait or failed."""
    said = []
    for why in reasons[:SENTENCES]:
        which = f"{why['count']} calls, such as {why['first']}" if why["count"] > 1 else why["first"]
        said.append(f"[{which}] {why['reason']}")
    if len(reasons) > SENTENCES:
        said.append(f"and {len(reasons) - SENTENCES} other reasons: --actions --status failed lists all")
    return said or [""]


# Each for itself


class Wanted(Value, frozen=True):
    """Which calls are asked for.

    Attributes:
        task: Of which task; None for all.
        state: In which state; None for all.
        limit: How many.
        offset: How many are passed over.
    """

    task: str | None = None
    state: State | None = None
    limit: int = -1
    offset: int = 0


def listed(look: Seen, ledger: Records, wanted: Wanted) -> list[ActionRow]:
    """List calls."""
    run = look.run
    task = None if wanted.task is None else full_name(ledger, run, wanted.task)
    return ledger.calls(run.space, run.run, wanted.limit, wanted.offset, task=task, state=wanted.state)


def plain_call(look: Seen, row: ActionRow) -> dict[str, Any]:
    """Give what JSON says of a call."""
    return {
        "action": row.name,
        "index": row.index,
        "task": row.task,
        "parent": row.parent or None,
        "group": row.label or None,
        "state": _state(look, row),
        "cached": is_cached(row),
        "attempts": row.attempts,
        "started": row.started,
        "ended": row.ended,
        "seconds": look.seconds(row.started, row.ended),
        "reason": row.reason,
    }


def _state(look: Seen, row: ActionRow) -> str:
    """Name the state of a call; in a run that nobody drives nothing waits or runs."""
    return row.state.value if row.state.terminal or look.held else State.CANCELLED.value


def show_calls(look: Seen, rows: Sequence[ActionRow], wanted: Wanted) -> None:
    """Answer with a line for each call."""
    table = [
        [
            row.name + (f"[{row.index}]" if row.index else ""),
            row.task or "",
            _state(look, row),
            str(row.attempts),
            answers.took(look.seconds(row.started, row.ended)),
            row.label or "",
            row.reason or "",
        ]
        for row in rows
    ]
    answers.table(["ACTION", "TASK", "STATE", "TRIES", "TOOK", "GROUP", "WHY"], table)
    if len(rows) == wanted.limit:
        answers.remark(f"There may be more: go on with --offset {wanted.offset + len(rows)}.")


# As a tree


class Node(Value):
    """A line of a tree.

    Attributes:
        text: What it says.
        below: The lines below it.
    """

    text: str
    below: list[Node]


def _drawn(nodes: Sequence[Node], indent: str) -> Iterator[str]:
    """Draw lines, and those below them."""
    for place, node in enumerate(nodes):
        last = place == len(nodes) - 1
        yield f"{indent}{'└─' if last else '├─'} {node.text}"
        yield from _drawn(node.below, f"{indent}{'   ' if last else '│  '}")


class Tree:
    """The calls of a run below those that have called them."""

    def __init__(self, look: Seen, rows: Iterable[ActionRow], depth: int) -> None:
        """Arrange calls.

        Args:
            look: The run.
            rows: Its calls, the first that started first.
            depth: How many levels to show.
        """
        self._look = look
        self._depth = depth
        self._below: dict[str, list[ActionRow]] = {}
        for row in rows:
            self._below.setdefault(row.parent or "", []).append(row)

    def plain(self) -> list[dict[str, Any]]:
        """Give the calls nested, none of them folded."""
        return self._plain("", self._depth)

    def _plain(self, parent: str, depth: int) -> list[dict[str, Any]]:
        return [
            {
                **plain_call(self._look, row),
                "calls": len(self._below.get(row.name, ())),
                "below": self._plain(row.name, depth - 1) if depth > 1 else [],
            }
            for row in self._below.get(parent, ())
        ]

    def lines(self) -> Iterator[str]:
        """Draw the tree. Many calls of one task side by side are one line, and one for each of some that failed."""
        for row in self._below.get("", ()):
            yield self._say(row)
            yield from _drawn(self._nodes(row.name, self._depth - 1), "")

    def _nodes(self, parent: str, depth: int) -> list[Node]:
        """Give what stands right below a call: groups, and calls that are in none."""
        rows = self._below.get(parent, [])
        if rows and depth < 1:
            return [Node(f"… {len(rows)} call{'s' if len(rows) > 1 else ''} below: --depth shows more", [])]
        groups: dict[str, list[ActionRow]] = {}
        for row in rows:
            groups.setdefault(row.label or "", []).append(row)
        found: list[Node] = []
        for label, members in groups.items():
            nodes = self._calls(members, depth)
            found += [Node(f"group {label}", nodes)] if label else nodes
        return found

    def _calls(self, rows: Sequence[ActionRow], depth: int) -> list[Node]:
        """Give calls, those of one task together."""
        tasks: dict[str, list[ActionRow]] = {}
        for row in rows:
            tasks.setdefault(row.task or "", []).append(row)
        found = []
        for task, alike in tasks.items():
            shown = alike
            if len(alike) > SIDE_BY_SIDE:
                found.append(Node(f"{task} ×{len(alike)}: {self._counts(alike)}", []))
                shown = [row for row in alike if row.state is State.FAILED][:SIDE_BY_SIDE]
            found += [Node(self._say(row), self._nodes(row.name, depth - 1)) for row in shown]
        return found

    def _say(self, row: ActionRow) -> str:
        """Say a call in one line."""
        took = answers.took(self._look.seconds(row.started, row.ended))
        tries = f", {row.attempts} tries" if row.attempts > 1 else ""
        why = f" ({row.reason})" if row.reason else ""
        return f"{row.task} {row.name}: {_state(self._look, row)}{took and f' in {took}'}{tries}{why}"

    def _counts(self, rows: Sequence[ActionRow]) -> str:
        """Say how many calls are in which state."""
        states = Counter(_state(self._look, row) for row in rows)
        cached = sum(map(is_cached, rows))
        said = [f"{count} {state.lower()}" for state, count in states.items()]
        said += [f"{cached} from the cache"] if cached else []
        return ", ".join(said)
