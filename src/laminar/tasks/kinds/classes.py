"""Kinds of classes: those that no other family knows, which are pickled; types as values; callables."""

from __future__ import annotations

from laminar.tasks.kinds.contract import Kind, short_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain

#: Modules whose classes pickle well and say all that matters, though JSON cannot.
FAMILIAR = frozenset(("builtins", "collections", "re", "zoneinfo", "ipaddress"))


class Instance(Kind):
    """An object of a class, of which no more is known. It cannot be written on a command line."""

    def __init__(self, kind: type, name: str = "") -> None:
        """Take the class, and the name that the annotation has."""
        self.type = kind
        self.name = name or short_name(kind)
        try:
            isinstance(None, kind)
        except TypeError:  # a protocol that cannot be checked at run time, or what forbids the question
            self._checks = False
        else:
            self._checks = True

    @property
    def known(self) -> bool:
        """Only some classes of the standard library are known to travel well."""
        return getattr(self.type, "__module__", "") in FAMILIAR

    @property
    def metavar(self) -> str:
        """Name the class."""
        return self.type.__name__.upper()

    def check(self, value: Any) -> Any:
        """Take objects of the class; everything, where the class cannot tell."""
        if not self._checks or isinstance(value, self.type):
            return value
        raise self.refuse(value)

    def parse(self, text: str) -> Any:
        """Refuse: nothing says how one is made."""
        return self.from_plain(text)

    def from_plain(self, plain: Plain) -> Any:
        """Refuse: nothing says how one is made."""
        raise self.misread(plain, "it has no form as text; call the task from Python")

    def plain(self, value: Any) -> Plain:
        """Give its ``repr``."""
        return repr(value)

    def text(self, value: Any) -> str:
        """Give its ``repr``."""
        return repr(value)

    def describe(self) -> str:
        """Name the class."""
        return self.name

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the class; its module is left out, since that of a script depends on how it is started."""
        return {"class": self.name}


class Function(Instance):
    """Something that can be called; it is pickled by its name, or with its definition."""

    @property
    def known(self) -> bool:
        """It travels."""
        return True

    def check(self, value: Any) -> Any:
        """Take what can be called; the types of its arguments cannot be checked."""
        if callable(value):
            return value
        raise self.refuse(value)


class Type(Instance):
    """A class itself: one that derives from others, where the annotation says so."""

    def __init__(self, bounds: tuple[type, ...], name: str) -> None:
        """Take the classes that it may derive from, and the name that the annotation has."""
        super().__init__(type, name)
        self.bounds = bounds

    def check(self, value: Any) -> Any:
        """Take classes that derive from one of the bounds."""
        if isinstance(value, type) and (not self.bounds or issubclass(value, self.bounds)):
            return value
        raise self.refuse(value)


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile every class, whatever it is; None for what is none."""
    from collections.abc import Callable

    kind = origin or annotation
    if kind is Callable:
        return Function(Callable, "Callable")
    if kind is type:
        bounds = tuple(arg for arg in args if isinstance(arg, type) and arg is not object)
        return Type(bounds, f"type[{' | '.join(map(short_name, bounds))}]" if bounds else "type")
    return Instance(kind) if isinstance(kind, type) else None
