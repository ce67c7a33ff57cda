"""Describes the routes as OpenAPI 3.1, from the table and the types that requests are checked by."""

from __future__ import annotations

import functools
import re

import msgspec

from laminar.server.identity import Role
from laminar.version import VERSION
from laminar.wire.problems import MEDIA_TYPE, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.server.routes import Route

REFERENCE = "#/components/schemas/{name}"
#: Tokens of people, agents and attempts; or a signature in the address.
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer"},
    "signature": {"type": "apiKey", "in": "query", "name": "signature"},
}
PROBLEM: Any = {
    "description": "Why the request was refused.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(name="Problem")}}},
}


@functools.cache
def described(routes: tuple[Route, ...]) -> bytes:
    """Describe all routes.

    Returns:
        The description, in JSON.
    """
    kinds = sorted({kind for route in routes for kind in _kinds(route)} | {Problem}, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "laminar", "version": VERSION, "summary": "Deploy tasks and flows, and run them."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SCHEMES},
    }
    return msgspec.json.encode(document)


def _kinds(route: Route) -> list[Any]:
    return [kind for kind in (route.body, route.returns) if kind not in (None, dict, bytes)]


def _path(route: Route) -> str:
    return re.sub(r":\w+}", "}", route.full)


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "description": f"Role: {route.role.value}.",
        "tags": [route.handler.__module__.rpartition(".")[2]],
        "parameters": [*_parts(route), *_parameters(route)],
        "responses": {str(route.status if _answers(route) else 204): _answer(route), "default": PROBLEM},
        "security": _security(route.role),
    }
    if route.body is not None:
        content = {"application/json": {"schema": _schema(route.body)}}
        found["requestBody"] = {"required": True, "content": content}
    elif route.streams:
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _name(route: Route) -> str:
    words = re.findall(r"\w+", re.sub(r":\w+}", "}", route.path))
    return "_".join([route.method.lower(), *words])


def _security(role: Role) -> list[dict[str, list[str]]]:
    if role is Role.PUBLIC:
        return []
    return [{"signature" if role is Role.SIGNED else "token": []}]


def _parts(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)", route.path)
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = _components(route.query)[route.query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": kind}
        for name, kind in schema["properties"].items()
    ]


def _components(kind: type) -> dict[str, Any]:
    return msgspec.json.schema_components([kind], ref_template=REFERENCE)[1]


def _answers(route: Route) -> bool:
    return route.returns is not None or route.media != "application/json"


def _answer(route: Route) -> dict[str, Any]:
    if not _answers(route):
        return {"description": "Done."}
    kind = route.media.partition(";")[0]
    text = {"type": "string"}
    return {
        "description": "Done.",
        "content": {kind: {"schema": text if route.returns is None else _schema(route.returns)}},
    }


def _schema(kind: type) -> Any:
    return msgspec.json.schema_components([kind], ref_template=REFERENCE)[0][0]
