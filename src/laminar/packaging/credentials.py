"""Names of images, and the credentials that the ``docker`` command keeps for their registries."""

from __future__ import annotations

import base64
import json
import os
import subprocess

from laminar.errors import ImageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What registries are called that have two names.
HUB, HUB_ADDRESS = "docker.io", "https://index.docker.io/v1/"
#: Seconds that a credential helper may take; it may ask a keychain, never a person.
PATIENCE = 20
#: The user name by which helpers say that the secret is a token.
TOKEN = "<token>"  # noqa: S105 - a mark, no secret


def registry_of(image: str) -> str:
    """Give the registry that an image's name leads to.

    Args:
        image: Such as ``"ghcr.io/me/image:1"`` or ``"python:3.12"``.
    """
    head, slash, _ = image.partition("/")
    return head if slash and (head == "localhost" or "." in head or ":" in head) else HUB


def credentials(registry: str) -> dict[str, str] | None:
    """Find the credentials for a registry where ``docker login`` has left them.

    Returns:
        As the engine's HTTP API takes them; None if there are none.

    Raises:
        ImageError: The file or the helper that it names cannot be used.
    """
    known = _configuration()
    address = HUB_ADDRESS if registry == HUB else registry
    helper = known.get("credHelpers", {}).get(registry) or known.get("credsStore")
    if helper:
        found = _ask(helper, address)
    else:
        auths = known.get("auths", {})
        found = _kept(auths.get(address) or auths.get(f"https://{registry}") or {})
    return {**found, "serveraddress": address} if found else None


def _configuration() -> dict[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}, where docker login keeps credentials, cannot be read: {error}.") from None
    return found if isinstance(found, dict) else {}


def _kept(entry: dict[str, str]) -> dict[str, str]:
    if entry.get("identitytoken"):
        return {"identitytoken": entry["identitytoken"]}
    if not entry.get("auth"):
        return {}
    name, _, secret = base64.b64decode(entry["auth"]).decode().partition(":")
    return {"username": name, "password": secret.rstrip("\0")}


def _ask(helper: str, address: str) -> dict[str, str]:
    """Ask a credential helper, by https://github.com/docker/docker-credential-helpers."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration names it
            [program, "get"], input=address, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(
            f"The credential helper {program}, which docker's config.json names, cannot be used: {error}."
        ) from None
    if done.returncode:
        if "not found" in done.stdout:
            return {}
        raise ImageError(f"The credential helper {program} gave nothing for {address}: {done.stdout.strip()}")
    answer = json.loads(done.stdout)
    if answer["Username"] == TOKEN:
        return {"identitytoken": answer["Secret"]}
    return {"username": answer["Username"], "password": answer["Secret"]}
