"""All routes of the server."""

from __future__ import annotations

from laminar.server.api import agents, deployments, health, runs, store, tokens, uploads

ROUTES = (
    *agents.ROUTES,
    *deployments.ROUTES,
    *health.ROUTES,
    *runs.ROUTES,
    *store.ROUTES,
    *tokens.ROUTES,
    *uploads.ROUTES,
)
