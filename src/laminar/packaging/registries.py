"""Getting images from registries, and giving them to registries."""

from __future__ import annotations

import asyncio
import re

import aiodocker

from laminar.errors import EngineError, ImageNotFoundError, ImagePullError, ImagePushError
from laminar.packaging.credentials import credentials, registry_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import Any

#: Seconds in which a registry has to say something.
PATIENCE = 8.0
ABSENT = re.compile(r"not found|manifest unknown|does not exist|name unknown|no such image|denied", re.IGNORECASE)
REFUSED = re.compile(r"unauthorized|authentication required|forbidden|no basic auth|\b40[13]\b", re.IGNORECASE)


async def there(engine: aiodocker.Docker, image: str) -> dict[str, Any] | None:
    """Ask the engine about an image.

    Returns:
        What it knows; None if it has no such image.

    Raises:
        EngineError: It did not answer the question.
    """
    try:
        return await engine.images.inspect(image)
    except aiodocker.DockerError as error:
        if error.status == 404:
            return None
        words = f"The container engine did not say whether it has the image {image}: {error.message}"
        raise EngineError(words) from None


async def pull(engine: aiodocker.Docker, image: str, tell: Callable[[str], None]) -> None:
    """Get an image from its registry.

    Args:
        engine: The engine that gets it.
        image: Its name.
        tell: Takes lines that say how far it is.

    Raises:
        ImageNotFoundError: The registry has no such image, or not for this user.
        ImagePullError: The registry refused, or did not answer within 8 s.
    """
    registry = registry_of(image)
    auth = credentials(registry) if "/" in image else None
    messages = engine.images.pull(image, auth=auth, stream=True, timeout=None)
    try:
        await _follow(messages, tell)
    except TimeoutError:
        raise _pull_error(image, registry, f"no answer within {PATIENCE:g} s") from None
    except aiodocker.DockerError as error:
        raise _pull_error(image, registry, error.message) from None


def _pull_error(image: str, registry: str, words: str) -> ImagePullError:
    kind: type[ImagePullError] = ImagePullError
    if REFUSED.search(words) and not ABSENT.search(words):
        happened, remedy = f"{registry} refuses to give it", f"Sign in: docker login {registry}"
    elif ABSENT.search(words):
        kind = ImageNotFoundError
        happened = f"the engine does not have it, and {registry} does not give it"
        remedy = f"Correct the name; build the image; or, if it is private, sign in: docker login {registry}"
    else:
        happened = f"the engine does not have it, and cannot get it from {registry}"
        remedy = (
            "Look at the engine's network and proxy; or bring the image to the engine: docker load; or name another: "
            "Container(image=…), or LAMINAR_IMAGE_BASE for the base of images that laminar builds"
        )
    error = kind(f"There is no image {image}: {happened}: {words.strip()}\n{remedy}.")
    error.image = image
    return error


async def push(engine: aiodocker.Docker, image: str, tell: Callable[[str], None]) -> None:
    """Give an image to the registry that its name leads to.

    Args:
        engine: The engine that has it.
        image: Its name.
        tell: Takes lines that say how far it is.

    Raises:
        ImagePushError: The registry refused, or did not answer within 8 s.
    """
    registry = registry_of(image)
    name, _, tag = image.rpartition(":")
    auth = credentials(registry)
    messages = engine.images.push(name, tag=tag, auth=auth, stream=True, timeout=None)
    try:
        await _follow(messages, tell)
    except (aiodocker.DockerError, TimeoutError) as error:
        words = error.message if isinstance(error, aiodocker.DockerError) else f"no answer within {PATIENCE:g} s"
        failure = ImagePushError(
            f"{registry} did not take the image {image}: {words.strip()}\n"
            f"Sign in with the right to write: docker login {registry}; or name another registry: "
            "Image(registry=…), LAMINAR_IMAGE_REGISTRY."
        )
        failure.image = image
        raise failure from None


async def _follow(messages: AsyncIterator[Mapping[str, Any]], tell: Callable[[str], None]) -> None:
    """Tell what a registry says, layer by layer, without the bars of progress.

    Raises:
        TimeoutError: It says nothing.
    """
    first = True
    while True:
        try:
            async with asyncio.timeout(PATIENCE if first else None):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        first = False
        if message.get("status") and not message.get("progressDetail"):
            tell(" ".join(part for part in (message.get("id", ""), message["status"]) if part))
