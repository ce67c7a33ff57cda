"""JSON Schema (2020-12) of what tasks take and give, for who calls them without their code."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar.tasks.kinds.contract import Plain

    Schema = dict[str, Any]

#: Structures that are one word. What JSON has no type for is text.
WORDS: dict[str, Schema] = {
    "any": {},
    "never": {"not": {}},
    "None": {"type": "null"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "complex": {"type": "string"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "bytearray": {"type": "string", "contentEncoding": "base64"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "File": {},  # a path, or the parts of a handle
    "Dir": {},
}
#: How the names of numpy's scalars begin, behind the module's.
NUMPY = {"bool": "boolean", "int": "integer", "uint": "integer", "float": "number"}
SETS = ("set", "frozenset", "Set", "MutableSet")
MAPPINGS = ("dict", "Mapping", "MutableMapping", "defaultdict", "OrderedDict", "Counter")


def schema_of(structure: Plain) -> Schema | None:
    """Give the JSON Schema of a structure.

    Args:
        structure: What :meth:`laminar.tasks.kinds.Kind.schema` says.

    Returns:
        The schema; a part of which nothing is known may be anything. None if nothing is known of the whole, as of a
        class whose values travel by pickle.
    """
    if isinstance(structure, str):
        return WORDS[structure] if structure in WORDS else _word(structure)
    ((head, inner),) = list(structure.items())[:1]
    make = _MAKERS.get(head)
    if make is not None:
        return make(structure)
    if head in MAPPINGS:
        return {"type": "object", "additionalProperties": _part(inner[1])}
    if head in ("class", "again"):
        return None
    return _array(head, inner)


def _word(name: str) -> Schema:
    module, _, scalar = name.rpartition(".")
    known = NUMPY.get(scalar.rstrip("0123456789_"), "string") if module == "numpy" else "string"
    return {"type": known}


def _part(structure: Plain) -> Schema:
    known = schema_of(structure)
    return {} if known is None else known


def _array(head: str, inner: Plain) -> Schema:
    return {"type": "array", "items": _part(inner), **({"uniqueItems": True} if head in SETS else {})}


def _tuple(structure: Plain) -> Schema:
    members = structure["tuple"]
    if not isinstance(members, list):
        return _array("tuple", members)
    count = len(members)
    fixed = {"type": "array", "minItems": count, "maxItems": count}
    return {**fixed, "prefixItems": [_part(member) for member in members]} if members else fixed


def _record(structure: Plain) -> Schema:
    fields = structure["fields"]
    return {
        "title": structure["record"],
        "type": "object",
        "properties": {name: _part(inner) for name, (inner, _) in fields.items()},
        "required": [name for name, (_, optional) in fields.items() if not optional],
    }


def _model(structure: Plain) -> Schema:
    made = structure["model"]
    return made if isinstance(made, dict) else {"title": made, "type": "object"}


def _literal(structure: Plain) -> Schema:
    readers: dict[str, Callable[[str], Any]] = {"int": int, "bool": "true".__eq__, "NoneType": lambda _: None}
    return {"enum": [readers.get(kind, str)(word) for kind, word in structure["literal"]]}


_MAKERS: dict[str, Callable[[Plain], Schema | None]] = {
    "union": lambda structure: {"anyOf": [_part(member) for member in structure["union"]]},
    "tuple": _tuple,
    "record": _record,
    "model": _model,
    "literal": _literal,
    "enum": lambda structure: {"title": structure["enum"], "enum": list(structure["members"])},
    "numpy.ndarray": lambda _: {"type": "array"},
    "frame": lambda _: {"type": "array", "items": {"type": "object"}},
}
