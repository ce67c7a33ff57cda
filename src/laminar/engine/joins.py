"""The artifacts of a layer, collected over its splits in little memory."""

from __future__ import annotations

from laminar.model.action import Output, Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Joins:
    """What the splits of a layer have made so far."""

    def __init__(self, splits: int) -> None:
        """Start with nothing from any split."""
        self._splits = splits
        self._outputs: dict[str, list[Output | None]] = {}

    def add(self, index: int, outputs: Mapping[str, Output]) -> None:
        """Take what a split has made."""
        for name, output in outputs.items():
            column = self._outputs.get(name)
            if column is None:
                column = self._outputs[name] = [None] * self._splits
            column[index] = output

    def joined(self) -> dict[str, list[Ref | None]]:
        """Join each artifact over all splits: sharded ones in a row, None where a split has not assigned it."""
        return {
            name: [ref for output in column for ref in ((None,) if output is None else output.refs)]
            for name, column in self._outputs.items()
        }
