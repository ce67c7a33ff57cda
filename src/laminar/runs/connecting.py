"""The client of the server that is configured."""

from __future__ import annotations

from laminar.client.http import Client
from laminar.runs import configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.runs.configuration import Configuration

#: Where a server answers that ``laminar serve`` has started on this machine.
DEFAULT_ENDPOINT = "http://127.0.0.1:8080"


def client(chosen: Configuration | None = None) -> Client:
    """Give the client of the server that is configured, or of the one that ``laminar serve`` starts on this machine.

    Args:
        chosen: What is configured; by default what is current.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    chosen = chosen or configuration.current()
    return Client(
        chosen.endpoint or DEFAULT_ENDPOINT,
        chosen.api_key,
        project=chosen.project,
        domain=chosen.domain,
        ca_file=chosen.ca_certs,
    )
