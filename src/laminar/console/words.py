"""How things are said, the same in a terminal and in plain lines."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from laminar.engine.contract import Failed, Reuse, Summary

#: Control characters, without tab, are shown as what they are not: a space.
CONTROLS = dict.fromkeys([*range(9), *range(10, 32), 127], " ")


def clean(text: str) -> str:
    """Take out the control characters, so that what user code prints cannot steer the terminal."""
    return text.translate(CONTROLS)


def duration(seconds: float) -> str:
    """Say a duration: ``12 ms``, ``3.4 s``, ``2 min 5 s``, ``1 h 2 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def prefix(layer: str, index: int, splits: int) -> str:
    """Name a split in front of a line that it has printed."""
    return f"{layer}[{index}]" if splits > 1 else layer


def reuse(plan: Sequence[Reuse]) -> list[str]:
    """Say what a resumed run keeps and what it runs."""
    kept = [item.layer for item in plan if item.kept and not item.reason]
    lines = [f"keeps: {', '.join(kept)}"] if kept else []
    for item in plan:
        if item.reason and item.kept:
            total = f" of {item.splits}" if item.splits is not None else ""
            lines.append(f"keeps {item.kept}{total} splits of {item.layer}; runs the others: {item.reason}")
    run = [item.layer for item in plan if item.reason and not item.kept]
    if run:
        lines.append(f"runs: {', '.join(run)} (not finished before)")
    return lines or ["keeps everything: nothing is left to run"]


def failure(failed: Failed) -> list[str]:
    """Say what failed, and how."""
    attempts = f" after {failed.attempts} attempts" if failed.attempts > 1 else ""
    head = f"failed: {failed.where()}{attempts}, {failed.reason}" if failed.layer else f"failed: {failed.reason}"
    name = type(failed.error).__name__
    lines = [head, *f"{name}: {failed.error}".splitlines()]
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def summary(ended: Summary) -> str:
    """Say how a run ended, in one line."""
    counts: dict[str, int] = {}
    for _, state, _ in ended.layers:
        counts[state] = counts.get(state, 0) + 1
    layers = ", ".join(f"{count} {state.lower()}" for state, count in counts.items())
    return f"{ended.space} {ended.run} {ended.state.value} in {duration(ended.seconds)} (layers: {layers})"
