"""What a database keeps of a token."""

from __future__ import annotations

from laminar.model.value import Value


class TokenRow(Value, frozen=True):
    """A token, without its secret. Times are seconds since the epoch.

    Attributes:
        id: Its id, which is no secret.
        name: Whose it is.
        role: What it may do: viewer, editor or admin.
        digest: SHA-256 of its secret, in hexadecimal.
        created: When it was made.
        expires: When it counts no more; None for never.
        revoked: When it was revoked, if it was.
        last_used: When it was last used, to within a minute.
    """

    id: str
    name: str
    role: str
    digest: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None
