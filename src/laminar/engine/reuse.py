"""What a resumed run can keep: splits that are committed, whose blobs are there, and whose inputs are the same."""

from __future__ import annotations

from laminar.engine.contract import Reuse
from laminar.model.ids import ActionKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from laminar.data.archives import Archives, LayerRecord, SplitRecord
    from laminar.data.artifacts import Artifacts
    from laminar.engine.contract import Program
    from laminar.model.action import Output, Ref


class Reuser:
    """Looks into the datastore for what an earlier holder of the run has committed."""

    def __init__(self, program: Program, archives: Archives, artifacts: Artifacts) -> None:
        """Begin with nothing looked up."""
        self._program = program
        self._archives = archives
        self._artifacts = artifacts
        self._before: dict[str, Mapping[int, Mapping[str, Output]]] = {}

    def preview(self, order: Sequence[str]) -> list[Reuse]:
        """Say for each layer, before anything runs, what will be kept and why the rest runs.

        A layer that depends on one that runs again is counted by what is committed; whether it still fits is seen once
        its inputs are known.
        """
        plan = []
        for layer in order:
            record = self._archives.layer(self._program.space, self._program.run, layer)
            if record is not None:
                lost = self._lost(layer, record)
                reason = f"{len(lost)} of its blobs are gone or damaged" if lost else ""
                plan.append(Reuse(layer, record.splits - len(lost), record.splits, reason))
                continue
            committed = self._archives.splits(self._program.space, self._program.run, layer)
            reason = "the rest of its splits did not finish" if committed else "it did not finish"
            plan.append(Reuse(layer, len(committed), None, reason))
        return plan

    def finished(self, layer: str) -> LayerRecord | None:
        """Read the record of a layer, if it is finished and all its blobs are there."""
        record = self._archives.layer(self._program.space, self._program.run, layer)
        if record is None:
            return None
        lost = self._lost(layer, record)
        if not lost:
            return record
        records = self._archives.splits(self._program.space, self._program.run, layer)
        self._before[layer] = {index: split.outputs for index, split in records.items()}
        self._archives.forget_layer(self._program.space, self._program.run, layer)
        return None

    def splits(self, layer: str, count: int) -> Mapping[int, Mapping[str, Output]]:
        """Find the splits of an unfinished layer that can be kept."""
        records = self._archives.splits(self._program.space, self._program.run, layer)
        missing = self._artifacts.missing(ref for record in records.values() for ref in _refs(record))
        kept: dict[int, Mapping[str, Output]] = {}
        for index, record in records.items():
            if index >= count:
                continue
            whole = not any(ref.hexdigest in missing for ref in _refs(record))
            if whole and record.inputs == self._program.inputs(layer, index):
                kept[index] = record.outputs
            else:
                self._archives.forget_split(self._key(layer, index))
        self._archives.keep_outputs(self._program.space, self._program.run, layer, kept)
        return kept

    def forget(self, layer: str) -> bool:
        """Take back what is committed of a layer, since what it depends on has changed.

        Returns:
            Whether there was anything.
        """
        space, run = self._program.space, self._program.run
        records = self._archives.splits(space, run, layer)
        self._before[layer] = {index: split.outputs for index, split in records.items()}
        self._archives.forget_layer(space, run, layer)
        for index in records:
            self._archives.forget_split(self._key(layer, index))
        self._archives.keep_outputs(space, run, layer, ())
        return bool(records)

    def changed(self, layer: str, outputs: Mapping[int, Mapping[str, Output]]) -> bool:
        """Tell whether a layer that ran again has made something else than before."""
        before = self._before.get(layer)
        return before is not None and before != outputs

    def _lost(self, layer: str, record: LayerRecord) -> list[str]:
        """Name the artifacts of a finished layer whose archives or blobs are gone, once for each."""
        lost = []
        refs: list[tuple[str, Ref]] = []
        for name in record.outputs or ():
            joined = self._archives.joined(self._program.space, self._program.run, layer, name)
            if joined is None:
                output = self._archives.output(self._key(layer, 0), name)
                joined = [] if output is None else list(output.refs)
                lost += [name] if output is None else []
            refs += [(name, ref) for ref in joined if ref is not None]
        missing = self._artifacts.missing(ref for _, ref in refs)
        return lost + [name for name, ref in refs if ref.hexdigest in missing]

    def _key(self, layer: str, index: int) -> ActionKey:
        return ActionKey(self._program.space, self._program.run, layer, index)


def _refs(record: SplitRecord) -> list[Ref]:
    return [ref for output in record.outputs.values() for ref in output.refs]
