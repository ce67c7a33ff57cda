"""All routes of the server."""

from __future__ import annotations

from laminar.server.api import health, tokens

ROUTES = (*health.ROUTES, *tokens.ROUTES)
