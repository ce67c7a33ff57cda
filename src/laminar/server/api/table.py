"""All routes of the server."""

from __future__ import annotations

from laminar.server.api import health, store, tokens, uploads

ROUTES = (*health.ROUTES, *store.ROUTES, *tokens.ROUTES, *uploads.ROUTES)
