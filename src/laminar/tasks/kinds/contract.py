"""The contract of kinds: one annotation, compiled once, that checks, reads and describes values."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.worker import hiding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, TypeAlias

    #: What JSON can say.
    Plain: TypeAlias = Any
    #: What compiles an annotation that stands inside another one.
    Of: TypeAlias = "Callable[[Any], Kind]"

#: Longest text of a value in a message.
SHOWN = 80
#: The exact types of no value: each has to be looked at.
NOTHING: frozenset[type] = frozenset()


class Mismatch(Exception):  # noqa: N818 - never seen by users: the interface makes an error of it that names the task
    """A value does not fit a kind.

    Attributes:
        expected: What would have fitted.
        got: The value, or the part of it, that does not.
        path: Where that part is inside the value, such as ``[3].age``; empty for the value itself.
        note: What is wrong with it, where more can be said than the two above.
    """

    def __init__(self, expected: str, got: Any, path: str = "", note: str = "") -> None:
        """Take the attributes."""
        super().__init__(expected, got, path, note)
        self.expected = expected
        self.got = got
        self.path = path
        self.note = note

    def under(self, step: str) -> Mismatch:
        """Give the same, seen from one level further out."""
        return Mismatch(self.expected, self.got, step + self.path, self.note)

    def __str__(self) -> str:
        """Say it in one line."""
        place = f" at {self.path}" if self.path else ""
        note = f" ({self.note})" if self.note else ""
        return f"expects {self.expected}, got {type_name(type(self.got))}{place}: {shown(self.got)}{note}"


class UnresolvedError(Exception):
    """An annotation names something that cannot be found, or is no type.

    Attributes:
        annotation: As the code says it.
        reason: What went wrong.
    """

    def __init__(self, annotation: Any, reason: str) -> None:
        """Take the attributes."""
        super().__init__(f"{annotation_text(annotation)}: {reason}")
        self.annotation = annotation_text(annotation)
        self.reason = reason


class Kind(ABC):
    """What an annotation means.

    Attributes:
        name: The type as code says it, such as ``list[int]``; messages about values use it.
        exact: Types whose values fit as they are, whatever is in them. A caller may pass over :meth:`check` for values
            of exactly these types.
    """

    name: str
    exact: frozenset[type] = NOTHING

    @property
    def known(self) -> bool:
        """Whether values are of a kind that laminar knows; others are pickled, and the task says so once."""
        return True

    @property
    def anything(self) -> bool:
        """Whether every value fits."""
        return False

    @property
    def metavar(self) -> str:
        """What stands for a value in the usage of a command."""
        return "JSON"

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Give the value to pass on: itself, or what the rules of typing make of it.

        Only numbers are converted, as typing allows: an int becomes a float where a float is expected.

        Raises:
            Mismatch: It does not fit.
        """

    def parse(self, text: str) -> Any:
        """Read a value from a command line; what has no plain text of its own is read as JSON.

        Raises:
            Mismatch: The text is none of this kind.
        """
        return self.from_plain(decoded(text, self.describe()))

    @abstractmethod
    def from_plain(self, plain: Plain) -> Any:
        """Read a value from decoded JSON.

        Raises:
            Mismatch: It is none of this kind.
        """

    @abstractmethod
    def plain(self, value: Any) -> Plain:
        """Give a value that fits as JSON can say it; as its ``repr`` if JSON cannot."""

    def text(self, value: Any) -> str:
        """Write a value that fits as a command line would: what :meth:`parse` reads."""
        return encoded(self.plain(value))

    def describe(self) -> str:
        """Say what to write on a command line."""
        return f"{self.name} as JSON"

    @abstractmethod
    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:
        """Describe the structure as JSON can say it: equal for equal structures, in every process.

        Args:
            within: The recursive kinds that this is described inside of; they are named, not described again.
        """

    def refuse(self, value: Any, note: str = "") -> Mismatch:
        """Make the error for a value that does not fit."""
        return Mismatch(self.name, value, note=note)

    def misread(self, plain: Plain, note: str = "") -> Mismatch:
        """Make the error for text or JSON that does not fit."""
        return Mismatch(self.describe(), plain, note=note)


def type_name(kind: type) -> str:
    """Name a type as people do: builtins by their name, others with their module."""
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", str(kind))
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


def short_name(kind: type) -> str:
    """Name a class as the code that uses it does, without module and enclosing functions."""
    return getattr(kind, "__qualname__", str(kind)).rpartition("<locals>.")[2]


def annotation_text(annotation: Any) -> str:
    """Write an annotation as code does."""
    if isinstance(annotation, str):
        return annotation
    return type_name(annotation) if type(annotation) is type else shown(annotation).replace("typing.", "")


def shown(value: Any) -> str:
    """Show a value in at most 80 characters, whatever its ``repr`` does.

    Large containers are not written out in full first: their first members are enough.
    """
    import reprlib  # only when an error is already certain

    writer = reprlib.Repr()
    writer.maxstring = writer.maxother = writer.maxlong = SHOWN
    try:
        text = " ".join(writer.repr(hiding.value(value)).split("\n"))
    except Exception:
        text = f"<{type_name(type(value))} without a repr>"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def decoded(text: str, expected: str) -> Plain:
    """Decode JSON.

    Raises:
        Mismatch: It is none.
    """
    import json  # 5 ms, and most options are plain text

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Mismatch(expected, text, note=f"it is no JSON: {error}") from None


def encoded(plain: Plain) -> str:
    """Encode as JSON in one line."""
    import json  # 5 ms, and most values are plain text

    return json.dumps(plain, ensure_ascii=False)
