"""Archives and records: what a run made, beside its artifacts, readable without a database.

Layout under the root of a datastore, shared with laminar 2022.5a1::

    <space>/artifacts/<sha256>.gz                                 a gzipped pickle
    <space>/archives/<run>/<layer>/<index>/<artifact>.json        {"artifacts": [{"dtype": …, "hexdigest": …}]}
    <space>/.cache/<run>/<layer>/.record.json                     the layer is finished, and in how many splits
    <space>/.cache/<run>/<layer>/<artifact>.json                  its archives joined over all splits
    <space>/.cache/<run>/<layer>/.splits.jsonl                    a line for each split that is committed
    <space>/.cache/<run>/.execution.json                          state of the run

A sharded archive bears ``"sharded": true``; one of an older run is sharded if it has other than one element. A joined
archive has ``null`` where a split did not assign the artifact.
"""

from __future__ import annotations

import json

from laminar.errors import DataError
from laminar.model.action import Output, Ref
from laminar.model.ids import ActionKey
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from laminar.data.contract import Blobs


class LayerRecord(Value, frozen=True):
    """A layer is finished.

    Attributes:
        splits: In how many splits.
        outputs: Names of its artifacts; None in runs of older versions.
        inputs: Hash of what the layers that it needs have made; None in runs of older versions.
    """

    splits: int
    outputs: tuple[str, ...] | None = None
    inputs: str | None = None


class SplitRecord(Value, frozen=True):
    """A split is committed.

    Attributes:
        outputs: Its artifacts.
        inputs: Fingerprint of what it was given by its foreach and by the layers that it needs.
        attempt: Which try succeeded.
        started: Seconds since the epoch.
        ended: Seconds since the epoch.
        caught: The error that it caught, as ``Type: message``.
    """

    outputs: Mapping[str, Output]
    inputs: str = ""
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    caught: str | None = None


class Archives:
    """Archives and records of all runs in one place."""

    def __init__(self, blobs: Blobs) -> None:
        """Remember where they lie."""
        self.blobs = blobs

    def commit(self, key: ActionKey, record: SplitRecord) -> None:
        """Commit a split: its archives, then its record, which is what makes it count."""
        self.write_outputs(key, record.outputs)
        self.blobs.append(_splits_path(key.space, key.run, key.name), _encode(_split_to_plain(key.index, record)))

    def write_outputs(self, key: ActionKey, outputs: Mapping[str, Output]) -> None:
        """Write the archives of a split, without committing it."""
        for name, output in outputs.items():
            self.blobs.write(_archive_path(key, name), _encode(_output_to_plain(output)))

    def splits(self, space: str, run: str, layer: str) -> dict[int, SplitRecord]:
        """Read the splits of a layer that are committed. A line that was torn when its writer died does not count."""
        found: dict[int, SplitRecord] = {}
        for line in self.blobs.lines(_splits_path(space, run, layer)):
            try:
                plain = json.loads(line)
            except ValueError:
                continue
            if plain.get("forgotten"):
                found.pop(plain["index"], None)
            else:
                found[plain["index"]] = _split_from_plain(plain)
        return found

    def output(self, key: ActionKey, name: str) -> Output | None:
        """Read an archive of a split; None if there is none."""
        plain = self._read(_archive_path(key, name))
        return None if plain is None else _output_from_plain(plain)

    def finish(
        self,
        space: str,
        run: str,
        layer: str,
        splits: int,
        names: list[str],
        joined: Mapping[str, list[Ref | None]],
        inputs: str,
    ) -> None:
        """Record that a layer is finished.

        Args:
            space: What the run is a run of.
            run: Its id.
            layer: The layer.
            splits: In how many splits.
            names: Names of its artifacts.
            joined: Those to be joined over the splits.
            inputs: Hash of what the layers that it needs have made.
        """
        for name, refs in joined.items():
            self.blobs.write(
                f"{space}/.cache/{run}/{layer}/{name}.json", _encode({"artifacts": list(map(_plain_ref, refs))})
            )
        record = {
            "flow": {"name": space},
            "layer": {"name": layer},
            "execution": {"splits": splits},
            "artifacts": names,
            "inputs": inputs,
        }
        self.blobs.write(f"{space}/.cache/{run}/{layer}/.record.json", _encode(record))

    def layer(self, space: str, run: str, layer: str) -> LayerRecord | None:
        """Read the record of a layer; None if it is not finished."""
        plain = self._read(f"{space}/.cache/{run}/{layer}/.record.json")
        if plain is None:
            return None
        names = plain.get("artifacts")
        splits = int(plain["execution"]["splits"])
        return LayerRecord(splits, None if names is None else tuple(names), plain.get("inputs"))

    def forget_layer(self, space: str, run: str, layer: str) -> None:
        """Take back that a layer is finished, with its archives joined over all splits."""
        base = f"{space}/.cache/{run}/{layer}"
        self.blobs.delete(f"{base}/.record.json")
        for name in self.blobs.names(base):
            if not name.startswith("."):
                self.blobs.delete(f"{base}/{name}")

    def keep_outputs(self, space: str, run: str, layer: str, indexes: Collection[int]) -> None:
        """Remove the archives of all splits of a layer but these."""
        base = f"{space}/archives/{run}/{layer}"
        kept = set(map(str, indexes))
        for index in self.blobs.names(base):
            if index not in kept:
                for name in self.blobs.names(f"{base}/{index}"):
                    self.blobs.delete(f"{base}/{index}/{name}")

    def forget_split(self, key: ActionKey) -> None:
        """Take back that a split is committed, since a blob of it is gone."""
        self.blobs.append(_splits_path(key.space, key.run, key.name), _encode({"index": key.index, "forgotten": True}))

    def joined(self, space: str, run: str, layer: str, name: str) -> list[Ref | None] | None:
        """Read an archive joined over all splits; None if there is none."""
        plain = self._read(f"{space}/.cache/{run}/{layer}/{name}.json")
        return None if plain is None else [None if ref is None else _ref(ref) for ref in plain["artifacts"]]

    def runs(self, space: str) -> list[str]:
        """List the runs of a space, oldest first by their ids."""
        found = {*self.blobs.names(f"{space}/archives"), *self.blobs.names(f"{space}/.cache")}
        return sorted(name for name in found if not name.startswith("."))

    def begun(self, space: str, run: str) -> bool:
        """Tell whether a run can be gone on with: a layer of it is finished, or a split committed."""
        layers = self.layers(space, run)
        return any(self.layer(space, run, layer) is not None for layer in layers) or any(
            self.splits(space, run, layer) for layer in layers
        )

    def layers(self, space: str, run: str) -> list[str]:
        """List the layers of a run that left anything."""
        found = {*self.blobs.names(f"{space}/archives/{run}"), *self.blobs.names(f"{space}/.cache/{run}")}
        return sorted(name for name in found if not name.startswith("."))

    def outputs(self, space: str, run: str, layer: str) -> list[str]:
        """List the artifacts of a layer."""
        record = self.layer(space, run, layer)
        if record is not None and record.outputs is not None:
            return sorted(record.outputs)
        base = f"{space}/archives/{run}/{layer}"
        names = {name for index in self.blobs.names(base) for name in self.blobs.names(f"{base}/{index}")}
        return sorted(name.removesuffix(".json") for name in names)

    def write_state(self, space: str, run: str, state: Mapping[str, Any]) -> None:
        """Write the state of a run."""
        self.blobs.write(f"{space}/.cache/{run}/.execution.json", _encode(dict(state)))

    def state(self, space: str, run: str) -> dict[str, Any] | None:
        """Read the state of a run; None for runs of older versions."""
        return self._read(f"{space}/.cache/{run}/.execution.json")

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            data = self.blobs.read(path)
        except FileNotFoundError:
            return None
        try:
            plain: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise DataError(
                f"{self.blobs.where(path)} is no JSON ({error}). Remove it and resume the run: it will be made again."
            ) from error
        return plain


def _archive_path(key: ActionKey, name: str) -> str:
    return f"{key.space}/archives/{key.run}/{key.name}/{key.index}/{name}.json"


def _splits_path(space: str, run: str, layer: str) -> str:
    return f"{space}/.cache/{run}/{layer}/.splits.jsonl"


def _encode(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain).encode()


def _plain_ref(ref: Ref | None) -> dict[str, str] | None:
    return None if ref is None else {"dtype": ref.dtype, "hexdigest": ref.hexdigest}


def _ref(plain: Mapping[str, str]) -> Ref:
    return Ref(plain["dtype"], plain["hexdigest"])


def _output_to_plain(output: Output) -> dict[str, Any]:
    plain: dict[str, Any] = {"artifacts": [_plain_ref(ref) for ref in output.refs]}
    return {**plain, "sharded": True} if output.sharded else plain


def _output_from_plain(plain: Mapping[str, Any]) -> Output:
    refs = tuple(_ref(ref) for ref in plain["artifacts"])
    return Output(refs, bool(plain.get("sharded", len(refs) != 1)))


def _split_to_plain(index: int, record: SplitRecord) -> dict[str, Any]:
    return {
        "index": index,
        "outputs": {name: _output_to_plain(output) for name, output in record.outputs.items()},
        "inputs": record.inputs,
        "attempt": record.attempt,
        "started": record.started,
        "ended": record.ended,
        "caught": record.caught,
    }


def _split_from_plain(plain: Mapping[str, Any]) -> SplitRecord:
    return SplitRecord(
        outputs={name: _output_from_plain(output) for name, output in plain["outputs"].items()},
        inputs=plain["inputs"],
        attempt=plain["attempt"],
        started=plain["started"],
        ended=plain["ended"],
        caught=plain["caught"],
    )
