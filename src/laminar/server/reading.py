"""Reads requests: parameters and bodies, of the types and sizes that the route declares, and not slower than it may."""

from __future__ import annotations

import asyncio
import functools
import time
import types
import typing

import msgspec
from starlette.requests import ClientDisconnect

from laminar.server.problems import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from starlette.requests import Request

    from laminar.server.routes import Route

JSON = "application/json"
#: Uploads may take a patience, and one second more for each so many bytes.
SLOWEST = 4096
#: Parameters of a query.
MANY = 100


def query(request: Request, route: Route) -> Any:
    """Read the parameters.

    Raises:
        RequestError: One is unknown, missing, doubled, or of the wrong type.
    """
    pairs = [(name, value) for name, value in request.query_params.multi_items() if not _signature(route, name)]
    if route.query is None and not pairs:
        return None
    where = f"The query of {route.method} {route.full}"
    if len(pairs) > MANY:
        raise refusal(400, f"{where} has more than {MANY} parameters.")
    kinds = {} if route.query is None else _kinds(route.query)
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in kinds:
            known = ", ".join(kinds) or "none"
            raise refusal(400, f"{where}: the parameter {name!r} is unknown. Known: {known}.")
        if _plural(kinds[name]):
            found.setdefault(name, []).append(value)
        elif name in found:
            raise refusal(400, f"{where}: the parameter {name!r} is given twice.")
        else:
            found[name] = value
    _without_nul(found, where)
    return _converted(found, route.query, where)


@functools.cache
def _kinds(query: type[msgspec.Struct]) -> dict[str, Any]:
    """Give the types of parameters by their names; msgspec reads annotations anew each time, in 100 µs."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(query)}


def _signature(route: Route, name: str) -> bool:
    return route.role.value == "signed" and name == "signature"


def _plural(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(_plural(each) for each in typing.get_args(kind))
    return (origin or kind) in (list, tuple)


def _converted(found: dict[str, Any], kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(422, f"{where}: {error}.") from None


def path(request: Request) -> dict[str, str]:
    """Give the named parts of the path.

    Raises:
        RequestError: One holds what no name can hold.
    """
    parts: dict[str, str] = request.path_params
    for name, value in parts.items():
        if not value.isprintable() or "\ufffd" in value:
            raise refusal(400, f"The part {name!r} of the path holds characters that no name here has.")
    return parts


async def body(request: Request, route: Route, patience: float) -> Any:
    """Read a body of JSON.

    Raises:
        RequestError: It is missing, too large, too slow, no JSON, or of the wrong shape.
    """
    if route.body is None:
        if announced(request) not in (None, 0) or "transfer-encoding" in request.headers:
            raise refusal(400, f"{route.method} {route.full} takes no body.")
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise refusal(415, f"{route.method} {route.full} takes a body of {JSON}. Say so in the header Content-Type.")
    try:
        async with asyncio.timeout(patience):
            data = b"".join([chunk async for chunk in _measured(request, route)])
    except TimeoutError:
        raise refusal(408, f"The body was not there within {patience:g} seconds. Send it at once.") from None
    return _parsed(data, route)


def _parsed(data: bytes, route: Route) -> Any:
    where = f"The body of {route.method} {route.full}"
    try:
        found = msgspec.json.decode(data, type=route.body)
        if rb"\u0000" in data:
            _without_nul(msgspec.json.decode(data), where)
    except msgspec.ValidationError as error:
        raise refusal(422, f"{where}: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(400, f"{where} is no JSON: {error}.") from None
    return found


def _without_nul(found: Any, where: str) -> None:
    """Refuse a character that text in databases cannot hold."""
    if isinstance(found, str) and "\0" in found:
        raise refusal(422, f"{where} holds the character U+0000, which no text here can have.")
    if isinstance(found, dict):
        for name, value in found.items():
            _without_nul(name, where)
            _without_nul(value, where)
    elif isinstance(found, list):
        for value in found:
            _without_nul(value, where)


async def chunks(request: Request, route: Route, patience: float) -> AsyncIterator[bytes]:
    """Give a body as it comes.

    Raises:
        RequestError: It is too large, too slow, or not of the length that was announced.
    """
    begun, received = time.monotonic(), 0
    stream = _measured(request, route).__aiter__()
    while True:
        try:
            async with asyncio.timeout_at(_deadline(begun, received, patience)):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise refusal(408, f"{received} bytes came in {time.monotonic() - begun:.0f} seconds: too slow.") from None
        received += len(chunk)
        yield chunk


def _deadline(begun: float, received: int, patience: float) -> float:
    loop = asyncio.get_running_loop()
    return loop.time() + begun + patience + received / SLOWEST - time.monotonic()


async def _measured(request: Request, route: Route) -> AsyncIterator[bytes]:
    """Give the parts of a body, and no more than the route takes."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise refusal(415, "Bodies are taken as they are: without the header Content-Encoding.")
    expected = announced(request)
    if expected is not None and expected > route.most:
        raise _too_much(route, expected)
    received = 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > route.most:
                raise _too_much(route, received)
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise refusal(400, f"The connection ended after {received} bytes of the body.") from None


def announced(request: Request) -> int | None:
    """Give the length that a request says its body has, if it says one."""
    text = request.headers.get("content-length")
    return None if text is None else int(text)  # h11 lets digits through, and one length alone


def _too_much(route: Route, count: int) -> Exception:
    return refusal(413, f"{route.method} {route.full} takes {route.most} bytes at most, and got {count} or more.")
