"""Answers on standard output, as tables or JSON; remarks on standard error."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys

import click

from laminar.cli import options
from laminar.console import tables, words
from laminar.console.words import clock, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["aside", "as_json", "clock", "complain", "line", "remark", "table", "took"]


def aside(output: str) -> contextlib.AbstractContextManager[object]:
    """Send what user code prints to standard error, where the answer on standard output is JSON."""
    return contextlib.redirect_stdout(sys.stderr) if output == options.JSON else contextlib.nullcontext()


def remark(text: str) -> None:
    """Say something that is no answer, unless it should be quiet."""
    if not words.silenced():
        complain(text)


def complain(text: str) -> None:
    """Say what is wrong; text of several lines may hold a traceback."""
    first, *rest = text.splitlines() or [""]
    for line in (f"laminar: {first}", *rest):
        click.echo(words.clean(line), err=True)


def as_json(plain: Any) -> None:
    """Answer in JSON."""
    click.echo(json.dumps(plain, indent=2))


def line(text: str) -> None:
    """Answer a line."""
    click.echo(words.clean(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Answer a table; in a terminal the last column is cut where the line ends."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for text in tables.laid_out(headers, rows):
        click.echo(text if room is None or len(text) <= room else f"{text[: room - 1]}…")
