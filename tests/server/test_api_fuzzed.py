"""Every operation of the description, asked for what Schemathesis makes of its schemas: no mistake, no surprise."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import faces
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from laminar.server.api import table
from laminar.server.identity import Role
from laminar.server.openapi import described

#: Cases for each operation.
CASES = 1000 if os.environ.get("LAMINAR_CHAOS") == "full" else 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


ROUTES = {(route.method, re.sub(r":\w+}", "}", route.full)): route for route in table.ROUTES}
SCHEMA = schemathesis.openapi.from_dict(json.loads(described(table.ROUTES)))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[faces.Face]:
    """A whole server, that does not mind how fast it is asked."""
    with faces.whole(tmp_path_factory.mktemp("server"), rate=100_000) as found:
        yield found


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_operation_answers_as_it_is_described(face: faces.Face, operation: Any) -> None:
    headers = credentials(face, ROUTES[operation.method.upper(), operation.path].role, operation.label)

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=f"http://127.0.0.1:{face.port}", headers=headers, checks=CHECKS)

    holds()


def credentials(face: faces.Face, role: Role, name: str) -> dict[str, str]:
    """Be an agent or an attempt where only those may ask; one for each operation, lest it is given work to wait for."""
    if role not in (Role.AGENT, Role.ATTEMPT):
        return {}
    return {"Authorization": f"Bearer {face.services.signer.sign(role.value, faces.claims(role, name), 600)}"}


def test_the_description_has_every_route_and_its_problems() -> None:
    assert len(OPERATIONS) == len(table.ROUTES)
    document = json.loads(described(table.ROUTES))
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["summary"]


def test_the_description_is_openapi() -> None:
    SCHEMA.validate()
