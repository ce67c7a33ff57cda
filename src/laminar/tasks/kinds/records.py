"""Kinds of values with named fields: dataclasses, named tuples, typed dictionaries, structs and models.

A record is checked to its last field and passed on as the object it is; only where a field has to be converted, such as
an int where a float is expected, a copy takes its place. From JSON it is made by its own constructor, so that what this
refuses is refused here too.
"""

from __future__ import annotations

import sys
import threading
import typing

from laminar.errors import nearest
from laminar.tasks.kinds.contract import Kind, Mismatch, UnresolvedError, annotation_text, short_name, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any, Protocol

    from laminar.tasks.kinds.contract import Of, Plain

    class Compiling(Protocol):
        """What compiles the types of fields."""

        open: dict[Hashable, Kind]

        def kind_of(self, annotation: Any) -> Kind:
            """Compile one."""

        def within(self, bound: dict[Any, Any]) -> Compiling:
            """Give a compiler for which type variables stand for these."""


#: Stands for a field that an object does not have.
ABSENT = object()


class Record(Kind):
    """Something with named fields.

    Attributes:
        fields: The kind of each field, by name.
        optional: Names of the fields that may be left out of JSON.
        recursive: Whether values may hold others of the same kind, and so, perhaps, themselves.
    """

    def __init__(self, kind: type, name: str) -> None:
        """Take the class, and the name that the annotation has; the fields follow, since they may name the class."""
        self.type = kind
        self.name = name
        self.fields: dict[str, Kind] = {}
        self.optional: frozenset[str] = frozenset()
        self.recursive = False
        self._underway: set[tuple[int, int]] = set()
        self._asked = False

    @property
    def known(self) -> bool:
        """Whether all fields are; a record inside itself counts once."""
        if self._asked:
            return True
        self._asked = True
        try:
            return all(kind.known for kind in self.fields.values())
        finally:
            self._asked = False

    def check(self, value: Any) -> Any:
        """Take objects of the class whose fields all fit."""
        if not isinstance(value, self.type):
            raise self.refuse(value)
        if not self.recursive:
            return self._checked(value)
        mark = (threading.get_ident(), id(value))
        if mark not in self._underway:  # an object inside itself is being looked at already
            self._underway.add(mark)
            try:
                return self._checked(value)
            finally:
                self._underway.discard(mark)
        return value

    def _checked(self, value: Any) -> Any:
        changes = {}
        for name, kind in self.fields.items():
            if kind.anything:
                continue
            member = getattr(value, name, ABSENT)
            if member is ABSENT:
                raise self.refuse(value, f"it has no field {name}")
            if type(member) not in kind.exact:
                fit = self._fitting(f".{name}", kind, member)
                if fit is not member:
                    changes[name] = fit
        return self.changed(value, changes) if changes else value

    def _fitting(self, step: str, kind: Kind, member: Any) -> Any:
        try:
            return kind.check(member)
        except Mismatch as mismatch:
            raise mismatch.under(step) from None

    def changed(self, value: Any, changes: dict[str, Any]) -> Any:
        """Give a copy with other values in some fields; its constructor does not run again."""
        import copy  # loaded by dataclasses

        other = copy.copy(value)
        for name, member in changes.items():
            object.__setattr__(other, name, member)
        return other

    def from_plain(self, plain: Plain) -> Any:
        """Make one of a JSON object."""
        if not isinstance(plain, dict):
            raise self.misread(plain, "write a JSON object")
        for name in plain:
            if name not in self.fields:
                raise self.misread(plain, f"there is no field {name!r}.{nearest(name, self.fields)}".rstrip("."))
        missing = [name for name in self.fields if name not in plain and name not in self.optional]
        if missing:
            raise self.misread(plain, f"it lacks {', '.join(missing)}")
        values = {name: self._read_field(name, member) for name, member in plain.items()}
        try:
            return self.make(values)
        except (TypeError, ValueError) as error:
            raise self.misread(plain, f"{type(error).__name__}: {error}") from error

    def _read_field(self, name: str, plain: Plain) -> Any:
        try:
            return self.fields[name].from_plain(plain)
        except Mismatch as mismatch:
            raise mismatch.under(f".{name}") from None

    def make(self, values: dict[str, Any]) -> Any:
        """Make one of its fields."""
        return self.type(**values)

    def plain(self, value: Any) -> Plain:
        """Give an object of the fields."""
        return {name: kind.plain(getattr(value, name)) for name, kind in self.fields.items() if hasattr(value, name)}

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Describe the fields, and name those that may be left out; inside itself, name it."""
        if self.type in within:
            return {"again": self.type.__qualname__}
        fields = {
            name: [kind.schema((*within, self.type)), name in self.optional] for name, kind in self.fields.items()
        }
        return {"record": self.type.__qualname__, "fields": fields}


class Dictionary(Record):
    """A ``TypedDict``: a dictionary of these keys and no others."""

    def __init__(self, kind: type, name: str) -> None:
        """Take the class and its name."""
        super().__init__(kind, name)
        self.optional = frozenset(_optional_keys(kind))

    def check(self, value: Any) -> Any:
        """Take dictionaries of just these keys."""
        if not isinstance(value, dict):
            raise self.refuse(value)
        for name in value:
            if name not in self.fields:
                raise self.refuse(value, f"there is no key {name!r}")
        changes = {}
        for name, kind in self.fields.items():
            if name in value:
                fit = self._fitting(f"[{name!r}]", kind, value[name])
                if fit is not value[name]:
                    changes[name] = fit
            elif name not in self.optional:
                raise self.refuse(value, f"it lacks the key {name!r}")
        return {**value, **changes} if changes else value

    def make(self, values: dict[str, Any]) -> Any:
        """Give the dictionary."""
        return values

    def plain(self, value: Any) -> Plain:
        """Give the dictionary, its members as JSON can say them."""
        return {name: self.fields[name].plain(member) for name, member in value.items()}


class Named(Record):
    """A named tuple; from JSON also by position."""

    def from_plain(self, plain: Plain) -> Any:
        """Make one of a JSON object or array."""
        if isinstance(plain, list):
            if len(plain) > len(self.fields):
                raise self.misread(plain, f"it has {len(plain)} members, not {len(self.fields)}")
            plain = dict(zip(self.fields, plain, strict=False))
        return super().from_plain(plain)

    def changed(self, value: Any, changes: dict[str, Any]) -> Any:
        """Give a tuple with other values in some fields."""
        return value._replace(**changes)


class Struct(Record):
    """A ``msgspec.Struct``; msgspec reads and writes it, with the names, tags and constraints that it declares."""

    def __init__(self, kind: type, name: str, annotation: Any, of: Of) -> None:
        """Take the class, its name, the annotation with its arguments, and what knows other kinds."""
        super().__init__(kind, name)
        self._annotation = annotation
        self._of = of

    def from_plain(self, plain: Plain) -> Any:
        """Make one of JSON, as msgspec does."""
        import msgspec  # loaded by who defines a struct

        try:
            return msgspec.convert(plain, self._annotation, str_keys=True, dec_hook=self._read_other)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            raise Mismatch(self.describe(), plain, place.rstrip("`"), reason) from None

    def changed(self, value: Any, changes: dict[str, Any]) -> Any:
        """Give a struct with other values in some fields."""
        import msgspec  # as above

        return msgspec.structs.replace(value, **changes)

    def _read_other(self, kind: type, plain: Plain) -> Any:
        return self._of(kind).from_plain(plain)

    def plain(self, value: Any) -> Plain:
        """Give what msgspec makes of it."""
        import msgspec  # as above

        return msgspec.to_builtins(value, str_keys=True, builtin_types=(), enc_hook=self._write_other)

    def _write_other(self, value: Any) -> Plain:
        return self._of(type(value)).plain(value)


class Model(Record):
    """A pydantic model: pydantic has checked it when it was made, and reads and writes it."""

    def check(self, value: Any) -> Any:
        """Take objects of the class."""
        if isinstance(value, self.type):
            return value
        raise self.refuse(value)

    def from_plain(self, plain: Plain) -> Any:
        """Make one of JSON, as pydantic does."""
        import pydantic_core  # loaded by who defines a model

        from laminar.tasks.kinds.contract import encoded

        try:
            return self.type.model_validate_json(encoded(plain))  # type: ignore[attr-defined]
        except pydantic_core.ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
            raise Mismatch(self.describe(), first["input"], path, first["msg"]) from None

    def plain(self, value: Any) -> Plain:
        """Give what pydantic makes of it."""
        return value.model_dump(mode="json")

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - pydantic names what is inside itself
        """Give the schema that pydantic makes; where it can make none, the fields by name."""
        try:
            return {"model": self.type.model_json_schema(mode="validation")}  # type: ignore[attr-defined]
        except Exception:  # a field of a type that JSON Schema does not know
            fields = self.type.model_fields.items()  # type: ignore[attr-defined]
            return {"model": self.type.__qualname__, "fields": {name: repr(info.annotation) for name, info in fields}}


def make(annotation: Any, origin: Any, args: tuple[Any, ...], compiler: Compiling) -> Kind | None:
    """Compile what this file knows; None for the rest."""
    kind = origin or annotation
    if not isinstance(kind, type):
        return None
    name = short_name(kind) + (f"[{', '.join(map(annotation_text, args))}]" if args else "")
    if _is_model(kind):
        return Model(kind, name)
    record = _record(kind, name, annotation, compiler)
    if record is None:
        return None
    if found := compiler.open.get((kind, args)):
        if isinstance(found, Record):
            found.recursive = True
        return found
    compiler.open[kind, args] = record
    variables = getattr(kind, "__parameters__", ())
    inside = compiler.within(dict(zip(variables, args, strict=False)))
    hints = _hints(kind)
    for field in _fields(kind):
        record.fields[field] = inside.kind_of(hints.get(field, typing.Any))
    return record


def _is_model(kind: type) -> bool:
    pydantic = sys.modules.get("pydantic.main")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _record(kind: type, name: str, annotation: Any, compiler: Compiling) -> Record | None:
    """Choose the kind of record that a class is, and say which fields may be left out."""
    if _is_dictionary(kind):
        return Dictionary(kind, name)
    record: Record
    if hasattr(kind, "__dataclass_fields__"):
        record = Record(kind, name)
        record.optional = frozenset(name for name, field in _data_fields(kind) if _has_default(field))
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        record = Named(kind, name)
        record.optional = frozenset(kind._field_defaults)  # type: ignore[attr-defined]
    elif hasattr(kind, "__struct_fields__"):
        record = Struct(kind, name, annotation, compiler.kind_of)
        optional = len(kind.__struct_defaults__)  # type: ignore[attr-defined]
        record.optional = frozenset(kind.__struct_fields__[-optional:] if optional else ())
    else:
        return None
    return record


def _is_dictionary(kind: type) -> bool:
    """Tell a ``TypedDict``, also that of ``typing_extensions``."""
    return hasattr(kind, "__required_keys__") and hasattr(kind, "__total__")


def _data_fields(kind: type) -> list[tuple[str, Any]]:
    """List the fields that a dataclass's constructor takes and its objects keep."""
    fields = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return [(name, field) for name, field in fields.items() if field.init and field._field_type.name == "_FIELD"]


def _has_default(field: Any) -> bool:
    import dataclasses  # loaded by who defines one

    return not field.default is field.default_factory is dataclasses.MISSING


def _fields(kind: type) -> list[str]:
    """List the names of fields, in the order of definition."""
    if hasattr(kind, "__dataclass_fields__"):
        return [name for name, _ in _data_fields(kind)]
    names = getattr(kind, "_fields", None) or getattr(kind, "__struct_fields__", None) or kind.__annotations__
    return list(_hints(kind) if _is_dictionary(kind) else names)


def _optional_keys(kind: Any) -> set[str]:
    """Name the keys that may be left out; what is marked is not known to the class where annotations are strings."""
    optional = set(kind.__optional_keys__)
    for name, hint in _hints(kind).items():
        mark = typing.get_origin(hint)
        if mark is typing.NotRequired:
            optional.add(name)
        elif mark is typing.Required:
            optional.discard(name)
    return optional


def _hints(kind: type) -> dict[str, Any]:
    own = {kind.__name__: kind, **{each.__name__: each for each in getattr(kind, "__type_params__", ())}}
    try:
        return typing.get_type_hints(kind, localns=own, include_extras=True)
    except NameError as error:
        raise UnresolvedError(type_name(kind), f"a field of it names a type that cannot be found: {error}") from None
