"""The grid of a foreach: which elements each split is given."""

from __future__ import annotations

import hashlib

from laminar.errors import ExecutionError, nearest
from laminar.model.action import Output, Ref
from laminar.model.ids import ActionKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.flows.configurations import Parameter
    from laminar.flows.layer import ExecutionContract


class Grid:
    """All combinations of the elements that a foreach iterates over; the last parameter varies fastest.

    Attributes:
        splits: How many combinations there are; 1 without parameters.
    """

    def __init__(self, axes: list[tuple[str, str, tuple[Ref, ...]]]) -> None:
        """Take the axes.

        Args:
            axes: Layer, artifact and elements of each parameter; an artifact that is not sharded is one element.
        """
        self._axes = axes
        self.splits = 1
        for _, _, refs in axes:
            self.splits *= len(refs)

    def picks(self, index: int) -> dict[str, dict[str, Ref]]:
        """Give the elements of a split: layer to artifact to element."""
        picks: dict[str, dict[str, Ref]] = {}
        for layer, attribute, refs in reversed(self._axes):
            index, position = divmod(index, len(refs))
            picks.setdefault(layer, {})[attribute] = refs[position]
        return picks

    def fingerprint(self, index: int) -> str:
        """Give a fingerprint of the elements of a split; empty without parameters."""
        picks = self.picks(index)
        if not picks:
            return ""
        parts = [f"{layer}.{name}={ref.hexdigest}" for layer, names in picks.items() for name, ref in names.items()]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def grid_of(execution: ExecutionContract, layer: str, parameters: tuple[Parameter, ...]) -> Grid:
    """Make the grid of a layer whose needs are settled.

    Raises:
        ExecutionError: An artifact to iterate over does not exist.
    """
    return Grid(
        [
            (parameter.layer.__name__, parameter.attribute, _elements(execution, layer, parameter))
            for parameter in parameters
        ]
    )


def _elements(execution: ExecutionContract, layer: str, parameter: Parameter) -> tuple[Ref, ...]:
    archives = execution.flow.configuration.datastore.archives
    space, run = execution.flow.name, execution.known_id
    source = parameter.layer.__name__
    fans_out = bool(execution.flow.registry[source].configuration.foreach.parameters)
    record = archives.layer(space, run, source)
    if fans_out and record is not None and record.splits == 0:
        return ()
    if parameter.index is None and fans_out:
        refs = archives.joined(space, run, source, parameter.attribute)
        if refs is not None and None in refs:
            missing = [index for index, ref in enumerate(refs) if ref is None]
            raise ExecutionError(
                f"ForEach of layer {layer}: {source}.{parameter.attribute} was not assigned by split {missing[0]}"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}. Assign it in every split."
            )
        output = None if refs is None else Output(tuple(ref for ref in refs if ref is not None), sharded=True)
    else:
        output = archives.output(ActionKey(space, run, source, parameter.index or 0), parameter.attribute)
    if output is None:
        known = archives.outputs(space, run, source)
        raise ExecutionError(
            f"ForEach of layer {layer}: {source} has no artifact {parameter.attribute!r}."
            f"{nearest(parameter.attribute, known)}"
        )
    return output.refs
