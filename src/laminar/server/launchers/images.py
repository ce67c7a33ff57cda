"""Images of agents' containers: there, or made ready by a process of their own."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiodocker

from laminar import errors
from laminar.errors import ImageError, LaminarError
from laminar.executors.interpreters import interpreter_options
from laminar.server import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.containers.engine import Engine

#: What the process runs; :mod:`laminar.packaging.errand` says how it is asked. It is not imported here.
ERRAND = "from laminar.packaging.errand import main; main()"


class Images:
    """The images that an engine has, or can be given. Used in one event loop."""

    def __init__(self, engine: Engine, folder: str) -> None:
        """Begin with none known.

        Args:
            engine: The engine.
            folder: For the output of builds.
        """
        self._engine = engine
        self._folder = folder
        self._automatic = ""
        self._work: dict[str, asyncio.Task[str]] = {}

    async def ready(self, name: str) -> str:
        """See to it that the engine has an image; asked by many, it is made once.

        Args:
            name: Its name; empty for the automatic one.

        Returns:
            Its name.

        Raises:
            LaminarError: It cannot be had.
        """
        known = name or self._automatic
        if known and await self._there(known):
            return known
        task = self._work.get(name)
        if task is None:
            task = self._work[name] = asyncio.ensure_future(self._make(name))
            task.add_done_callback(lambda _: self._work.pop(name))
        made = await asyncio.shield(task)
        if not name:
            self._automatic = made
        return made

    async def _there(self, name: str) -> bool:
        try:
            await self._engine.client.images.inspect(name)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _make(self, name: str) -> str:
        arguments = [self._engine.address, self._folder, *([name] if name else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *interpreter_options(),
            "-c",
            ERRAND,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(os.environ),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        answer = asyncio.ensure_future(process.stdout.read())
        try:
            last = ""
            while line := await process.stderr.readline():
                last = line.decode(errors="replace").strip()
                logs.event("image", image=name or "the automatic one", line=last)
            return _answered(name, await answer, last)
        finally:
            answer.cancel()
            if process.returncode is None:
                process.kill()
            await process.wait()


def _answered(name: str, answer: bytes, last: str) -> str:
    """Read what the process has answered.

    Raises:
        LaminarError: It has failed.
    """
    try:
        said = json.loads(answer)
    except ValueError:
        raise ImageError(f"The image {name or 'for containers'} could not be made ready: {last}") from None
    if "image" in said:
        return str(said["image"])
    kind = getattr(errors, said["error"], ImageError)
    error: LaminarError = kind(said["message"])
    raise error
