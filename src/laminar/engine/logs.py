"""The output of attempts: a file each, kept with the run, shown live."""

from __future__ import annotations

import os

from laminar.engine.contract import Logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.engine.contract import Observer
    from laminar.model.ids import AttemptKey

BLOCK = 1 << 20


def text_of(line: bytes) -> str:
    """Give a line as text: what remains to be seen where it was written over, as progress bars do."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]


class Files(Logs):
    """Follows the logs of live attempts and tells an observer their lines."""

    def __init__(self, folder: str, observer: Observer) -> None:
        """Remember where logs lie."""
        self._folder = folder
        self._observer = observer
        self._followed: dict[AttemptKey, _Follower] = {}

    def follow(self, key: AttemptKey, label: str, splits: int) -> str:
        """Name the log of an attempt that is about to start, and follow it.

        Args:
            key: The attempt.
            label: What it is an attempt of, as people call it.
            splits: How many actions of that label there are.
        """
        action = key.action
        folder = f"{self._folder}/{action.space}/{action.run}/{action.name}"
        path = f"{folder}/{action.index}.{key.epoch}.{key.number}.log"
        self._followed[key] = _Follower(path, label, splits)
        return path

    def poll(self) -> None:
        """Tell what live attempts have printed since the last time."""
        for key, follower in self._followed.items():
            self._tell(key, follower, follower.lines(last=False))

    def leave(self, key: AttemptKey) -> None:
        """Tell the rest of what an attempt has printed, and remove its log if that is nothing."""
        follower = self._followed.pop(key)
        self._tell(key, follower, follower.lines(last=True))
        follower.close()

    def _tell(self, key: AttemptKey, follower: _Follower, lines: list[str]) -> None:
        for line in lines:
            self._observer.line(follower.label, key.action.index, follower.splits, line)


class _Follower:
    def __init__(self, path: str, label: str, splits: int) -> None:
        self.label = label
        self.splits = splits
        self._path = path
        self._handle = -1
        self._rest = b""
        self._any = False

    def lines(self, *, last: bool) -> list[str]:
        if self._handle < 0:
            if not os.access(self._path, os.F_OK):  # most print nothing, and an exception takes five times as long
                return []
            self._handle = os.open(self._path, os.O_RDONLY)
        data = self._rest
        while block := os.read(self._handle, BLOCK):
            self._any = True
            data += block
        lines = data.split(b"\n")
        self._rest = lines.pop()
        if last and self._rest:
            lines.append(self._rest)
        return [text_of(line) for line in lines]

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            if not self._any:
                os.unlink(self._path)
