"""Images and code bundles for executors that run containers."""

from __future__ import annotations

import os

from laminar.executors.contract import Packaging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar.executors.contract import Packed
    from laminar.model.code import Code


class Packer(Packaging):
    """Makes images and bundles by the packaging room, which is loaded when the first is asked for."""

    def __init__(self, script: str | None, logs: str, extras: tuple[str, ...]) -> None:
        """Begin with nothing made.

        Args:
            script: The script that was started, whose declared packages the automatic image has.
            logs: Folder for the output of builds.
            extras: laminar's extras that images need.
        """
        self._script = script
        self._extras = extras
        self._logs = logs
        self._images: Any = None

    async def image(self, engine: Any, wanted: Any, tell: Callable[[str], None]) -> str:
        """Give the name of an image that the engine has; see :meth:`Packaging.image`."""
        from laminar.packaging import images  # only who runs containers needs it

        if self._images is None:
            self._images = images.Images(engine, tell, os.path.join(self._logs, "images"), extras=self._extras)
        chosen = images.automatic(self._script) if wanted is None else wanted
        name: str = await self._images.ready(chosen)
        return name

    def code(self, code: Code, style: str) -> Packed:
        """Collect the files of the user's code; see :meth:`Packaging.code`."""
        from laminar.packaging.bundle import gather  # only who runs containers needs it

        return gather(code, style)
