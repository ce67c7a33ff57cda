"""Tables in plain text."""

from __future__ import annotations

from laminar.console import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "


def laid_out(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Give the lines of a table; what could steer a terminal is taken out of its cells."""
    cells = [list(headers), *([words.clean(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    return [GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
