"""Images on an engine: there, pulled, or built."""

from __future__ import annotations

import asyncio
import os
import tempfile

from laminar.errors import FlowError, ImageBuildError, ImageError, ImageNotFoundError
from laminar.packaging import builders, context, registries, script
from laminar.packaging.dockerfile import USER
from laminar.packaging.image import Image
from laminar.packaging.output import Output
from laminar.packaging.recipe import recipe
from laminar.packaging.settings import from_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import aiodocker

    from laminar.packaging.builders import Builder
    from laminar.packaging.recipe import Recipe
    from laminar.packaging.settings import ImageSettings


def automatic(path: str | None) -> Image:
    """Give the image for a script that names none: what its own metadata want (PEP 723), else Debian with Python.

    Args:
        path: Path of the script; None if there is none.

    Raises:
        FlowError: The script's metadata make no sense.
    """
    if path is not None and os.path.isfile(path) and script.block(path) is not None:
        return Image.from_uv_script(path)
    return Image.from_debian_base()


class Images:
    """The images that an engine has or can be given. Whatever was made ready once stays so for this object.

    Used in one event loop.
    """

    def __init__(
        self,
        engine: aiodocker.Docker,
        tell: Callable[[str], None],
        logs: str,
        *,
        extras: tuple[str, ...] = (),
        settings: ImageSettings | None = None,
    ) -> None:
        """Take what it works with.

        Args:
            engine: The engine.
            tell: Takes lines that say what a build or a pull does.
            logs: Folder in which the output of builds is kept.
            extras: laminar's extras that are needed in images, such as ``cloud``.
            settings: How images are built; by default as ``LAMINAR_IMAGE_…`` says.

        Raises:
            FlowError: A setting makes no sense.
        """
        self._engine = engine
        self._tell = tell
        self._logs = logs
        self._extras = extras
        self._settings = from_environment() if settings is None else settings
        self._builder: Builder | None = None
        self._work: dict[Image | str, asyncio.Task[str]] = {}

    async def ready(self, image: Image | str) -> str:
        """See to it that the engine has an image: look, else pull, else build.

        Args:
            image: An image, or the name of one, which is taken as it is.

        Returns:
            The name by which the engine knows it.

        Raises:
            FlowError: A file that an image needs is missing, or the name is none.
            ImageBuildError: A step of its build failed.
            ImageNotFoundError: There is no such image.
            ImagePullError: The registry refused, or did not answer.
            ImagePushError: The registry that the image is for did not take it.
        """
        task = self._work.get(image)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.ensure_future(self._named(image) if isinstance(image, str) else self._made(image))
            self._work[image] = task
        return await asyncio.shield(task)

    async def push(self, image: Image) -> str:
        """See to it that the engine and the registry that the image names have it.

        Returns:
            Its name.

        Raises:
            FlowError: It names no registry.
            ImageError: What :meth:`ready` and the registry say.
        """
        wanted = await self._recipe(image)
        if not wanted.pushes:
            raise FlowError(
                f"The image {wanted.tag} names no registry to which it could be pushed. "
                "Give it one: registry=…, or LAMINAR_IMAGE_REGISTRY."
            )
        name = await self.ready(image)
        await registries.push(self._engine, name, self._tell)
        return name

    async def _named(self, name: str) -> str:
        Image.from_registry(name)  # refuses what is no name
        if await registries.there(self._engine, name) is None:
            self._tell(f"Pulling the image {name}.")
            await registries.pull(self._engine, name, self._tell)
        return name

    async def _recipe(self, image: Image) -> Recipe:
        return await asyncio.to_thread(recipe, image, self._settings, self._extras)

    async def _made(self, image: Image) -> str:
        wanted = await self._recipe(image)
        if await registries.there(self._engine, wanted.tag) is not None:
            return wanted.tag
        if wanted.pushes and await self._pulled(wanted.tag):
            return wanted.tag
        await self._build(wanted)
        if wanted.pushes:
            await self._pushed(wanted.tag)
        return wanted.tag

    async def _pulled(self, tag: str) -> bool:
        """Get an image that somebody else has built and pushed."""
        try:
            await registries.pull(self._engine, tag, self._tell)
        except ImageNotFoundError:
            return False
        return True

    async def _pushed(self, tag: str) -> None:
        try:
            await registries.push(self._engine, tag, self._tell)
        except ImageError:
            await self._engine.images.delete(tag)  # else the next run would find it here and never push it
            raise

    async def _build(self, wanted: Recipe) -> None:
        arguments = self._settings.arguments
        if wanted.first is not None and await registries.there(self._engine, wanted.first.tag) is None:
            await self._build(wanted.first)
        if wanted.base is None:
            arguments = dict(self._settings.proxies)
        else:
            await self._named(wanted.base)
            user = ((await registries.there(self._engine, wanted.base)) or {}).get("Config", {}).get("User")
            arguments = {**arguments, **({USER: user} if user else {})}
        try:
            await self._carry_out(wanted, arguments)
        except ImageBuildError:
            if await registries.there(self._engine, wanted.tag) is None:
                raise  # else another process has built it meanwhile

    async def _carry_out(self, wanted: Recipe, arguments: dict[str, str]) -> None:
        if self._builder is None:
            self._builder = await builders.choose(self._engine, self._settings.builder)
        self._tell(f"Building the image {wanted.tag}.")
        output = Output(wanted.tag, self._tell, self._logs)
        try:
            with tempfile.NamedTemporaryFile(prefix="laminar-context-") as file:
                await asyncio.to_thread(context.pack, file, wanted.dockerfile, wanted.items)
                file.flush()
                order = builders.Order(wanted.tag, file.name, wanted.bases, arguments, self._settings.network)
                await self._builder.build(order, output)
        finally:
            output.close()
