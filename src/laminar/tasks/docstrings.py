"""What docstrings say of parameters, in the three styles that people write: Google, NumPy, Sphinx."""

from __future__ import annotations

import inspect  # loaded by asyncio already
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPHINX = re.compile(r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_GOOGLE = re.compile(r"^(?:Args|Arguments|Parameters|Keyword Args|Keyword Arguments):$")
_GOOGLE_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = ("Parameters", "Other Parameters")
_NUMPY_ITEM = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")


def summary(docstring: str | None) -> str:
    """Give the first paragraph of a docstring, in one line; empty if there is none."""
    first = inspect.cleandoc(docstring or "").split("\n\n", 1)[0]
    return "" if _SPHINX.match(first) else " ".join(first.split())


def parameters(docstring: str | None) -> dict[str, str]:
    """Give what a docstring says of each parameter, each in one line."""
    lines = inspect.cleandoc(docstring or "").split("\n")
    said: dict[str, str] = {}
    for place, line in enumerate(lines):
        if match := _SPHINX.match(line):
            said[match[1]] = _joined(match[2], _deeper(lines[place + 1 :], 0))
        elif _GOOGLE.match(line):
            said.update(_google(list(_deeper(lines[place + 1 :], 0))))
        elif line in _NUMPY and place + 1 < len(lines) and set(lines[place + 1]) == {"-"}:
            said.update(_numpy(lines[place + 2 :]))
    return said


def _deeper(lines: list[str], indent: int) -> Iterator[str]:
    """Give the lines up to the first that is indented no deeper than this; blank lines do not end them."""
    for line in lines:
        if line.strip() and _indent(line) <= indent:
            return
        yield line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(first: str, rest: Iterator[str]) -> str:
    return " ".join(" ".join((first, *rest)).split())


def _google(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Read the lines below ``Args:``."""
    indents = [_indent(line) for line in lines if line.strip()]
    for place, line in enumerate(lines):
        match = _GOOGLE_ITEM.match(line.strip()) if line.strip() and _indent(line) == indents[0] else None
        if match:
            yield match[1], _joined(match[2], _deeper(lines[place + 1 :], indents[0]))


def _numpy(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Read the lines below ``Parameters`` and its rule, up to the next heading."""
    for place, line in enumerate(lines):
        if place + 1 < len(lines) and lines[place + 1].strip() and set(lines[place + 1]) == {"-"}:
            return
        match = _NUMPY_ITEM.match(line)
        if match and not line.startswith(" "):
            text = _joined("", _deeper(lines[place + 1 :], 0))
            for name in match[1].split(","):
                yield name.strip().lstrip("*"), text
