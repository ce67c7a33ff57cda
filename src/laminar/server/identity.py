"""Who asks, and what they may do."""

from __future__ import annotations

import enum

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Role(enum.Enum):
    """Who may use a route.

    Each of VIEWER, EDITOR and ADMIN may do what those before may. The others stand alone: an agent or an attempt may
    use its own routes and no others, and SIGNED is for addresses that carry their own signature.
    """

    PUBLIC = "public"
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    AGENT = "agent"
    ATTEMPT = "attempt"
    SIGNED = "signed"


#: Roles of people, each with all that it may do.
MAY = {
    Role.VIEWER: (Role.VIEWER,),
    Role.EDITOR: (Role.VIEWER, Role.EDITOR),
    Role.ADMIN: (Role.VIEWER, Role.EDITOR, Role.ADMIN),
}


class Identity(Value, frozen=True):
    """Who asks.

    Attributes:
        name: Its name for logs and limits: a token's name, or that of an attempt.
        role: What it may do.
        claims: What was signed for an agent, an attempt or an address.
    """

    name: str
    role: Role
    claims: Mapping[str, Any] = {}

    def may(self, role: Role) -> bool:
        """Tell whether it may use the routes of a role."""
        return role is Role.PUBLIC or role in MAY.get(self.role, (self.role,))
