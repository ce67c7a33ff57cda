"""What a call is known by: the code that it runs, and the values that it is given."""

from __future__ import annotations

from laminar.data import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.packaging.closures import Closures, CodePrint

_known: list[Closures] = []


def _closures() -> Closures:
    if not _known:
        from laminar.packaging.closures import Closures  # 9 ms, and only what is cached needs it

        _known.append(Closures(canonical.digest))
    return _known[0]


def code_of(function: Any) -> CodePrint:
    """Give the fingerprint of a function's code, with all of the project that it uses.

    Args:
        function: A function, a class, a module, or what has wrapped a function.

    Returns:
        One digest, and the digest of each part.
    """
    return _closures().code_of(function)


def digest(value: Any, *, classes: bool = False) -> bytes:
    """Give the canonical digest of a value; a function in it counts by its code.

    Args:
        value: Anything.
        classes: Whether the classes of objects in it count by their code too, and not by their names alone.

    Returns:
        16 bytes: equal in every process for equal values, others for what code could tell apart.

    Raises:
        DigestError: Some part cannot be taken apart; the message names the path to it.
    """
    return canonical.digest(value, _code, _named_with_code if classes else None)


def _code(value: Any) -> bytes:
    return bytes.fromhex(code_of(value).digest)


def _named_with_code(kind: type) -> str:
    return f"{canonical.name_of(kind)} {code_of(kind).digest}"
