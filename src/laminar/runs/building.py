"""Images that a deployment needs, made ready by the engine of this machine."""

from __future__ import annotations

import os

from laminar.errors import DeploymentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from laminar.packaging.image import Image


def make_ready(images: Iterable[Image], tell: Callable[[str], None], root: str) -> list[str]:
    """See to it that images are there: on the engine, and in the registries that they name. What is there stays.

    Args:
        images: The images.
        tell: Takes lines that say what is done.
        root: Folder of laminar's files, for the output of builds.

    Returns:
        Their names.

    Raises:
        DeploymentError: The packages that speak with an engine are not installed.
        EngineNotReachableError: No engine answers.
        ImageError: An image cannot be built, pulled or pushed.
    """
    import asyncio  # 50 ms, and only deployments with images need it
    from concurrent.futures import ThreadPoolExecutor

    try:
        from laminar.containers.engine import connected  # 200 ms of HTTP client
        from laminar.packaging.images import Images
    except ImportError as error:
        raise DeploymentError(
            f"To build images, laminar needs the package {error.name}: pip install 'laminar[docker]'."
        ) from error

    async def make() -> list[str]:
        async with connected() as engine:
            made = Images(engine.client, tell, os.path.join(root, "logs", "images"))
            return [await made.ready(image) for image in images]

    with ThreadPoolExecutor(1) as thread:  # an event loop may run in this one
        return thread.submit(lambda: asyncio.run(make())).result()
