"""What a resumed run can keep: splits that are committed, whose blobs are there, and whose inputs are the same."""

from __future__ import annotations

from laminar.engine.contract import Reuse
from laminar.engine.fingerprints import inputs
from laminar.model.ids import ActionKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from laminar.data.archives import Archives, LayerRecord, SplitRecord
    from laminar.data.artifacts import Artifacts
    from laminar.engine.contract import Program
    from laminar.engine.fingerprints import Fingerprints
    from laminar.model.action import Output, Ref


class Reuser:
    """Looks into the datastore for what an earlier holder of the run has committed."""

    def __init__(self, program: Program, archives: Archives, artifacts: Artifacts, fingerprints: Fingerprints) -> None:
        """Begin with nothing looked up."""
        self._program = program
        self._archives = archives
        self._artifacts = artifacts
        self._fingerprints = fingerprints

    def preview(self, order: Sequence[str]) -> list[Reuse]:
        """Say for each layer, before anything runs, what will be kept and why the rest runs.

        A layer that depends on one that runs again is counted by what is committed; whether it still fits is seen once
        its inputs are known.
        """
        plan = []
        for layer in order:
            record = self._archives.layer(self._program.space, self._program.run, layer)
            if record is not None:
                lost = self._lost(layer)
                reason = f"{len(lost)} of its blobs are gone or damaged" if lost else ""
                plan.append(Reuse(layer, record.splits - len(lost), record.splits, reason))
                continue
            committed = self._archives.splits(self._program.space, self._program.run, layer)
            reason = "the rest of its splits did not finish" if committed else "it did not finish"
            plan.append(Reuse(layer, len(committed), None, reason))
        return plan

    def finished(self, layer: str, needs: str) -> LayerRecord | None:
        """Read the record of a layer, if it is finished, all its blobs are there, and its needs are what they were.

        Args:
            layer: The layer.
            needs: Hash of what the layers that it needs have made.
        """
        record = self._archives.layer(self._program.space, self._program.run, layer)
        if record is None:
            return None
        if record.inputs in (None, needs) and not self._lost(layer):
            return record
        self._archives.forget_layer(self._program.space, self._program.run, layer)
        return None

    def splits(self, layer: str, count: int, needs: str) -> Mapping[int, Mapping[str, Output]]:
        """Find the splits of an unfinished layer that can be kept.

        Args:
            layer: The layer.
            count: How many it has now.
            needs: Hash of what the layers that it needs have made.
        """
        records = self._archives.splits(self._program.space, self._program.run, layer)
        missing = self._artifacts.missing(ref for record in records.values() for ref in _refs(record))
        kept: dict[int, Mapping[str, Output]] = {}
        for index, record in records.items():
            if index >= count:
                continue
            whole = not any(ref.hexdigest in missing for ref in _refs(record))
            if whole and record.inputs == inputs(self._program.inputs(layer, index), needs):
                kept[index] = record.outputs
            else:
                self._archives.forget_split(self._key(layer, index))
        self._archives.keep_outputs(self._program.space, self._program.run, layer, kept)
        return kept

    def forget(self, layer: str) -> None:
        """Take back what is committed of a layer that is skipped now."""
        space, run = self._program.space, self._program.run
        self._archives.forget_layer(space, run, layer)
        for index in self._archives.splits(space, run, layer):
            self._archives.forget_split(self._key(layer, index))
        self._archives.keep_outputs(space, run, layer, ())

    def _lost(self, layer: str) -> list[str]:
        """Name the artifacts of a finished layer whose archives or blobs are gone, once for each."""
        made, gone = self._fingerprints.read(layer)
        refs = [(name, ref) for name, joined in made.items() for ref in joined if ref is not None]
        missing = self._artifacts.missing(ref for _, ref in refs)
        return gone + [name for name, ref in refs if ref.hexdigest in missing]

    def _key(self, layer: str, index: int) -> ActionKey:
        return ActionKey(self._program.space, self._program.run, layer, index)


def _refs(record: SplitRecord) -> list[Ref]:
    return [ref for output in record.outputs.values() for ref in output.refs]
