"""The canonical digest of a value: equal in every process for equal values, another for all that code could tell apart.

What consists of plain values only goes through :mod:`marshal`, at the speed of C. With its version 2, nothing of
identity is written, and sets are sorted; so the bytes depend on the value alone. It takes any buffer for bytes, so the
types are looked at first. Everything else is a tree of digests: a node is hashed from its kind and its children, and
objects are taken apart as pickle does it, but attribute by attribute, with their names sorted and sets in order.
"""

from __future__ import annotations

import copyreg
import sys
from hashlib import blake2b
from marshal import dumps
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType

from laminar.errors import DigestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    Code = Callable[[Any], bytes]
    Named = Callable[[type], str]

SIZE = 16
#: With version 2, marshal writes no references: what it writes does not depend on which objects are the same one.
VERSION = 2
SCALARS = frozenset((type(None), bool, int, float, str, bytes))
SEQUENCES = frozenset((list, tuple, set, frozenset))
#: What can begin a token beside what marshal writes.
NODE = b"\x00"
BACK = b"\x01"
MAINS = ("__main__", "__mp_main__")


def digest(value: Any, code: Code, named: Named | None = None) -> bytes:
    """Give the canonical digest of a value.

    Equal are values that no code could tell apart but by identity. So 1, 1.0 and True differ, and so do 0.0 and -0.0,
    tuple and list, two orders of a dictionary, two names of a time zone. NaN is equal to a NaN of the same bits. What
    stands twice in a value counts as two equal things. What is of :mod:`asyncio`, as a semaphore, counts by its class.

    Args:
        value: Anything.
        code: Gives the digest of a function, class or module within the value.
        named: Names the classes of objects within the value; by default by their qualified names.

    Returns:
        16 bytes.

    Raises:
        DigestError: Some part cannot be taken apart; the message names the path to it.
    """
    if is_flat(value):
        return blake2b(dumps(value, VERSION), digest_size=SIZE).digest()
    try:
        return blake2b(Digester(code, named or name_of).token(value), digest_size=SIZE).digest()
    except _Refusal as refusal:
        raise refusal.error(value) from refusal.__cause__
    except RecursionError as error:
        raise DigestError(
            f"A value of type {name_of(type(value))} is nested too deeply to be a key of the cache. "
            "Pass a flatter value, or leave the parameter out with ignored_inputs."
        ) from error


def is_flat(value: Any) -> bool:
    """Tell whether a value is plain, or a plain collection of plain values, of exactly these types."""
    kind = type(value)
    if kind is dict:
        return SCALARS.issuperset(map(type, value.values())) and SCALARS.issuperset(map(type, value))
    return kind in SCALARS or (kind in SEQUENCES and SCALARS.issuperset(map(type, value)))


def name_of(kind: Any) -> str:
    """Give the qualified name of a class or function; what a script defines is named by the script's file."""
    module = getattr(kind, "__module__", None) or "builtins"
    if module in MAINS:
        main = sys.modules[module]
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None) or module
        module = spec.name if spec else file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return f"{module}.{getattr(kind, '__qualname__', None) or kind.__name__}"


class _Refusal(Exception):  # noqa: N818
    """A part cannot be taken apart; the path grows on the way out."""

    def __init__(self, value: Any, reason: str) -> None:
        super().__init__(reason)
        self.kind = name_of(type(value))
        self.path: list[str] = []

    def error(self, whole: Any) -> DigestError:
        place = "".join(reversed(self.path))
        part = f"{place.lstrip('.')} in a value of type {name_of(type(whole))}" if place else "A value"
        return DigestError(
            f"{part} is a {self.kind}, which has no digest, so it cannot be a key of the cache: {self.args[0]}. "
            "Give its class a method __laminar_digest__ that returns bytes, pass something else, or leave the "
            "parameter out with ignored_inputs."
        )


class Digester:
    """Digests one value, each part of it once."""

    def __init__(self, code: Code, named: Named) -> None:
        """Begin.

        Args:
            code: Gives the digest of a function, class or module.
            named: Names the class of an object.
        """
        self._code = code
        self._named = named
        self._known: dict[int, tuple[Any, bytes]] = {}
        self._open: dict[int, int] = {}
        self._lowest = sys.maxsize
        self._ways: dict[type, Callable[[Any], bytes]] = {
            list: self._sequence,
            tuple: self._sequence,
            set: self._set,
            frozenset: self._set,
            dict: self._dict,
            MappingProxyType: lambda value: self.node("mappingproxy", (dict(value),)),
            bytearray: lambda value: self.node("bytearray", (bytes(value),)),
            memoryview: lambda value: self.node("memoryview", (value.format, value.shape, value.tobytes())),
            FunctionType: self._coded,
            ModuleType: self._coded,
            MethodType: lambda value: self.node("method", (value.__func__, value.__self__)),
        }

    def token(self, value: Any) -> bytes:
        """Give the bytes that stand for a value, from whose beginning their end is known."""
        if is_flat(value):
            return dumps(value, VERSION)
        key = id(value)
        if key in self._known:
            return self._known[key][1]
        if key in self._open:
            self._lowest = min(self._lowest, self._open[key])
            return BACK + dumps(len(self._open) - self._open[key], VERSION)
        return self._enter(key, value)

    def _enter(self, key: int, value: Any) -> bytes:
        above, self._lowest = self._lowest, sys.maxsize
        depth = self._open[key] = len(self._open)
        try:
            made = self._way(type(value))(value)
        finally:
            del self._open[key]
        if self._lowest >= depth:  # what refers to something above it means another thing elsewhere
            self._known[key] = (value, made)
            self._lowest = sys.maxsize
        self._lowest = min(above, self._lowest)
        return made

    def node(self, kind: str, children: Iterable[Any]) -> bytes:
        """Give the token of something that consists of others, in their order."""
        tokens: list[bytes] = []
        try:
            tokens.extend(map(self.token, children))
        except _Refusal as refusal:
            refusal.path.append(f"[{len(tokens)}]")
            raise
        return self.joined(kind, tokens)

    def joined(self, kind: str, tokens: list[bytes]) -> bytes:
        """Give the token of something that consists of what the tokens stand for."""
        head = dumps((kind, len(tokens)), VERSION)
        return NODE + blake2b(head + b"".join(tokens), digest_size=SIZE).digest()

    def raw(self, kind: str, head: tuple[Any, ...], data: Any) -> bytes:
        """Give the token of a buffer without copying it."""
        total = blake2b(dumps((kind, *head), VERSION), digest_size=SIZE)
        total.update(data)
        return NODE + total.digest()

    def _way(self, kind: type) -> Callable[[Any], bytes]:
        way = self._ways.get(kind)
        if way is None:
            way = self._ways[kind] = self._choose(kind)
        return way

    def _choose(self, kind: type) -> Callable[[Any], bytes]:
        if hasattr(kind, "__laminar_digest__"):
            return self._hooked
        if str(kind.__module__).partition(".")[0] == "asyncio" and not issubclass(kind, BaseException):
            return self._at_work
        if issubclass(kind, type):
            return self._coded
        if "enum" in sys.modules and issubclass(kind, sys.modules["enum"].Enum):
            return self._enum
        if "pathlib" in sys.modules and issubclass(kind, sys.modules["pathlib"].PurePath):
            return lambda value: self.node("path", (self._named(kind), str(value)))
        if issubclass(kind, (set, frozenset)):
            return lambda value: self.joined(self._named(kind), [self._set(value), self._attributes(value)])
        from laminar.data import tables  # 1 ms, and only what is no plain value needs it

        return tables.way(kind, self) or self._object

    def _sequence(self, value: Any) -> bytes:
        return self.node("list" if type(value) is list else "tuple", value)

    def _set(self, value: Any) -> bytes:
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return self.joined(kind, sorted(map(self.token, value)))

    def _dict(self, value: dict[Any, Any]) -> bytes:
        tokens: list[bytes] = []
        for key, item in value.items():
            try:
                tokens += (self.token(key), self.token(item))
            except _Refusal as refusal:
                refusal.path.append(f"[{key!r}]")
                raise
        return self.joined("dict", tokens)

    def _coded(self, value: Any) -> bytes:
        return self.node("code", (self._code(value),))

    def _hooked(self, value: Any) -> bytes:
        return self.node("hook", (self._named(type(value)), bytes(value.__laminar_digest__())))

    def _at_work(self, value: Any) -> bytes:
        """Take a semaphore, an event loop and their like by their class: the rest is what happens just then."""
        return self.joined(self._named(type(value)), [])

    def _enum(self, value: Any) -> bytes:
        return self.node("enum", (self._named(type(value)), value.name, value.value))

    def _attributes(self, value: Any) -> bytes:
        return self._state(value, getattr(value, "__dict__", None))

    def _object(self, value: Any) -> bytes:
        """Take an object apart as pickle would."""
        reduced = _reduce(value)
        if isinstance(reduced, str):
            if hasattr(value, "__wrapped__"):  # what functools has wrapped bears the name of what it wraps
                return self._coded(value)
            return self.node("global", (getattr(value, "__module__", None), reduced))
        made, given, state, items, pairs = (*reduced, None, None, None)[:5]
        head, arguments = self._construction(made, given)
        tokens = [self.token(head)]
        tokens += self._arguments(arguments)
        tokens.append(self._state(value, state))
        tokens.append(self.node("items", items or ()))
        tokens += [self.token(part) for pair in pairs or () for part in pair]
        return self.joined(self._named(type(value)), tokens)

    def _construction(self, made: Any, arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        """Say what makes an object, and of what: a class counts here by its name."""
        name = getattr(made, "__name__", "")
        if name in ("__newobj__", "__newobj_ex__"):
            return self._named(arguments[0]), tuple(arguments[1:])
        if isinstance(made, (type, FunctionType)):
            return self._named(made) if isinstance(made, type) else name_of(made), arguments
        if isinstance(made, BuiltinFunctionType) and isinstance(made.__self__, (type, ModuleType)):
            return f"{made.__module__ or made.__self__.__module__}.{made.__qualname__}", arguments
        return made, arguments

    def _arguments(self, arguments: Iterable[Any]) -> Iterator[bytes]:
        for index, argument in enumerate(arguments):
            try:
                yield self.token(self._named(argument) if isinstance(argument, type) else argument)
            except _Refusal as refusal:
                refusal.path.append(f"[{index}]")
                raise

    def _state(self, owner: Any, state: Any) -> bytes:
        if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # attributes, and those of slots
            return self.joined("state", [self._state(owner, part) for part in state])
        if type(state) is not dict or not all(type(name) is str for name in state):
            return self.token(state)
        tokens: list[bytes] = []
        for name in sorted(state):
            if _is_computed(type(owner), name):
                continue
            try:
                tokens += (dumps(name, VERSION), self.token(state[name]))
            except _Refusal as refusal:
                refusal.path.append(f".{name}")
                raise
        return self.joined("state", tokens) if tokens else self.token(None)  # as where there never was an attribute


def _reduce(value: Any) -> str | tuple[Any, ...]:
    way = copyreg.dispatch_table.get(type(value))
    try:
        reduced: str | tuple[Any, ...] = way(value) if way else value.__reduce_ex__(4)
    except RecursionError:
        raise
    except Exception as error:
        raise _Refusal(value, f"{type(error).__name__}: {error}") from error
    return reduced


def _is_computed(kind: type, name: str) -> bool:
    """Tell whether an attribute is only what a ``functools.cached_property`` has kept."""
    attribute = getattr(kind, name, None)
    return type(attribute).__name__ == "cached_property"
