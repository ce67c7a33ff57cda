"""The way from containers to the server: an address of this machine that they reach, and nobody else."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from laminar.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.server.settings import Settings

DOCKER = "docker"
#: The engine's network of containers that name none.
NETWORK = "bridge"
#: How containers know this machine where the engine runs in a virtual one.
HOST = "host.docker.internal"


def reachable(settings: Settings) -> Settings:
    """Add the address of the engine's bridge to those of workers, where they run in containers and none is given.

    Raises:
        EngineNotReachableError: No container engine answers.
        ConfigurationError: Containers cannot reach this machine, or only as everybody on it does.
    """
    if settings.executor != DOCKER or settings.workers or settings.url or _wildcard(settings.host):
        return settings
    gateway = asyncio.run(_gateway())
    if gateway and _ours(gateway):
        return settings.replace(workers=gateway)
    if settings.auth:
        return settings
    raise ConfigurationError(
        f"Containers cannot be told from people here: the engine's network {NETWORK} has no address on this machine"
        f"{f' ({gateway} is on another)' if gateway else ''}. Start the server with --auth, or name an address that "
        "containers reach: serve.workers or LAMINAR_SERVE_WORKERS."
    )


def url(settings: Settings, address: str) -> str:
    """Give the address by which containers reach the server.

    Args:
        settings: How it was started.
        address: Where it listens.
    """
    host = settings.workers.split(",")[0].strip() or HOST
    port = address.rpartition(":")[2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _gateway() -> str | None:
    """Ask the engine for its own address in the network of containers."""
    try:
        from laminar.containers.engine import connected  # 200 ms of HTTP client
    except ImportError as error:
        raise ConfigurationError(
            f"--executor docker needs the package {error.name}: pip install 'laminar[docker]'."
        ) from error

    async with connected() as engine:
        found = await (await engine.client.networks.get(NETWORK)).show()
    ranges: list[dict[str, Any]] = found["IPAM"].get("Config") or []
    if not ranges:
        return None
    first = ipaddress.ip_network(ranges[0]["Subnet"]).network_address + 1
    return str(ranges[0].get("Gateway") or first)


def _ours(address: str) -> bool:
    """Tell whether an address is one of this machine."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False
