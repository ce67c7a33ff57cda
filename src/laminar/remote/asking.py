"""The client of a project and domain."""

from __future__ import annotations

from laminar.runs import configuration, connecting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.client.http import Client


def client_for(project: str | None, domain: str | None) -> Client:
    """Give what asks the server that is configured.

    Args:
        project: The project; None for the configured one.
        domain: The domain; None for the configured one.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    chosen = configuration.current()
    return connecting.client(chosen.replace(project=project or chosen.project, domain=domain or chosen.domain))
