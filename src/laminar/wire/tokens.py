"""Requests and answers about tokens. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class TokenRequest(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Make a token.

    Attributes:
        name: Whose it is.
        role: What it may do.
        days: How long it counts; None for ever.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,99}$")]
    role: Literal["viewer", "editor", "admin"]
    days: Annotated[float, msgspec.Meta(gt=0, le=36500)] | None = None


class TokenView(msgspec.Struct, kw_only=True, frozen=True):
    """A token, without its secret.

    Attributes:
        id: Its id, which is no secret.
        name: Whose it is.
        role: What it may do.
        created: When it was made.
        expires: When it counts no more; None for never.
        revoked: When it was revoked, if it was.
        last_used: When it was last used, to within a minute.
    """

    id: str
    name: str
    role: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None


class TokenCreated(TokenView, kw_only=True, frozen=True):
    """A token that was just made.

    Attributes:
        token: The token itself, shown this once.
    """

    token: str


class TokenList(msgspec.Struct, kw_only=True, frozen=True):
    """All tokens.

    Attributes:
        tokens: The tokens, the oldest first.
    """

    tokens: list[TokenView]
