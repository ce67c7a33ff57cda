"""A place where tests make images."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiodocker

from laminar import Image
from laminar.packaging.images import Images

if TYPE_CHECKING:
    from pathlib import Path

    from engines import Engine


@dataclass
class Workshop:
    """An engine, and a folder; makes images ready there, as each run of a program would: with nothing remembered."""

    engine: Engine
    folder: Path
    builder: str = ""
    lines: list[str] = field(default_factory=list)

    def image(self, **arguments) -> Image:
        """Give an image that the tests remove in the end."""
        name = f"laminar-{self.name}" if "registry" in arguments else self.name
        return Image.from_debian_base(name=name, **arguments)

    @property
    def name(self) -> str:
        """The name for images that the tests remove in the end."""
        return f"{self.engine.prefix.removeprefix('laminar-')}-{self.builder or 'any'}"

    @property
    def base(self) -> str:
        """What images stand upon, unless they say otherwise."""
        return os.environ["LAMINAR_IMAGE_BASE"]

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def ready(self, *images: Image | str, times: int = 1) -> list[str]:
        """Make images ready, all at once, each several times."""
        return self.work(lambda made: asyncio.gather(*(made.ready(image) for image in images for _ in range(times))))

    def push(self, image: Image) -> str:
        return self.work(lambda made: made.push(image))

    def work(self, act):
        """Do something with an object that makes images."""

        async def work():
            async with aiodocker.Docker(os.environ["DOCKER_HOST"]) as client:
                return await act(Images(client, self.lines.append, str(self.logs)))

        self.lines.clear()
        return asyncio.run(work())

    def within(self, image: str, command: str, *options: str) -> str:
        """Run a command of the shell in a container."""
        return self.engine.docker("run", "--rm", *options, image, "sh", "-c", command)
