"""Kinds of single builtin values, and of what takes any value."""

from __future__ import annotations

import os
import sys
import threading

from laminar.tasks.kinds.contract import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain

TRUE = frozenset(("true", "yes", "on", "1", "t", "y"))
FALSE = frozenset(("false", "no", "off", "0", "f", "n"))
#: Types that JSON says as they are.
SAID = frozenset((type(None), bool, int, float, str))
#: Values that are being shown, by thread and identity.
_underway: set[tuple[int, int]] = set()


class Scalar(Kind):
    """A builtin type whose values have a plain text."""

    def __init__(self, kind: type, metavar: str) -> None:
        """Take the type, and what stands for its values in a usage line."""
        self.type = kind
        self.name = kind.__name__
        self.exact = frozenset((kind,))
        self._metavar = metavar

    @property
    def metavar(self) -> str:
        """Give the word that was taken."""
        return self._metavar

    def check(self, value: Any) -> Any:
        """Take values of the type and of its subclasses; a bool is no int."""
        if isinstance(value, self.type) and (type(value) is not bool or self.type is bool):
            return value
        raise self.refuse(value)

    def parse(self, text: str) -> Any:
        """Read the text as the type does."""
        try:
            return self.type(text)
        except (ValueError, OverflowError):
            raise self.misread(text) from None

    def from_plain(self, plain: Plain) -> Any:
        """Take what JSON says as it is."""
        return self.check(plain)

    def plain(self, value: Any) -> Plain:
        """Give the value as the builtin type itself."""
        return value if type(value) is self.type else self.type(value)

    def text(self, value: Any) -> str:
        """Write the value."""
        return str(self.plain(value))

    def describe(self) -> str:
        """Name the type."""
        return self.name

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name the type."""
        return self.name


class Bool(Scalar):
    """True and false."""

    def parse(self, text: str) -> bool:
        """Read true, yes, on, 1 and their opposites, in any case."""
        word = text.strip().lower()
        if word in TRUE:
            return True
        if word in FALSE:
            return False
        raise self.misread(text, "write true or false")

    def text(self, value: Any) -> str:
        """Write it as JSON does."""
        return "true" if value else "false"


class Str(Scalar):
    """Text. Values of subclasses, such as members of a ``StrEnum``, are shown as the text that they are."""

    def plain(self, value: Any) -> Plain:
        """Give the plain text."""
        return value if type(value) is str else str.__str__(value)


class Float(Scalar):
    """Floating-point numbers; an int is one too, as typing has it, and becomes one."""

    def check(self, value: Any) -> Any:
        """Take floats, and ints that a float can hold."""
        if isinstance(value, float):
            return value
        if isinstance(value, int) and type(value) is not bool:
            try:
                return float(value)
            except OverflowError:
                raise self.refuse(value, "it is too large") from None
        raise self.refuse(value)

    def text(self, value: Any) -> str:
        """Write all digits that matter."""
        return repr(float(value))


class Complex(Scalar):
    """Complex numbers; ints and floats become ones, as typing has it. JSON says them as text."""

    def check(self, value: Any) -> Any:
        """Take complex numbers, floats and ints."""
        if isinstance(value, complex):
            return value
        if isinstance(value, (int, float)) and type(value) is not bool:
            return complex(value)
        raise self.refuse(value)

    def from_plain(self, plain: Plain) -> Any:
        """Read text, or take a number."""
        return self.parse(plain) if isinstance(plain, str) else self.check(plain)

    def plain(self, value: Any) -> Plain:
        """Write it as text."""
        return str(complex(value))


class Bytes(Scalar):
    """Bytes: as they are on a command line, in Base64 in JSON."""

    def parse(self, text: str) -> Any:
        """Take the bytes that the command line had."""
        return self.type(os.fsencode(text))

    def from_plain(self, plain: Plain) -> Any:
        """Decode Base64."""
        import base64  # 2 ms, and few tasks take bytes from JSON

        if not isinstance(plain, str):
            raise self.misread(plain, "bytes are written in Base64 in JSON")
        try:
            return self.type(base64.b64decode(plain, validate=True))
        except ValueError as error:
            raise self.misread(plain, f"it is no Base64: {error}") from None

    def plain(self, value: Any) -> Plain:
        """Encode as Base64."""
        import base64  # as above

        return base64.b64encode(value).decode()

    def text(self, value: Any) -> str:
        """Write the bytes as they are."""
        return os.fsdecode(bytes(value))


class Nothing(Kind):
    """None."""

    name = "None"
    exact = frozenset((type(None),))

    @property
    def metavar(self) -> str:
        """Give the one value."""
        return "null"

    def check(self, value: Any) -> Any:
        """Take None."""
        if value is None:
            return None
        raise self.refuse(value)

    def parse(self, text: str) -> Any:
        """Read ``None`` or ``null``."""
        if text in ("None", "null"):
            return None
        raise self.misread(text)

    def from_plain(self, plain: Plain) -> Any:
        """Take JSON's null."""
        return self.check(plain)

    def plain(self, value: Any) -> Plain:  # noqa: ARG002 - the contract's
        """Give null."""
        return None

    def describe(self) -> str:
        """Say what to write."""
        return "null"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name it."""
        return "None"


class Anything(Kind):
    """Every value: no annotation, ``Any`` or ``object``."""

    def __init__(self, name: str, of: Of) -> None:
        """Take the name that the annotation has, and what knows the kinds of values."""
        self.name = name
        self._of = of

    @property
    def anything(self) -> bool:
        """Every value fits."""
        return True

    @property
    def metavar(self) -> str:
        """Give what a command line has most often."""
        return "TEXT"

    def check(self, value: Any) -> Any:
        """Take it."""
        return value

    def parse(self, text: str) -> Any:
        """Read JSON where the text is some, else take the text."""
        import json  # 5 ms

        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    def from_plain(self, plain: Plain) -> Any:
        """Take it."""
        return plain

    def plain(self, value: Any) -> Plain:
        """Give the value as the kind of its own type does; inside itself, its ``repr``."""
        if type(value) in SAID:
            return value
        mark = (threading.get_ident(), id(value))
        if mark in _underway:
            return repr(value)
        _underway.add(mark)
        try:
            return self._of(type(value)).plain(value)
        except Exception:  # whatever a value of an unknown type does when it is looked at
            return repr(value)
        finally:
            _underway.discard(mark)

    def describe(self) -> str:
        """Say that all goes."""
        return "any value"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Say that all goes."""
        return "any"


class Never(Kind):
    """No value at all: ``NoReturn``, ``Never``."""

    name = "no value"

    def check(self, value: Any) -> Any:
        """Refuse it."""
        raise self.refuse(value)

    def from_plain(self, plain: Plain) -> Any:
        """Refuse it."""
        raise self.misread(plain)

    def plain(self, value: Any) -> Plain:
        """Give its ``repr``."""
        return repr(value)

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name it."""
        return "never"


_SCALARS: dict[type, tuple[type[Scalar], str]] = {
    int: (Scalar, "INTEGER"),
    str: (Str, "TEXT"),
    bool: (Bool, "BOOLEAN"),
    float: (Float, "FLOAT"),
    complex: (Complex, "NUMBER"),
    bytes: (Bytes, "BYTES"),
    bytearray: (Bytes, "BYTES"),
}


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile what this file knows; None for the rest."""
    if isinstance(annotation, type) and annotation in _SCALARS:
        family, metavar = _SCALARS[annotation]
        return family(annotation, metavar)
    if annotation is None or annotation is type(None):
        return Nothing()
    if annotation is object:
        return Anything("object", of)
    typing = sys.modules.get("typing")
    if typing is None:
        return None
    if annotation is typing.Any:
        return Anything("Any", of)
    if annotation is typing.NoReturn or annotation is typing.Never:
        return Never()
    return of(str) if annotation is typing.LiteralString else None
