"""Runs a server: from its addresses to its end, which lets requests under way finish."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import threading

import uvicorn

from laminar.server import bridge, listening, logs, protocol
from laminar.server.app import build

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import TypeAlias

    from laminar.server.routes import Route
    from laminar.server.services import Services
    from laminar.server.settings import Settings

    #: Makes the parts of a server that listens at an address, and takes them away when it has stopped.
    Opener: TypeAlias = Callable[[Settings, str], AbstractContextManager[Services]]

#: Seconds that a connection is kept on which nothing is asked.
IDLE = 65
#: Seconds that the rest of the server has to stop, after those of requests under way.
LAST = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings, routes: Sequence[Route], opener: Opener) -> None:
    """Serve until the process is told to stop.

    Args:
        settings: How.
        routes: All that can be asked for.
        opener: Makes what the server has.

    Raises:
        ServerError: The address or the folder is in use.
    """
    settings = bridge.reachable(settings)
    with listening.held(settings.state), contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(listener) for listener in listening.listen(settings)]
        address = url(sockets[0])
        services = stack.enter_context(opener(settings, address))
        server = Server(routes, services)
        logs.event("listening", url=address, auth=settings.auth)
        if not settings.auth:
            logs.event("everybody on this machine may do everything here; --auth asks for tokens")
        server.run(sockets)
        logs.event("stopped")


def url(listener: socket.socket) -> str:
    """Give the address of a server that listens on a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A server that tells those who wait when it stops, and leaves its process alive until all parts have stopped.

    If one of them never does, the process ends all the same: what it drives is in the database, as after a crash.

    Args:
        routes: All that can be asked for.
        services: What the server has.
    """

    def __init__(self, routes: Sequence[Route], services: Services) -> None:
        """Make the application."""
        settings = services.settings
        super().__init__(
            uvicorn.Config(
                build(routes, services),
                http=protocol.Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=settings.connections,
                timeout_keep_alive=IDLE,
                timeout_graceful_shutdown=settings.grace,
                h11_max_incomplete_event_size=protocol.HEAD_BYTES,
                callback_notify=self._hear,
                timeout_notify=0,  # each second, that is: uvicorn looks no more often
            )
        )
        self._stopping = services.stopping
        self._hears = services.hears
        self._grace = settings.grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, tell those who wait, and let requests under way finish."""
        self._stopping.begin()
        await super().shutdown(sockets)

    async def _hear(self) -> None:
        self._hears()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal; uvicorn would send it again after that, and the process would die of it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at a second Ctrl-C without waiting for anything."""
        first = not self.should_exit
        super().handle_exit(sig, frame)
        if first:
            faulthandler.dump_traceback_later(self._grace + LAST, exit=True)  # says of each thread where it stands
            logs.event("stopping", signal=signal.Signals(sig).name)
