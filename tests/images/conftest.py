"""Images on real engines."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiodocker
import pytest

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
    def logs(self) -> Path:
        return self.folder / "logs"

    def ready(self, *images: Image | str, times: int = 1) -> list[str]:
        """Make images ready, all at once, each several times."""
        return self._with(lambda made: asyncio.gather(*(made.ready(image) for image in images for _ in range(times))))

    def push(self, image: Image) -> str:
        return self._with(lambda made: made.push(image))

    def _with(self, act):
        async def work():
            async with aiodocker.Docker(os.environ["DOCKER_HOST"]) as client:
                return await act(Images(client, self.lines.append, str(self.logs)))

        self.lines.clear()
        return asyncio.run(work())

    def within(self, image: str, command: str, *options: str) -> str:
        """Run a command of the shell in a container."""
        return self.engine.docker("run", "--rm", *options, image, "sh", "-c", command)


@pytest.fixture
def workshop(container_engine, tmp_path):
    """Each engine in turn, with the builder that it has of its own choice."""
    return Workshop(container_engine, tmp_path)


@pytest.fixture
def docker_workshop(engine_named, tmp_path):
    return Workshop(engine_named("docker"), tmp_path)


@pytest.fixture(params=["buildkit", "classic", "podman"])
def any_builder(request, engine_named, monkeypatch, tmp_path, needs):
    """Each builder in turn."""
    engine = engine_named("podman" if request.param == "podman" else "docker")
    if request.param == "buildkit":
        needs(_has_buildkit(), "a docker command that builds with BuildKit")
    if request.param != "podman":
        monkeypatch.setenv("LAMINAR_IMAGE_BUILDER", request.param)
    return Workshop(engine, tmp_path, request.param)


def _has_buildkit() -> bool:
    return any(
        subprocess.run(
            [program, "build", "--help"], capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "1"}
        ).stdout.find(b"--secret")
        > 0
        for folder in os.get_exec_path()
        if (program := shutil.which("docker", path=folder))
    )
