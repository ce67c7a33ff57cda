"""What each layer of a run has made, as a hash: who has used it is out of date once it is another."""

from __future__ import annotations

import hashlib

from laminar.model.ids import ActionKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from laminar.data.archives import Archives
    from laminar.model.action import Ref

    Made = Mapping[str, Sequence[Ref | None]]


class Fingerprints:
    """The hashes of the layers of one run, from what has just been made or from the archives."""

    def __init__(self, archives: Archives, space: str, run: str) -> None:
        """Begin with none known."""
        self._archives = archives
        self._space = space
        self._run = run
        self._known: dict[str, str] = {}

    def note(self, layer: str, made: Made) -> None:
        """Note what a layer has made: each artifact joined over its splits; nothing if it was skipped."""
        total = hashlib.blake2b(digest_size=8)
        for name in sorted(made):
            total.update(f"{name}\n".encode())
            total.update("".join("-" if ref is None else ref.hexdigest for ref in made[name]).encode())
        self._known[layer] = total.hexdigest()

    def read(self, layer: str) -> tuple[Made, list[str]]:
        """Read from the archives what a finished layer has made.

        Returns:
            Each artifact joined over its splits, and the names of those whose archives are gone.
        """
        made: dict[str, Sequence[Ref | None]] = {}
        gone = []
        for name in self._archives.outputs(self._space, self._run, layer):
            joined = self._archives.joined(self._space, self._run, layer, name)
            if joined is None:
                output = self._archives.output(ActionKey(self._space, self._run, layer), name)
                joined = [] if output is None else list(output.refs)
                gone += [name] if output is None else []
            made[name] = joined
        return made, gone

    def of(self, layer: str) -> str:
        """Give the hash of what a layer has made."""
        if layer not in self._known:
            finished = self._archives.layer(self._space, self._run, layer) is not None
            self.note(layer, self.read(layer)[0] if finished else {})
        return self._known[layer]

    def needs(self, layers: Iterable[str]) -> str:
        """Give one hash of all that a layer is given by those that it needs."""
        parts = [f"{layer}={self.of(layer)}" for layer in sorted(layers)]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def inputs(picks: str, needs: str) -> str:
    """Put together what a split was given.

    Args:
        picks: Fingerprint of the elements that its foreach has picked; empty without a foreach.
        needs: Hash of the layers that it needs.
    """
    return f"{picks}/{needs}" if picks else needs
