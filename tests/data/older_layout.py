"""Writes runs as laminar 2022.5a1 did, with nothing but the standard library."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any


class OlderRun:
    """One run of a flow below a root.

    Values were pickled (protocol 5, by cloudpickle, which gives plain pickles for plain values), named by the SHA-256
    of the pickle, and gzipped. The record of a layer named flow, layer and splits, and no artifacts.
    """

    def __init__(self, root: Path, flow: str, run: str) -> None:
        self.root, self.flow, self.run = root, flow, run

    def blob(self, value: Any) -> dict[str, str]:
        data = pickle.dumps(value, 5)
        hexdigest = hashlib.sha256(data).hexdigest()
        path = self.root / self.flow / "artifacts" / f"{hexdigest}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data))
        return {"dtype": f"{type(value).__module__}.{type(value).__name__}", "hexdigest": hexdigest}

    def archive(self, layer: str, index: int, name: str, values: list[Any]) -> list[dict[str, str]]:
        refs = [self.blob(value) for value in values]
        self._json(f"archives/{self.run}/{layer}/{index}/{name}.json", {"artifacts": refs})
        return refs

    def joined(self, layer: str, name: str, refs: list[dict[str, str]]) -> None:
        self._json(f".cache/{self.run}/{layer}/{name}.json", {"artifacts": refs})

    def record(self, layer: str, splits: int) -> None:
        record = {"flow": {"name": self.flow}, "layer": {"name": layer}, "execution": {"splits": splits}}
        self._json(f".cache/{self.run}/{layer}/.record.json", record)

    def _json(self, path: str, plain: dict[str, Any]) -> None:
        full = self.root / self.flow / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(json.dumps(plain))
