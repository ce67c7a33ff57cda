"""Chooses what people see."""

from __future__ import annotations

import os
import sys

from laminar.console.plain import Plain
from laminar.engine.contract import Observer


def observer(*, quiet: bool, state_folder: str | None) -> Observer:
    """Choose an observer: none if quiet, a progress display in a terminal, plain lines elsewhere.

    Args:
        quiet: Whether to print nothing; ``LAMINAR_QUIET=1`` says so too.
        state_folder: Folder of the ledger, to tell how to look at the run later.

    Returns:
        The observer.
    """
    if quiet or os.environ.get("LAMINAR_QUIET", "") not in ("", "0"):
        return Observer()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        try:
            from laminar.console.progress import Progress  # 40 ms of rich: only where there is a terminal
        except ModuleNotFoundError:
            return Plain(state_folder)
        return Progress(state_folder)
    return Plain(state_folder)
