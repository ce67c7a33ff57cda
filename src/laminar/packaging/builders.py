"""Who builds images: the engine through its HTTP API, or BuildKit through the ``docker`` command."""

from __future__ import annotations

import asyncio
import base64
import codecs
import json
import os
import re
import shutil
from abc import ABC, abstractmethod

from laminar.errors import ImageError
from laminar.model.value import Value
from laminar.packaging.credentials import credentials, registry_of
from laminar.packaging.settings import BUILDKIT, CLASSIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiodocker

    from laminar.packaging.output import Output

CHUNK = 1 << 20
#: The first version of the ``docker`` command that builds with BuildKit only if its plug-in buildx is there.
NEEDS_BUILDX = 23


class Order(Value, frozen=True):
    """What is to be built.

    Attributes:
        tag: The name that the image gets.
        context: Path of the context, a tar with the Dockerfile in it.
        bases: Names of images that it stands on, whose registries may want credentials.
        arguments: Build arguments.
        network: Network of the build; None for the engine's own choice.
    """

    tag: str
    context: str
    bases: tuple[str, ...]
    arguments: Mapping[str, str]
    network: str | None


class Builder(ABC):
    """Builds images."""

    @abstractmethod
    async def build(self, order: Order, output: Output) -> None:
        """Build an image.

        Args:
            order: What to build.
            output: Takes what the builder says.

        Raises:
            ImageBuildError: A step failed.
        """


class Classic(Builder):
    """The engine's own builder, through its HTTP API: Docker's classic one, or Podman's."""

    def __init__(self, engine: aiodocker.Docker) -> None:
        """Take the engine."""
        self._engine = engine

    async def build(self, order: Order, output: Output) -> None:
        """Build an image."""
        import aiodocker  # 200 ms, and who builds has it already

        parameters = {"t": order.tag, "rm": "1", "forcerm": "1", "buildargs": json.dumps(dict(order.arguments))}
        if order.network:
            parameters["networkmode"] = order.network
        headers = {"Content-Type": "application/x-tar", "X-Registry-Config": _registries(order.bases)}
        try:
            # aiodocker's own build() knows neither the network nor the credentials of a build.
            async with self._engine._query(
                "build", "POST", params=parameters, headers=headers, data=_chunks(order.context), timeout=None
            ) as response:
                text = codecs.getincrementaldecoder("utf-8")("replace")
                begun = ""
                async for chunk in response.content.iter_any():
                    *lines, begun = (begun + text.decode(chunk)).split("\n")
                    for line in lines:
                        _take(line, output)
                _take(begun, output)
        except aiodocker.DockerError as error:
            raise output.failure(error.message) from None


def _take(line: str, output: Output) -> None:
    """Take one message of the engine."""
    if not line.strip():
        return
    message = json.loads(line)
    if "error" in message:
        raise output.failure(str(message["error"]).strip())
    output.add(message.get("stream") or (f"{message['status']}\n" if _is_news(message) else ""))


def _is_news(message: Mapping[str, object]) -> bool:
    """Tell whether a message of a pull within a build is more than one bar of progress."""
    return "status" in message and "progressDetail" not in message


async def _chunks(path: str) -> AsyncIterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _registries(bases: tuple[str, ...]) -> str:
    """Put the credentials of registries into the form of the header X-Registry-Config."""
    found = {registry: credentials(registry) for registry in map(registry_of, bases)}
    known = {entry["serveraddress"]: entry for entry in found.values() if entry}
    return base64.urlsafe_b64encode(json.dumps(known).encode()).decode()


class BuildKit(Builder):
    """BuildKit, through the ``docker`` command."""

    def __init__(self, engine: aiodocker.Docker, command: tuple[str, ...]) -> None:
        """Take the engine, and the command that builds."""
        self._address = _address(engine)
        self._command = command

    async def build(self, order: Order, output: Output) -> None:
        """Build an image."""
        arguments = [word for pair in order.arguments.items() for word in ("--build-arg", "=".join(pair))]
        network = ["--network", order.network] if order.network else []
        with open(order.context, "rb") as context:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *("--progress", "plain", "--tag", order.tag, *network, *arguments, "-"),
                stdin=context,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": self._address},
            )
        assert process.stdout is not None
        text = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while chunk := await process.stdout.read(CHUNK):
                output.add(text.decode(chunk))
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        if code:
            raise output.failure(f"exit code {code} of {' '.join(self._command)}")


def _address(engine: aiodocker.Docker) -> str:
    """Give the address of an engine as the ``docker`` command takes it."""
    path = getattr(engine.connector, "path", None)  # aiodocker keeps only a stand-in for the address of a socket
    return f"unix://{path}" if path else re.sub("^https?://", "tcp://", str(engine.docker_host))


async def choose(engine: aiodocker.Docker, wanted: str | None) -> Builder:
    """Choose who builds: BuildKit where it works, else the engine itself.

    Args:
        engine: The engine.
        wanted: ``buildkit`` or ``classic``; None for what works.

    Raises:
        ImageError: BuildKit is wanted and is not there.
    """
    if wanted == CLASSIC:
        return Classic(engine)
    command = await _buildkit(engine)
    if command:
        return BuildKit(engine, command)
    if wanted == BUILDKIT:
        raise ImageError(
            "LAMINAR_IMAGE_BUILDER=buildkit, but BuildKit cannot be used: it needs Docker Engine, and the docker "
            "command with its plug-in buildx on the PATH. Install docker-buildx, or set LAMINAR_IMAGE_BUILDER=classic."
        )
    return Classic(engine)


async def _buildkit(engine: aiodocker.Docker) -> tuple[str, ...]:
    """Find a command that builds with BuildKit on an engine; empty if there is none."""
    version = await engine.version()
    if any("Podman" in component.get("Name", "") for component in version.get("Components") or ()):
        return ()
    for folder in os.get_exec_path():
        program = shutil.which("docker", path=folder)
        if program and await _run(program, "buildx", "version"):
            return (program, "buildx", "build", "--builder", "default", "--load")
        if program and _before_buildx(await _run(program, "--version")):
            return (program, "build")
    return ()


def _before_buildx(version: str) -> bool:
    """Tell whether a ``docker`` command has BuildKit built in."""
    found = re.search(r"Docker version (\d+)", version)
    return found is not None and int(found[1]) < NEEDS_BUILDX


async def _run(*command: str) -> str:
    """Run a command that asks for a version; empty if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return "" if process.returncode else output.decode(errors="replace")
