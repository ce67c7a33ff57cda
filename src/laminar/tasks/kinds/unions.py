"""Kinds of a choice: unions, optional values, literals and enums."""

from __future__ import annotations

import enum
import types

from laminar.tasks.kinds.contract import NOTHING, Kind, Mismatch, short_name, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


#: Numbers, the narrower ones first.
WIDTHS = {"int": 0, "float": 1, "complex": 2, "bool": 3}
WORDS = {None: "null", True: "true", False: "false"}


class Union(Kind):
    """One of some kinds, tried in the order of the annotation."""

    def __init__(self, members: tuple[Kind, ...]) -> None:
        """Take the kinds."""
        self.members = members
        self.name = " | ".join(member.name for member in members)
        self.exact = NOTHING.union(*(member.exact for member in members))
        self._reading = _reading_order(members)

    @property
    def known(self) -> bool:
        """Whether all members are."""
        return all(member.known for member in self.members)

    @property
    def anything(self) -> bool:
        """Whether one of the members takes all."""
        return any(member.anything for member in self.members)

    @property
    def metavar(self) -> str:
        """Give those of the members."""
        return "|".join(dict.fromkeys(member.metavar for member in self.members))

    def check(self, value: Any) -> Any:
        """Take what a member takes as it is, else what one of them converts."""
        if type(value) in self.exact:
            return value
        converted, deepest = NOTHING, self.refuse(value)
        for member in self.members:
            try:
                fit = member.check(value)
            except Mismatch as mismatch:
                deepest = max(deepest, mismatch, key=lambda each: len(each.path))
                continue
            if fit is value:
                return value
            converted = fit if converted is NOTHING else converted
        if converted is NOTHING:
            raise deepest
        return converted

    def parse(self, text: str) -> Any:
        """Read what the first member that can makes of it; null is tried first, and an int before a float."""
        for member in self._reading:
            try:
                return member.parse(text)
            except Mismatch:
                continue
        raise self.misread(text)

    def from_plain(self, plain: Plain) -> Any:
        """Read what the first member that can makes of it; null is tried first, and an int before a float."""
        deepest = self.misread(plain)
        for member in self._reading:
            try:
                return member.from_plain(plain)
            except Mismatch as mismatch:
                deepest = max(deepest, mismatch, key=lambda each: len(each.path))
        raise deepest

    def _member(self, value: Any) -> Kind:
        """Find the member that a value is of: one that takes it as it is, else one that takes it at all."""
        found = None
        for member in self.members:
            try:
                fit = member.check(value)
            except Mismatch:
                continue
            if fit is value:
                return member
            found = found or member
        return found or self.members[0]

    def plain(self, value: Any) -> Plain:
        """Give what the value's own kind does."""
        return self._member(value).plain(value)

    def text(self, value: Any) -> str:
        """Write what the value's own kind does."""
        return self._member(value).text(value)

    def describe(self) -> str:
        """Say what each member is written as."""
        return " | ".join(dict.fromkeys(member.describe() for member in self.members))

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Describe the members."""
        return {"union": [member.schema(within) for member in self.members]}


def _reading_order(members: tuple[Kind, ...]) -> list[Kind]:
    """Keep the order of the annotation, but try null first, and among numbers the narrower ones: 5 is an int."""
    numbers = iter(sorted((member for member in members if member.name in WIDTHS), key=lambda each: WIDTHS[each.name]))
    order = [next(numbers) if member.name in WIDTHS else member for member in members]
    return sorted(order, key=lambda member: member.name != "None")


class Literal(Kind):
    """One of some values."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        """Take the values."""
        self.values = values
        self.name = f"Literal[{', '.join(map(repr, values))}]"
        self._words = {_word(value): value for value in values}

    @property
    def metavar(self) -> str:
        """List the values."""
        return f"[{'|'.join(self._words)}]"

    def check(self, value: Any) -> Any:
        """Take one of the values, of its very type: 1 is not True."""
        for known in self.values:
            if value is known or (type(value) is type(known) and value == known):
                return value
        raise self.refuse(value)

    def parse(self, text: str) -> Any:
        """Read one of the words."""
        if text not in self._words:
            raise self.misread(text)
        return self._words[text]

    def from_plain(self, plain: Plain) -> Any:
        """Take one of the values, or the name of an enum's member."""
        for known in self.values:
            said = _said(known)
            if type(plain) is type(said) and plain == said:
                return known
        raise self.misread(plain)

    def plain(self, value: Any) -> Plain:
        """Give the value; the name of an enum's member; bytes as text."""
        return _said(value)

    def text(self, value: Any) -> str:
        """Write the word."""
        return _word(value)

    def describe(self) -> str:
        """List the words."""
        return f"one of {', '.join(self._words)}"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """List the values and their types."""
        return {"literal": [[type(value).__name__, _word(value)] for value in self.values]}


def _said(value: Any) -> Plain:
    """Write a literal as JSON does."""
    if isinstance(value, enum.Enum):
        return value.name
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _word(value: Any) -> str:
    """Write a literal as a command line does."""
    return WORDS[value] if value is None or isinstance(value, bool) else str(_said(value))


class Enumeration(Kind):
    """A member of an enum, written by its name or its value; a combination of flags too."""

    def __init__(self, kind: type[enum.Enum]) -> None:
        """Take the enum."""
        self.enum = kind
        self.name = short_name(kind)
        self.exact = frozenset((kind,))

    @property
    def metavar(self) -> str:
        """List the names."""
        return f"[{'|'.join(self.enum.__members__)}]"

    def check(self, value: Any) -> Any:
        """Take members, not their values."""
        if isinstance(value, self.enum):
            return value
        raise self.refuse(value, f"write {self.enum.__name__}(…)" if self._is_value(value) else "")

    def _is_value(self, value: Any) -> bool:
        return any(type(member.value) is type(value) and member.value == value for member in self.enum)

    def parse(self, text: str) -> Any:
        """Read a name, else a value as text writes it, else a combination of flags."""
        if text in self.enum.__members__:
            return self.enum[text]
        for member in self.enum:
            if str(member.value) == text:
                return member
        if issubclass(self.enum, enum.Flag):
            return self._flags(text)
        raise self.misread(text)

    def _flags(self, text: str) -> Any:
        """Read names with ``|`` between them, or a number."""
        combined: Any = self.enum(0)
        try:
            for word in filter(None, text.split("|")):
                combined |= self.enum(int(word)) if word.isdigit() else self.enum[word.strip()]
        except (KeyError, ValueError):
            raise self.misread(text, "flags are written with | between them") from None
        return combined

    def from_plain(self, plain: Plain) -> Any:
        """Read a name or a value."""
        if isinstance(plain, str):
            return self.parse(plain)
        for member in self.enum:
            if type(member.value) is type(plain) and member.value == plain:
                return member
        if issubclass(self.enum, enum.Flag) and type(plain) is int:
            return self._flags(str(plain))
        raise self.misread(plain)

    def plain(self, value: Any) -> Plain:
        """Give the name; of combined flags, the number."""
        return value.name if value.name in self.enum.__members__ else value.value

    def text(self, value: Any) -> str:
        """Write the name."""
        return str(self.plain(value))

    def describe(self) -> str:
        """List the names."""
        return f"one of {', '.join(self.enum.__members__)}"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """List names and values."""
        members = {name: shown(member.value) for name, member in self.enum.__members__.items()}
        return {"enum": self.enum.__qualname__, "members": members}


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:
    """Compile what this file knows; None for the rest."""
    import typing  # loaded already wherever an annotation has an origin

    if origin is typing.Union or origin is types.UnionType:
        return Union(tuple(of(arg) for arg in args))
    if origin is typing.Literal:
        return Literal(args)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Enumeration(annotation)
    return None
