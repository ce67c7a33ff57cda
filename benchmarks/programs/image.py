"""The image step of a run whose image is there: prints its seconds, and the image, as JSON."""

import asyncio
import json
import time

from laminar.containers.engine import connected


async def main() -> None:
    """Connect, and ask for the automatic image as a run does."""
    async with connected() as engine:
        began = time.perf_counter()
        from laminar.packaging import images

        found = images.Images(engine.client, print, "logs")
        name = await found.ready(images.automatic(None))
        print(json.dumps({"seconds": time.perf_counter() - began, "image": name}))


asyncio.run(main())
