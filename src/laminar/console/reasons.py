"""Why a call of a task ran, did not run, waits or failed, in sentences."""

from __future__ import annotations

import re

from laminar.console import words
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from laminar.console.records import Records, Seen
    from laminar.ledger.rows import ActionRow, AttemptRow, CacheRow

#: What the engine writes of a result that it takes over.
HIT = re.compile(r"cache: hit, made by run (\S+), action (\S+)")
GONE = re.compile(r"cache: miss, the value that run (\S+) had kept is gone")
NOT_READ = "cache: not read"
#: How many parts of the code are named in a sentence.
PARTS = 8


class Difference(Value, frozen=True):
    """What a call and an earlier result of its task do not have in common.

    Attributes:
        result: The earlier result.
        inputs: Names of the inputs that differ.
        interface: Whether names or types of the inputs or of the result differ.
        script: Whether one of both was made by a file that was run as a script, and the other by one that was imported.
        salt: Whether the words differ that the user has added.
        code: How parts of the code differ, by their names: ``changed``, ``new`` or ``gone``.
        version: Whether the code differs as a whole, and no parts of it are known.
    """

    result: CacheRow
    inputs: tuple[str, ...]
    interface: bool
    script: bool
    salt: bool
    code: Mapping[str, str]
    version: bool

    def words(self) -> Iterator[str]:
        """Say what differs."""
        if self.inputs:
            yield f"the input{'s' if len(self.inputs) > 1 else ''} {', '.join(self.inputs)}"
        if self.interface:
            yield "the names or types of its inputs or of its result"
        if self.script:
            yield "that one was made by a script, and the other by an imported module"
        if self.salt:
            yield "the salt"
        if self.version:
            yield "the version of its code"
        if self.code:
            named = [f"{name} ({how})" for name, how in self.code.items()]
            more = f" and {len(named) - PARTS} more" if len(named) > PARTS else ""
            yield f"its code: {', '.join(named[:PARTS])}{more}"

    def plain(self) -> dict[str, Any]:
        """Give what JSON says."""
        return {
            "run": self.result.run,
            "action": self.result.action,
            "made": self.result.made,
            "inputs": list(self.inputs),
            "interface": self.interface,
            "script": self.script,
            "salt": self.salt,
            "version": self.version,
            "code": dict(self.code),
        }


class Reason:
    """Why a call is in its state."""

    def __init__(self, ledger: Records, look: Seen, row: ActionRow) -> None:
        """Look at what is known of it.

        Args:
            ledger: Knows what happened.
            look: The run.
            row: The call.
        """
        self._ledger = ledger
        self._look = look
        self._row = row
        run = look.run
        self._reason = row.reason or ""
        attempts = ledger.attempts(run.space, run.run, row.name)
        self._attempts = [attempt for attempt in attempts if attempt.index == row.index]
        found = ledger.result_of(run.run, row.name)
        self._own = None if found is None else found[1]

    def _cache(self) -> str:
        """Tell what the cache has to do with it."""
        if HIT.match(self._reason):
            return "hit"
        if GONE.match(self._reason):
            return "gone"
        if self._reason.startswith(NOT_READ):
            return "not read"
        return "miss" if self._own is not None or self._reason.startswith("cache:") else "none"

    def _made(self) -> dict[str, Any] | None:
        """Tell which run has made the result that stands for it."""
        hit = HIT.match(self._reason)
        if hit is None:
            return None
        kept = self._ledger.result_of(hit[1], hit[2])
        return {"run": hit[1], "action": hit[2], "made": None if kept is None else kept[1].made}

    def _nearest(self) -> Difference | None:
        """Find the earlier result of the task that differs in the least."""
        row, own = self._row, self._own
        if own is None or self._cache() != "miss":
            return None
        before = own.made if row.started is None else row.started
        found = [self._difference(own, other) for other in self._ledger.results(row.task or "", before, own)]
        return min(found, key=_distance, default=None)

    def _difference(self, own: CacheRow, other: CacheRow) -> Difference:
        names = sorted({*own.parts, *other.parts})
        differ = {name for name in names if own.parts.get(name) != other.parts.get(name)}
        code = self._code(own, other) if "code" in differ else {}
        return Difference(
            other,
            tuple(name.removeprefix("input ") for name in names if name in differ and name.startswith("input ")),
            "interface" in differ,
            "script" in differ,
            "salt" in differ,
            code,
            "code" in differ and not code,
        )

    def _code(self, own: CacheRow, other: CacheRow) -> dict[str, str]:
        """Compare the parts of the code of two results; empty if those of one are not known."""
        task = self._row.task or ""
        now, then = (self._ledger.code(task, row.parts.get("code", "")) for row in (own, other))
        if not now or not then:
            return {}
        how = {name: "new" for name in now if name not in then}
        how.update({name: "gone" for name in then if name not in now})
        how.update({name: "changed" for name in now if name in then and now[name] != then[name]})
        return dict(sorted(how.items()))

    # For people

    def sentences(self) -> Iterator[str]:
        """Say it."""
        row = self._row
        state = row.state.value if row.state.terminal or self._look.held else "CANCELLED"
        yield f"{row.task} {row.name} of run {self._look.run.run}: {state}."
        yield from self._about_cache()
        if row.index:
            yield f"It was called again: a call of it had ended without success {_times(row.index)} before in this run."
        yield from self._about_attempts()
        if self._reason and not self._reason.startswith("cache:"):
            yield f"{'It waits' if state == 'WAITING' else 'How it ended'}: {self._reason}"

    def _about_cache(self) -> Iterator[str]:
        from laminar.model.states import State  # loaded by then, but not for help texts

        match self._cache():
            case "hit":
                made = self._made()
                assert made is not None
                when = "" if made["made"] is None else f" at {words.clock(made['made'])}"
                yield (
                    f"It did not run: its result was in the cache. Run {made['run']} made it{when}, "
                    f"as action {made['action']}: inputs, interface and code were the same."
                )
            case "gone":
                gone = GONE.match(self._reason)
                assert gone is not None
                yield f"It ran although run {gone[1]} had made its result: the value is gone from the store."
            case "not read":
                yield "It ran because the run makes its results anew, and did not look into the cache."
            case "miss":
                yield from self._about_miss()
            case _ if self._row.state is State.SUCCEEDED:
                yield "It ran because the task does not use the cache."

    def _about_miss(self) -> Iterator[str]:
        from laminar.model.states import State  # loaded by then, but not for help texts

        if self._own is None:
            yield "It ran because no earlier result of the task had the same inputs, interface and code."
            if self._row.state is State.SUCCEEDED:
                yield "A later run has made its result anew, so what it was made of is not known any more."
            return
        nearest = self._nearest()
        if nearest is None:
            yield "It ran because no earlier result of the task is kept: it is the first."
            return
        result = nearest.result
        yield "It ran because no earlier result of the task has the same inputs, interface and code."
        yield (
            f"The nearest was made by run {result.run} at {words.clock(result.made)}, as action {result.action}. "
            f"What differs: {'; '.join(nearest.words())}."
        )

    def _about_attempts(self) -> Iterator[str]:
        if len(self._attempts) < 2:
            return
        yield f"It was tried {_times(len(self._attempts))}:"
        for number, attempt in enumerate(self._attempts, 1):
            took = words.took(self._look.seconds(attempt.started, attempt.ended))
            yield f"  {number}. {words.clock(attempt.started)}{took and f', {took}'}: {_end(attempt)}"

    # For programs

    def plain(self) -> dict[str, Any]:
        """Give what JSON says."""

        nearest = self._nearest()
        return {
            "cache": self._cache(),
            "made": self._made(),
            "nearest": None if nearest is None else nearest.plain(),
            "tries": [
                {"started": attempt.started, "ended": attempt.ended, "outcome": _end(attempt)}
                for attempt in self._attempts
            ],
            "sentences": list(self.sentences()),
        }


def _distance(difference: Difference) -> tuple[bool, int, int, int]:
    """Order differences: equal inputs first, then few kinds of parts that differ, then few parts, the latest first.

    A result of the same inputs tells what has changed since; that others were made of other inputs goes without saying.
    """
    kinds = [bool(difference.inputs), difference.interface, difference.salt, bool(difference.code), difference.version]
    count = len(difference.inputs) + len(difference.code)
    return bool(difference.inputs), sum(kinds), count, -int(difference.result.made)


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def _end(attempt: AttemptRow) -> str:
    return attempt.outcome or attempt.state.value.lower()
