"""Reads the file of a configuration, and says of what is wrong in which line it stands."""

from __future__ import annotations

import yaml

from laminar.errors import ConfigurationError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

TAGS = {str: "tag:yaml.org,2002:str", int: "tag:yaml.org,2002:int", bool: "tag:yaml.org,2002:bool"}
NULL = "tag:yaml.org,2002:null"
EXPECTED = {
    str: "expects text; put quotes around it if it looks like something else",
    int: "expects a whole number",
    bool: "expects true or false",
}
TRUE = ("true", "yes", "on")


def read(path: str, keys: Mapping[str, type], other: str) -> dict[str, str | int]:
    """Read a file.

    Args:
        path: The file: sections, with a key and a value on each line.
        keys: The keys that are known, as ``section.key``, each with the type of its value.
        other: How to name another file, where this one is for something else.

    Returns:
        The values by their keys; those without a value are left out.

    Raises:
        ConfigurationError: The file cannot be read, is no YAML, has an unknown key, or a value of the wrong type.
    """
    found: dict[str, str | int] = {}
    seen: dict[str, int] = {}
    for name, node, line in _pairs(path, _parsed(path), keys, other):
        where = f"{path}:{line}: {name}"
        if name not in keys:
            raise ConfigurationError(f"{where} is unknown.{nearest(name, keys)}")
        if name in seen:
            raise ConfigurationError(f"{where} stands in line {seen[name]} already. Keep one.")
        seen[name] = line
        if node.tag != NULL:
            found[name] = _value(node, keys[name], where)
    return found


def _parsed(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.compose(file, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no text in UTF-8: byte {error.start} is not understood.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        raise ConfigurationError(f"{path}{line}: this is no YAML: {problem}.") from None


def _pairs(path: str, root: Any, keys: Mapping[str, type], other: str) -> Iterator[tuple[str, Any, int]]:
    """Give each ``section.key``, its value and its line."""
    sections = sorted({key.partition(".")[0] for key in keys})
    if root is None or root.tag == NULL:
        return
    for section, body in _mapping(path, root, f"sections: {', '.join(sections)}"):
        line = section.start_mark.line + 1
        if section.value not in sections:
            raise ConfigurationError(
                f"{path}:{line}: the section {section.value!r} is unknown.{nearest(str(section.value), sections)} "
                f"If this file is not meant, say which is: {other}."
            )
        if body.tag != NULL:
            for key, value in _mapping(path, body, f"keys of {section.value}"):
                yield f"{section.value}.{key.value}", value, key.start_mark.line + 1


def _mapping(path: str, node: Any, what: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(f"{path}:{node.start_mark.line + 1}: expects {what}.")
    return node.value


def _value(node: Any, kind: type, where: str) -> str | int:
    value = str(node.value)
    shown = repr(value) if isinstance(node, yaml.ScalarNode) else f"a {node.id}"
    if node.tag != TAGS[kind] or value == "":
        raise ConfigurationError(f"{where} {EXPECTED[kind]}, got {shown}.")
    if kind is str:
        return value
    if kind is bool:
        return value.lower() in TRUE
    try:
        return int(value.replace("_", ""))
    except ValueError:
        raise ConfigurationError(f"{where} {EXPECTED[kind]}, got {shown}.") from None
