"""The kind of a parameter of which only a description is known: that of a task that is deployed."""

from __future__ import annotations

from laminar.tasks.kinds.contract import Kind, Mismatch, decoded, encoded, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Any

    from laminar.tasks.kinds.contract import Plain
    from laminar.wire.specs import ParameterSpec

    Schema = Mapping[str, Any]

#: What stands for values in the usage of a command, by their JSON type.
METAVARS = {"integer": "INTEGER", "number": "NUMBER", "string": "TEXT", "boolean": "BOOLEAN", "null": "null"}
TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
}
#: Types that JSON knows; whether others fit is for the code of the task to say.
KNOWN = (type(None), bool, int, float, str, list, tuple, dict)


class Described(Kind):
    """What the values of a parameter must be, as far as its JSON Schema says."""

    def __init__(self, parameter: ParameterSpec) -> None:
        """Take a parameter."""
        self.name = parameter.type
        self._schema: Schema = parameter.schema if isinstance(parameter.schema, dict) else {}

    @property
    def metavar(self) -> str:
        """Say what to write."""
        if "enum" in self._schema:
            return "|".join(map(str, self._schema["enum"]))
        return METAVARS.get(self._schema.get("type", ""), "JSON")

    @property
    def flag(self) -> bool:
        """Whether values are given by the option alone: true or false, or those and None."""
        members = self._schema.get("anyOf", (self._schema,))
        kinds = {member.get("type") for member in members}
        return "boolean" in kinds and kinds <= {"boolean", "null"}

    def check(self, value: Any) -> Any:
        """Give the value as it is, if it fits as far as that is known."""
        found = misfit(self._schema, value)
        if found is not None:
            raise Mismatch(self.name, found.value, found.path)
        return value

    def parse(self, text: str) -> Plain:
        """Read JSON where that fits, else text."""
        try:
            plain = decoded(text, self.name)
        except Mismatch:
            plain = text
        if misfit(self._schema, text) is None and (isinstance(plain, str) or misfit(self._schema, plain) is not None):
            return text
        return self.check(plain)

    def from_plain(self, plain: Plain) -> Any:
        """Take JSON as it is."""
        return self.check(plain)

    def plain(self, value: Any) -> Plain:
        """Give JSON as it is."""
        return value

    def text(self, value: Any) -> str:
        """Write a value as a command line would."""
        return value if isinstance(value, str) else encoded(value)

    def describe(self) -> str:
        """Say what to write on a command line."""
        if "enum" in self._schema:
            return f"one of {', '.join(map(str, self._schema['enum']))}"
        return self.name if self.metavar != "JSON" else f"{self.name} as JSON"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Give the description."""
        return dict(self._schema)


class Misfit:
    """The part of a value that does not fit, and where it is."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "") -> None:
        """Take both."""
        self.value = value
        self.path = path


def misfit(schema: Schema, value: Any) -> Misfit | None:
    """Find what does not fit a JSON Schema; what it says beyond what laminar writes is not looked at.

    Args:
        schema: The schema.
        value: A value; parts of it that JSON cannot say count as fitting.
    """
    if not isinstance(value, KNOWN):
        return None
    if "anyOf" in schema:
        return None if any(misfit(each, value) is None for each in schema["anyOf"]) else Misfit(value)
    if "enum" in schema and value not in schema["enum"]:
        return Misfit(value)
    if not _is_of(schema.get("type"), value) or schema.get("not") == {}:
        return Misfit(value)
    if isinstance(value, dict):
        return _members(schema, value)
    return _items(schema, value) if isinstance(value, (list, tuple)) else None


def _is_of(kind: Any, value: Any) -> bool:
    if not isinstance(kind, str) or kind not in TYPES:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def _items(schema: Schema, value: Any) -> Misfit | None:
    count = len(value)
    if count < schema.get("minItems", 0) or count > schema.get("maxItems", count):
        return Misfit(value)
    first = schema.get("prefixItems", ())
    others = schema.get("items", {})
    parts = ((f"[{place}]", first[place] if place < len(first) else others, item) for place, item in enumerate(value))
    return _first(parts)


def _members(schema: Schema, value: dict[Any, Any]) -> Misfit | None:
    if any(name not in value for name in schema.get("required", ())):
        return Misfit(value)
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    others = others if isinstance(others, dict) else {}
    return _first((f"[{shown(name)}]", known.get(name, others), item) for name, item in value.items())


def _first(parts: Any) -> Misfit | None:
    for step, schema, item in parts:
        found = misfit(schema, item)
        if found is not None:
            return Misfit(found.value, step + found.path)
    return None
