"""Tokens: making, listing and revoking them."""

from __future__ import annotations

from anyio import to_thread

from laminar.server import logs
from laminar.server.desk import Desk
from laminar.server.identity import Role
from laminar.server.routes import KIB, Asked, Route
from laminar.wire.tokens import TokenCreated, TokenList, TokenRequest, TokenView


async def create(asked: Asked) -> TokenCreated:
    """Make a token."""
    made = await to_thread.run_sync(Desk(asked.services.tokens).create, asked.body)
    logs.event("token created", token=made.id, name=made.name, role=made.role, caller=asked.identity.name)
    return made


async def listed(asked: Asked) -> TokenList:
    """List all tokens."""
    return TokenList(tokens=await to_thread.run_sync(Desk(asked.services.tokens).all))


async def revoke(asked: Asked) -> TokenView:
    """Let a token count no more."""
    gone = await to_thread.run_sync(Desk(asked.services.tokens).revoke, asked.path["token"])
    logs.event("token revoked", token=gone.id, name=gone.name, caller=asked.identity.name)
    return gone


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
