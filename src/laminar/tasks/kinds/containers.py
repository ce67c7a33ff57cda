"""Kinds of builtin containers: sequences, sets, mappings and tuples, each with the kinds of its members.

A container is checked to its last member. Where the members' types alone decide, that is one pass in C: 20 ms for a
list of a million ints, where copying it takes 6. Otherwise each is looked at: a million ints become floats in 0.2 s.
"""

from __future__ import annotations

import collections
from collections import abc

from laminar.tasks.kinds.contract import NOTHING, Kind, Mismatch, encoded, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


def checked(kind: Kind, members: Iterable[Any]) -> list[Any] | None:
    """Check members one after another.

    Returns:
        The members to pass on, where one of them was converted; None where all are as they were.

    Raises:
        Mismatch: One does not fit; its place is in the path.
    """
    check, out, changed, position = kind.check, [], False, -1
    try:
        for position, member in enumerate(members):  # noqa: B007 - named in the error
            fit = check(member)
            changed = changed or fit is not member
            out.append(fit)
    except Mismatch as mismatch:
        raise mismatch.under(f"[{position}]") from None
    return out if changed else None


def read(kind: Kind, members: Iterable[Plain]) -> list[Any]:
    """Read members from JSON.

    Raises:
        Mismatch: One does not fit; its place is in the path.
    """
    out: list[Any] = []
    try:
        out.extend(kind.from_plain(member) for member in members)
    except Mismatch as mismatch:
        raise mismatch.under(f"[{len(out)}]") from None
    return out


class Members(Kind):
    """A container of members that are all of one kind: a list, a set, any sequence."""

    def __init__(self, accepts: type, makes: type, name: str, member: Kind | None, any_member: Kind) -> None:
        """Take what is accepted, what JSON becomes, the name of the type, and the members' kind."""
        self.accepts: Any = accepts
        self.makes = makes
        self.member = member or any_member
        self.name = f"{name}[{member.name}{', ...' if makes is tuple else ''}]" if member else name
        self.head = name
        self.exact = frozenset((makes,)) if self.member.anything and accepts is makes else NOTHING
        self._counted = issubclass(accepts, abc.Collection)
        self._ordered = not issubclass(makes, abc.Set)

    @property
    def known(self) -> bool:
        """Whether the members are; what is read once, such as an iterator, cannot be checked nor shown."""
        return self.member.known and self._counted

    def check(self, value: Any) -> Any:
        """Take containers whose members all fit."""
        if not isinstance(value, self.accepts):
            raise self.refuse(value)
        member = self.member
        if member.anything or not (self._counted or isinstance(value, abc.Collection)):
            return value
        if member.exact and member.exact.issuperset(map(type, value)):
            return value
        fit = checked(member, value)
        return value if fit is None else self._again(value, fit)

    def _again(self, value: Any, members: list[Any]) -> Any:
        """Make a container like one that is there, of members that were converted."""
        kind = type(value)
        return kind(members) if kind in (list, tuple, set, frozenset) else self.makes(members)

    def from_plain(self, plain: Plain) -> Any:
        """Read a JSON array."""
        if not isinstance(plain, list):
            raise self.misread(plain, "write a JSON array")
        members = read(self.member, plain)
        try:
            return self.makes(members)
        except TypeError as error:
            raise self.misread(plain, str(error)) from None

    def plain(self, value: Any) -> Plain:
        """Give an array; the members of a set in an order that is the same in every process."""
        if not isinstance(value, abc.Collection):
            return repr(value)
        members = [self.member.plain(member) for member in value]
        return members if self._ordered else sorted(members, key=encoded)

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Name the container, and describe its members."""
        return {self.head: self.member.schema(within)}


class Mapping(Kind):
    """A mapping of keys of one kind to values of another."""

    def __init__(self, accepts: type, makes: type, name: str, pair: tuple[Kind, Kind] | None, any_member: Kind) -> None:
        """Take what is accepted, what JSON becomes, the name of the type, and the kinds of key and value."""
        self.accepts: Any = accepts
        self.makes = makes
        self.key, self.value = pair or (any_member, any_member)
        self.name = f"{name}[{self.key.name}, {self.value.name}]" if pair else name
        self.head = name
        free = self.key.anything and self.value.anything and accepts is makes
        self.exact = frozenset((makes,)) if free else NOTHING

    @property
    def known(self) -> bool:
        """Whether keys and values are."""
        return self.key.known and self.value.known

    def check(self, value: Any) -> Any:
        """Take mappings whose keys and values all fit."""
        if not isinstance(value, self.accepts):
            raise self.refuse(value)
        keys = self._keys(value)
        values = self._values(value)
        if keys is None and values is None:
            return value
        pairs: zip[tuple[Any, Any]] = zip(keys or value, values or value.values(), strict=True)
        return self._again(value, pairs)

    def _keys(self, value: Any) -> list[Any] | None:
        if self.key.anything or (self.key.exact and self.key.exact.issuperset(map(type, value))):
            return None
        try:
            return checked(self.key, value)
        except Mismatch as mismatch:
            raise Mismatch(mismatch.expected, mismatch.got, ".keys()" + mismatch.path, mismatch.note) from None

    def _values(self, value: Any) -> list[Any] | None:
        kind = self.value
        if kind.anything or (kind.exact and kind.exact.issuperset(map(type, value.values()))):
            return None
        out, changed = [], False
        for key, member in value.items():
            try:
                fit = kind.check(member)
            except Mismatch as mismatch:
                raise mismatch.under(f"[{shown(key)}]") from None
            changed = changed or fit is not member
            out.append(fit)
        return out if changed else None

    def _again(self, value: Any, pairs: Iterable[tuple[Any, Any]]) -> Any:
        """Make a mapping like one that is there, of members that were converted."""
        if hasattr(value, "copy") and isinstance(value, abc.MutableMapping):
            other = value.copy()  # type: ignore[attr-defined]
            other.clear()
            other.update(pairs)
            return other
        return self.makes(pairs)

    def from_plain(self, plain: Plain) -> Any:
        """Read a JSON object, whose keys are read as words of a command line are."""
        if not isinstance(plain, dict):
            raise self.misread(plain, "write a JSON object")
        made = {}
        for spelled, value in plain.items():
            key = self._read_key(spelled)
            try:
                made[key] = self.value.from_plain(value)
            except Mismatch as mismatch:
                raise mismatch.under(f"[{shown(spelled)}]") from None
            except TypeError as error:
                raise self.misread(plain, str(error)) from None
        return self._made(made)

    def _made(self, pairs: dict[Any, Any]) -> Any:
        """Make the mapping; one with a factory for what is missing, or that counts, starts without any."""
        if self.makes is dict:
            return pairs
        made = self.makes()
        made.update(pairs)
        return made

    def _read_key(self, key: str) -> Any:
        try:
            return key if self.key.anything else self.key.parse(key)
        except Mismatch as mismatch:
            raise mismatch.under(".keys()") from None

    def plain(self, value: Any) -> Plain:
        """Give an object; keys are written as on a command line."""
        return {self._key_text(key): self.value.plain(member) for key, member in value.items()}

    def _key_text(self, key: Any) -> str:
        return key if isinstance(key, str) and self.key.anything else self.key.text(key)

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Name the mapping, and describe keys and values."""
        return {self.head: [self.key.schema(within), self.value.schema(within)]}


class Tuple(Kind):
    """A tuple of so many members, each of its own kind."""

    def __init__(self, members: tuple[Kind, ...]) -> None:
        """Take the kinds of the members."""
        self.members = members
        self.name = f"tuple[{', '.join(member.name for member in members) or '()'}]"

    @property
    def known(self) -> bool:
        """Whether all members are."""
        return all(member.known for member in self.members)

    def check(self, value: Any) -> Any:
        """Take tuples of just these members."""
        if not isinstance(value, tuple):
            raise self.refuse(value)
        fit = self._each(value, "check", self.refuse)
        return value if all(new is old for new, old in zip(fit, value, strict=True)) else tuple(fit)

    def from_plain(self, plain: Plain) -> Any:
        """Read a JSON array."""
        if not isinstance(plain, list):
            raise self.misread(plain, "write a JSON array")
        return tuple(self._each(plain, "from_plain", self.misread))

    def _each(self, values: Any, deed: str, refuse: Any) -> list[Any]:
        if len(values) != len(self.members):
            raise refuse(values, f"it has {len(values)} members, not {len(self.members)}")
        out = []
        for position, (member, value) in enumerate(zip(self.members, values, strict=True)):
            try:
                out.append(getattr(member, deed)(value))
            except Mismatch as mismatch:
                raise mismatch.under(f"[{position}]") from None
        return out

    def plain(self, value: Any) -> Plain:
        """Give an array."""
        return [kind.plain(member) for kind, member in zip(self.members, value, strict=True)]

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Describe the members."""
        return {"tuple": [member.schema(within) for member in self.members]}


#: For each origin: what is accepted, what JSON becomes, and the name.
SEQUENCES: dict[Any, tuple[type, type, str]] = {
    list: (list, list, "list"),
    set: (set, set, "set"),
    frozenset: (frozenset, frozenset, "frozenset"),
    collections.deque: (collections.deque, collections.deque, "deque"),
    abc.Sequence: (abc.Sequence, list, "Sequence"),
    abc.MutableSequence: (abc.MutableSequence, list, "MutableSequence"),
    abc.Collection: (abc.Collection, list, "Collection"),
    abc.Iterable: (abc.Iterable, list, "Iterable"),
    abc.Iterator: (abc.Iterator, list, "Iterator"),
    abc.Container: (abc.Container, list, "Container"),
    abc.Reversible: (abc.Reversible, list, "Reversible"),
    abc.Set: (abc.Set, frozenset, "Set"),
    abc.MutableSet: (abc.MutableSet, set, "MutableSet"),
}
MAPPINGS: dict[Any, tuple[type, type, str]] = {
    dict: (dict, dict, "dict"),
    collections.OrderedDict: (collections.OrderedDict, collections.OrderedDict, "OrderedDict"),
    collections.defaultdict: (collections.defaultdict, collections.defaultdict, "defaultdict"),
    collections.Counter: (collections.Counter, collections.Counter, "Counter"),
    abc.Mapping: (abc.Mapping, dict, "Mapping"),
    abc.MutableMapping: (abc.MutableMapping, dict, "MutableMapping"),
}


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:
    """Compile what this file knows; None for the rest."""
    container = origin or annotation
    if container is tuple:
        return _tuple(annotation, args, of)
    if type(container).__hash__ is None:
        return None
    from typing import Any

    if container in SEQUENCES:
        accepts, makes, name = SEQUENCES[container]
        return Members(accepts, makes, name, of(args[0]) if args else None, of(Any))
    if container in MAPPINGS:
        accepts, makes, name = MAPPINGS[container]
        if container is collections.Counter:
            args = (*args, int) if args else args
        pair = (of(args[0]), of(args[1])) if len(args) == 2 else None
        return Mapping(accepts, makes, name, pair, of(Any))
    return None


def _tuple(annotation: Any, args: tuple[Any, ...], of: Of) -> Kind:
    from typing import Any

    if len(args) == 2 and args[1] is Ellipsis:
        return Members(tuple, tuple, "tuple", of(args[0]), of(Any))
    bare = annotation is tuple or (not args and repr(annotation) == "typing.Tuple")
    return Members(tuple, tuple, "tuple", None, of(Any)) if bare else Tuple(tuple(of(arg) for arg in args))
