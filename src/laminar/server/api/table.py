"""All routes of the server."""

from __future__ import annotations

from laminar.server.api import agents, deployments, health, projects, queues, runs, store, tokens, triggers, uploads

ROUTES = (
    *agents.ROUTES,
    *deployments.ROUTES,
    *health.ROUTES,
    *queues.ROUTES,
    *projects.ROUTES,
    *runs.ROUTES,
    *store.ROUTES,
    *tokens.ROUTES,
    *triggers.ROUTES,
    *uploads.ROUTES,
)
