"""How things are said, the same in a terminal and in plain lines."""

from __future__ import annotations

import os
import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from laminar.engine.contract import Failed, Reuse, Summary

#: Sequences that steer a terminal (ECMA-48): CSI, strings such as OSC up to their end, and the short ones.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
#: Control characters of both sets, without tab, are shown as what they are not: a space.
CONTROLS = dict.fromkeys([*range(9), *range(10, 32), *range(127, 160)], " ")
QUIET = "LAMINAR_QUIET"


def silenced() -> bool:
    """Tell whether the environment asks for no remarks."""
    return os.environ.get(QUIET, "") not in ("", "0")


def clean(text: str) -> str:
    """Take out what could steer the terminal, so that what user code prints is only text."""
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    return text.translate(CONTROLS)


def clock(moment: float | None) -> str:
    """Say when something was."""
    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def took(seconds: float | None) -> str:
    """Say how long something took; nothing, where that is not known."""
    return "" if seconds is None else duration(seconds)


def duration(seconds: float) -> str:
    """Say a duration: ``12 ms``, ``3.4 s``, ``2 min 5 s``, ``1 h 2 min``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def prefix(layer: str, index: int, splits: int) -> str:
    """Name a split in front of a line that it has printed."""
    return f"{layer}[{index}]" if splits > 1 else layer


def start(space: str, run: str, layers: int, *, resumed: bool) -> str:
    """Say that a run starts; one of a task has no layers."""
    count = f" ({layers} layer{'s' if layers != 1 else ''})" if layers else ""
    return f"{space} {run} {'resumes' if resumed else 'starts'}{count}"


def retry(layer: str, index: int, delay: float, reason: str) -> str:
    """Say that a split is tried again, or a call of a task."""
    return f"{layer if '.' in layer else f'{layer}[{index}]'}: again in {duration(delay)} ({reason})"


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
    head = f"failed: {failed.where}{attempts}, {failed.reason}" if failed.layer else f"failed: {failed.reason}"
    name = type(failed.error).__name__
    lines = [head, *f"{name}: {failed.error}".splitlines()]
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def summary(ended: Summary) -> str:
    """Say how a run ended, in one line."""
    whole = f"{ended.space} {ended.run} {ended.state.value} in {duration(ended.seconds)}"
    if [layer for layer, _, _ in ended.layers] == [ended.space]:
        return whole  # a task has no layers
    counts: dict[str, int] = {}
    for _, state, _ in ended.layers:
        counts[state] = counts.get(state, 0) + 1
    layers = ", ".join(f"{count} {state.lower()}" for state, count in counts.items())
    return f"{whole} (layers: {layers})"


def ending(ended: Summary) -> list[str]:
    """Say what failed, how the run ended, where its results lie, and how it is resumed."""
    lines = [line for failed in ended.failures for line in failure(failed)]
    lines += [summary(ended), f"results: {ended.where}"]
    if ended.resume is not None:
        lines.append(f"resume with: {ended.resume}")
    return lines
