"""From an annotation to its kind: what stands around types is taken off here, the rest asks the families."""

from __future__ import annotations

import sys
import typing

from laminar.tasks.kinds import classes, containers, records, scalars, texts, unions
from laminar.tasks.kinds.contract import Kind, UnresolvedError, annotation_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Plain

#: Wrappers that say something of a value's use, nothing of its type.
WRAPPERS = frozenset(("Annotated", "Required", "NotRequired", "Final", "ClassVar", "ReadOnly"))


def kind_of(annotation: Any) -> Kind:
    """Compile an annotation.

    Args:
        annotation: Anything that may stand behind the colon of a parameter, its names resolved.

    Returns:
        Its kind.

    Raises:
        UnresolvedError: It is no type, or names something that cannot be found.
    """
    return Compiler({}, {}).kind_of(annotation)


class Compiler:
    """Compiles one annotation and what is inside it.

    Attributes:
        open: The recursive kinds met so far, by their annotation, so that a type inside itself is found again.
    """

    def __init__(self, opened: dict[Hashable, Kind], bound: dict[Any, Any]) -> None:
        """Take what was met so far, and what type variables stand for."""
        self.open = opened
        self._bound = bound

    def within(self, bound: dict[Any, Any]) -> Compiler:
        """Give a compiler for the inside of a generic class, whose type variables stand for these."""
        return Compiler(self.open, {key: self.resolved(value) for key, value in bound.items()})

    def resolved(self, annotation: Any) -> Any:
        """Put what a type variable stands for in its place."""
        return self._bound.get(annotation, annotation) if isinstance(annotation, typing.TypeVar) else annotation

    def kind_of(self, annotation: Any) -> Kind:
        """Compile an annotation."""
        annotation = self.resolved(annotation)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        kind = self._unwrapped(annotation, origin, args) or self._family(annotation, origin, args)
        if kind is None:
            raise UnresolvedError(annotation, "it is no type")
        return kind

    def _unwrapped(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Kind | None:
        """Compile what stands inside a wrapper, behind a name, or for a variable; None for all else."""
        if isinstance(annotation, (str, typing.ForwardRef)):
            raise UnresolvedError(annotation_text(annotation), "its name was not resolved")
        if isinstance(annotation, typing.NewType):
            return self.kind_of(annotation.__supertype__)
        if isinstance(annotation, typing.TypeVar):
            return self._variable(annotation)
        if getattr(origin, "_name", getattr(origin, "__name__", "")) in WRAPPERS and args:
            return self.kind_of(args[0])
        if type(annotation).__name__ == "TypeAliasType" or type(origin).__name__ == "TypeAliasType":
            return self._alias(annotation, origin, args)
        return None

    def _variable(self, variable: typing.TypeVar) -> Kind:
        if variable.__constraints__:
            return self.kind_of(typing.Union[variable.__constraints__])  # noqa: UP007 - members are in a tuple
        return self.kind_of(typing.Any if variable.__bound__ is None else variable.__bound__)

    def _alias(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Kind:
        """Compile what an alias stands for (``type Json = …``), which may name itself."""
        if annotation in self.open:
            return self.open[annotation]
        alias = origin or annotation
        again = self.open[annotation] = Again(str(alias))
        again.target = self.within(dict(zip(alias.__type_params__, args, strict=False))).kind_of(alias.__value__)
        return again.target

    def _family(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Kind | None:
        """Ask one family after the other; those of libraries only where the library is loaded."""
        for make in (scalars.make, containers.make, unions.make, texts.make):
            if kind := make(annotation, origin, args, self.kind_of):
                return kind
        if kind := records.make(annotation, origin, args, self):
            return kind
        if kind := self._library(annotation, origin, args):
            return kind
        return classes.make(annotation, origin, args, self.kind_of)

    def _library(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Kind | None:
        """Ask the families of libraries: each is loaded only by who uses its library."""
        root = getattr(origin or annotation, "__module__", "").partition(".")[0]
        if root == "numpy":
            from laminar.tasks.kinds import arrays

            return arrays.make(annotation, origin, args, self.kind_of)
        if root in ("pandas", "polars", "pyarrow"):
            from laminar.tasks.kinds import frames

            return frames.make(annotation, origin, args, self.kind_of)
        if "laminar.tasks.files" in sys.modules:
            from laminar.tasks.kinds import handles

            return handles.make(annotation, origin, args, self.kind_of)
        return None


class Again(Kind):
    """An alias inside itself: stands for the kind that is being compiled."""

    target: Kind

    def __init__(self, name: str) -> None:
        """Take the alias's name."""
        self.name = name

    def check(self, value: Any) -> Any:
        """Check as the alias does."""
        return self.target.check(value)

    def parse(self, text: str) -> Any:
        """Read as the alias does."""
        return self.target.parse(text)

    def from_plain(self, plain: Plain) -> Any:
        """Read as the alias does."""
        return self.target.from_plain(plain)

    def plain(self, value: Any) -> Plain:
        """Write as the alias does."""
        return self.target.plain(value)

    def text(self, value: Any) -> str:
        """Write as the alias does."""
        return self.target.text(value)

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Name the alias inside itself; describe it where it stands first."""
        return {"again": self.name} if self.name in within else self.target.schema((*within, self.name))
