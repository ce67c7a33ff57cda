"""Chooses what people see."""

from __future__ import annotations

import os
import sys

from laminar.console import words
from laminar.console.plain import Plain
from laminar.console.streams import Above, underlying
from laminar.engine.contract import Observer


def observer(*, quiet: bool) -> Observer:
    """Choose an observer: none if quiet, a progress display in a terminal, plain lines elsewhere.

    A terminal has room for one display: a second run of the same process writes plain lines, above the first one's.

    Args:
        quiet: Whether to print nothing; ``LAMINAR_QUIET=1`` says so too.

    Returns:
        The observer.
    """
    if quiet or words.silenced():
        return Observer()
    stream = underlying(sys.stderr)
    if stream is None or isinstance(stream, Above) or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return Plain()
    try:
        from laminar.console.progress import Progress  # 40 ms of rich: only where there is a terminal
    except ModuleNotFoundError:
        return Plain()
    return Progress()
