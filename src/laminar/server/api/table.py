"""All routes of the server."""

from __future__ import annotations

from laminar.server.api import agents, deployments, health, queues, runs, store, tokens, triggers, uploads

ROUTES = (
    *agents.ROUTES,
    *deployments.ROUTES,
    *health.ROUTES,
    *queues.ROUTES,
    *runs.ROUTES,
    *store.ROUTES,
    *tokens.ROUTES,
    *triggers.ROUTES,
    *uploads.ROUTES,
)
