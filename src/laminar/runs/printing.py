"""Lines out of the pieces that attempts have printed."""

from __future__ import annotations

import codecs

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.wire.runs import OutputPiece

    Key = tuple[str, int, int, int]


class Line(Value, frozen=True):
    """A line that an attempt has printed.

    Attributes:
        action: Name of the action.
        index: Which action of that name.
        task: What it is a call of.
        number: Which try.
        text: The line, without its end.
    """

    action: str
    index: int
    task: str
    number: int
    text: str

    def __str__(self) -> str:
        """Say it with what has printed it in front, and which try that was if not the first."""
        again = f"#{self.number}" if self.number > 1 else ""
        return f"{self.task}{again} | {self.text}"


class Lines:
    """Puts pieces together to whole lines, each attempt for itself."""

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: dict[Key, tuple[codecs.IncrementalDecoder, OutputPiece, str]] = {}

    def take(self, piece: OutputPiece) -> Iterator[Line]:
        """Give the lines that a piece completes."""
        key = (piece.action, piece.index, piece.number, piece.epoch)
        decoder, _, before = self._parts.get(key) or (_decoder(), piece, "")
        *lines, rest = (before + decoder.decode(piece.data)).split("\n")
        self._parts[key] = (decoder, piece, rest)
        return (_line(piece, line) for line in lines)

    def rest(self) -> Iterator[Line]:
        """Give the last lines, which have no end."""
        parts, self._parts = self._parts, {}
        for decoder, piece, rest in parts.values():
            rest += decoder.decode(b"", final=True)
            if rest:
                yield _line(piece, rest)


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def _line(piece: OutputPiece, text: str) -> Line:
    """Make a line; what was written over, as progress bars do, is not seen."""
    seen = text.rstrip("\r").rpartition("\r")[2]
    return Line(piece.action, piece.index, piece.task, piece.number, seen)
