"""Tokens: making, listing and revoking them."""

from __future__ import annotations

import functools

from anyio import to_thread

from laminar.server import logs
from laminar.server.identity import Role
from laminar.server.routes import KIB, Asked, Route
from laminar.wire.tokens import TokenCreated, TokenList, TokenRequest, TokenView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.model.token import TokenRow

DAY = 86400.0


async def create(asked: Asked) -> TokenCreated:
    """Make a token."""
    wanted: TokenRequest = asked.body
    seconds = None if wanted.days is None else wanted.days * DAY
    make = functools.partial(asked.services.tokens.create, wanted.name, Role(wanted.role), seconds)
    row, text = await to_thread.run_sync(make)
    logs.event("token created", token=row.id, name=row.name, role=row.role, caller=asked.identity.name)
    return TokenCreated(token=text, **_fields(row))


async def listed(asked: Asked) -> TokenList:
    """List all tokens."""
    rows = await to_thread.run_sync(asked.services.tokens.all)
    return TokenList(tokens=[TokenView(**_fields(row)) for row in rows])


async def revoke(asked: Asked) -> TokenView:
    """Let a token count no more."""
    row = await to_thread.run_sync(asked.services.tokens.revoke, asked.path["token"])
    logs.event("token revoked", token=row.id, name=row.name, caller=asked.identity.name)
    return TokenView(**_fields(row))


def _fields(row: TokenRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TokenView.__struct_fields__}


ROUTES = (
    Route(
        "POST",
        "/tokens",
        Role.ADMIN,
        create,
        "Make a token; the answer alone shows it.",
        body=TokenRequest,
        returns=TokenCreated,
        status=201,
        most=4 * KIB,
    ),
    Route("GET", "/tokens", Role.ADMIN, listed, "List all tokens, without their secrets.", returns=TokenList),
    Route("DELETE", "/tokens/{token}", Role.ADMIN, revoke, "Let a token count no more.", returns=TokenView),
)
