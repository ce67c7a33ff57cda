"""What a server has for itself on its machine: addresses, and its folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket

from laminar.errors import ServerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.server.settings import Settings

LOCK = "server.lock"
BACKLOG = 1024
#: Milliseconds after which a connection ends whose other side takes nothing, or is gone.
DEAF = 60_000


def listen(settings: Settings) -> list[socket.socket]:
    """Take the addresses: the server's own, and those for workers, all with one port.

    Raises:
        ServerError: One is taken, or is none of this machine's.
    """
    with contextlib.ExitStack() as taken:
        first = taken.enter_context(_bound(settings.host, settings.port))
        port = int(first.getsockname()[1])
        others = [host.strip() for host in settings.workers.split(",") if host.strip()]
        sockets = [first, *(taken.enter_context(_bound(host, port)) for host in others)]
        taken.pop_all()
    return sockets


def _bound(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"{where} is no address to listen on: {error.strerror}. Choose another host.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAF)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(where, error) from None
    return listener


def _refused(where: str, error: OSError) -> ServerError:
    if error.errno == errno.EADDRINUSE:
        return ServerError(f"{where} is taken by another program. Stop that, or choose another port: --port N.")
    return ServerError(f"The server cannot listen on {where}: {error.strerror}. Choose another host or port.")


@contextlib.contextmanager
def held(folder: str) -> Iterator[None]:
    """Hold a server's folder: no other server can use it meanwhile, and the death of this one lets it go.

    Raises:
        ServerError: Another server holds it, or it cannot be made.
    """
    path = os.path.join(folder, LOCK)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        _lock(file, folder)
        _sign(file, folder)
        yield
    finally:
        os.close(file)


def _sign(file: int, folder: str) -> None:
    """Write down who holds the folder."""
    try:
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    except OSError as error:
        raise _unusable(folder, error) from None


def _unusable(folder: str, error: OSError) -> ServerError:
    advice = "Make room there, or choose another" if error.errno == errno.ENOSPC else "Choose another"
    return ServerError(f"The folder {folder} cannot be used: {error.strerror}. {advice}: --state.")


def _lock(file: int, folder: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
        raise ServerError(
            f"The folder {folder} is in use by another server, process {holder}. Stop that, or choose another folder: "
            "--state."
        ) from None
