"""Every snippet of the page that tasks are modelled on runs where a server is configured, with real containers.

It is a real ``laminar serve``; see ``test_seed.py`` for the snippets themselves.
"""

from __future__ import annotations

import pytest
from seed.backend import Backend
from seed.carrying import SNIPPETS, succeeds

import engines


@pytest.fixture(scope="module")
def backend(container_engines, needs, tmp_path_factory):
    """A server whose tasks run in containers."""
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    engine = container_engines["docker"]
    needs(engines.is_local(engine.gateway()), "an engine whose bridge is on it")
    with Backend(tmp_path_factory.mktemp("backend"), engine) as found:
        yield found


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_runs_by_one_changed_line_where_a_server_is_configured(name, tmp_path, backend):
    succeeds(name, tmp_path, backend.project(name))
