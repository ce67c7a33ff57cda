"""What attempts print: pieces in the store, each under the number of bytes that came before it."""

from __future__ import annotations

from laminar.engine.contract import Logs as Following

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.data.contract import Blobs
    from laminar.model.ids import AttemptKey


class Output:
    """The output of all attempts."""

    def __init__(self, blobs: Blobs) -> None:
        """Remember where it is kept."""
        self._blobs = blobs

    def add(self, key: AttemptKey, offset: int, data: bytes) -> None:
        """Keep a piece; to keep it again does no harm.

        Args:
            key: The attempt.
            offset: How many bytes it had printed before.
            data: The bytes.

        Raises:
            StorageError: It cannot be stored.
        """
        self._blobs.write(f"{key.action.space}/{name(key)}/{offset:015d}", data)

    def read(self, space: str, log: str, after: int = 0) -> bytes:
        """Read what an attempt has printed, from a number of bytes on.

        Args:
            space: Project and domain.
            log: Name of the log, as the ledger has it.
            after: How many bytes are known; a number that this function has led to.
        """
        found = bytearray()
        for piece in self._blobs.names(f"{space}/{log}"):
            begin = int(piece)
            if begin < after + len(found):
                continue
            if begin > after + len(found):
                break  # a piece before it is still on its way
            found += self._blobs.read(f"{space}/{log}/{piece}")
        return bytes(found)


class Logs(Following):
    """The logs of one run, as the engine knows them: it only names them, since agents tell their content."""

    def follow(self, key: AttemptKey, label: str, splits: int) -> str:  # noqa: ARG002
        """Name the log of an attempt."""
        return name(key)

    def poll(self) -> None:
        """Do nothing."""

    def leave(self, key: AttemptKey) -> None:
        """Do nothing."""


def name(key: AttemptKey) -> str:
    """Name the log of an attempt, within its space."""
    action = key.action
    return f"logs/{action.run}/{action.name}.{action.index}/{key.epoch}.{key.number}"
