"""Which files of a folder a build is not given: the rules of ``.dockerignore``.

https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Ignored:
    """Tells whether a file is left out. The last pattern that matches it, or a folder above it, decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Take the lines of a ``.dockerignore``."""
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in patterns:
            text = line.strip()
            if text and not text.startswith("#"):
                keeps = text.startswith("!")
                text = os.path.normpath(text.removeprefix("!").strip()).lstrip("/")
                self._rules.append((not keeps, re.compile(_expression(text))))
        self._exceptions = any(not leaves for leaves, _ in self._rules)

    @classmethod
    def of(cls, folder: str, more: Iterable[str] = ()) -> Ignored:
        """Read the ``.dockerignore`` of a folder, if it has one.

        Args:
            folder: The folder.
            more: Patterns that come before.
        """
        try:
            with open(os.path.join(folder, ".dockerignore"), encoding="utf-8") as file:
                return cls([*more, *file.read().splitlines()])
        except FileNotFoundError:
            return cls(more)

    def __call__(self, name: str) -> bool:
        """Tell whether a file is left out, by its name from the folder on."""
        out = False
        for leaves, pattern in self._rules:
            if leaves is not out and pattern.match(name):
                out = leaves
        return out

    def whole(self, name: str) -> bool:
        """Tell whether a folder is left out with all that is in it."""
        return not self._exceptions and self(name)


def _expression(pattern: str) -> str:
    """Translate a pattern: ``*`` and ``?`` stop at slashes, ``**`` does not; what is below a match matches too."""
    parts = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            parts.append(".*")
            at += 2
        elif pattern[at] == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            parts.append(pattern[at : end + 1])
            at = end + 1
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return f"{''.join(parts)}(?:/.*)?$"
