"""Under what the result of a task call is kept for later runs."""

from __future__ import annotations

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class CacheKey(Value, frozen=True):
    """Under what the result of a call is kept for later runs.

    Attributes:
        key: Digest of all that follows, in hexadecimal.
        parts: What went into it, each part's digest by its name: ``input rows``, ``interface``, ``code``.
        code: Of what the code is made: the digest of each function, class and constant by its name. Empty where the
            version is the user's.
        read: Whether a result that is there may be used; one that is made is kept in any case.
    """

    key: str
    parts: Mapping[str, str]
    code: Mapping[str, str]
    read: bool = True
