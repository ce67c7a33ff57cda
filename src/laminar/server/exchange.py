"""What surrounds every request: its id, safe headers, the line in the log, and an answer where something went wrong."""

from __future__ import annotations

import secrets
import time

import anyio
from starlette.requests import Request

from laminar.errors import LaminarError, ServerFailedError
from laminar.server import logs, problems
from laminar.wire.paths import API

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from laminar.server.security import Security
    from laminar.server.services import Services

#: Headers of every answer: it is never a page, never in a frame, never kept by what lies between.
SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
#: Keys of the scope under which the path of the route and the name of the caller are noted.
ROUTE, CALLER = "laminar.route", "laminar.caller"
#: Seconds and bytes for what is left of a body that nobody wanted: who sends it should read the answer.
LEFT_SECONDS, LEFT_BYTES = 1.0, 4 * 1024 * 1024
#: Routes of workers: their requests are logged only if they fail, or take so many seconds.
WORK, SLOW = (f"{API}/agent/", f"{API}/attempt/", f"{API}/store/"), 2.0
#: Those in which they wait for something.
POLLED = (f"{API}/agent/orders", f"{API}/attempt/answers")


class Surroundings:
    """Wraps the whole application.

    Args:
        app: What answers.
        services: What the server has.
        security: Decides what is answered.
    """

    def __init__(self, app: ASGIApp, services: Services, security: Security) -> None:
        """Take what answers."""
        self._app = app
        self._services = services
        self._security = security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        try:
            self._security.check_origin(Request(scope))
            await self._app(scope, exchange.receive, exchange.send)
        except LaminarError as error:
            await exchange.refuse(error)
        except Exception as error:
            await self._fail(exchange, error)
        finally:
            self._note(exchange)

    async def _fail(self, exchange: Exchange, error: Exception) -> None:
        if exchange.gone:
            return  # the caller has left, and what was written to it failed
        logs.mistake("a request failed", error, request=exchange.id)
        await exchange.refuse(
            ServerFailedError(f"The server made a mistake. Its log says which, under the request {exchange.id}.")
        )

    def _note(self, exchange: Exchange) -> None:
        scope = exchange.scope
        seconds = time.perf_counter() - exchange.begun
        status = exchange.status or 499  # the caller left before there was an answer
        route = scope.get(ROUTE, "")
        self._services.metrics.answered(scope["method"] if route else "none", route or "none", status, seconds)
        if status < 400 and _is_work(route, seconds):
            return
        logs.event(
            "request",
            request=exchange.id,
            method=scope["method"],
            path=scope["path"],  # without the query, which can hold a signature
            status=status,
            milliseconds=round(seconds * 1000, 1),
            caller=scope.get(CALLER, ""),
            address=(scope.get("client") or ("", 0))[0],
        )


def _is_work(route: str, seconds: float) -> bool:
    """Tell whether a request that went well is one of the many that workers make, and is as fast as it should be."""
    return route.startswith(WORK) and (seconds < SLOW or route in POLLED)


class Exchange:
    """One request and its answer, as they pass.

    Args:
        scope: What the server knows of the request.
        receive: Gives what comes.
        send: Takes what goes.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin: the id is made, and the clock runs."""
        self.scope = scope
        self.id = secrets.token_hex(8)
        self.begun = time.perf_counter()
        self.status = 0
        self.gone = False
        self._receive = receive
        self._send = send
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self._whole = b"transfer-encoding" not in headers and length == b"0"
        self._hesitant = b"expect" in headers

    async def receive(self) -> Message:
        """Give the next part of the body, and note when it was the last."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = self._whole = True
        elif not message.get("more_body", False):
            self._whole = True
        return message

    async def send(self, message: Message) -> None:
        """Pass an answer on, with its headers; after one that came early, let the rest of the body go."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            await self._send({**message, "headers": self._headers(message["headers"])})
        elif self._whole or self._hesitant or message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._let_go()
            await self._send({"type": "http.response.body"})

    def _headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in given}
        added = [(name, value) for name, value in SAFE if name not in names]
        if b"cache-control" not in names:
            added.append((b"cache-control", b"no-store"))
        if not self._whole:
            added.append((b"connection", b"close"))
        return [*given, *added, (b"x-request-id", self.id.encode())]

    async def _let_go(self) -> None:
        left = LEFT_BYTES
        with anyio.move_on_after(LEFT_SECONDS):
            while not self._whole and left > 0:
                left -= len((await self.receive()).get("body", b""))

    async def refuse(self, error: LaminarError) -> None:
        """Answer with what went wrong, if no answer has begun."""
        if not self.status and not self.gone:
            await problems.answer(error, self.id)(self.scope, self.receive, self.send)
