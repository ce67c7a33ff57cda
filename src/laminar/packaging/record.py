"""How the code of a bundle is loaded, as a file of the bundle itself says it: no path in it names a machine."""

from __future__ import annotations

import json
import os

from laminar.errors import BundleError
from laminar.model.code import Code
from laminar.model.placement import WORKDIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Where in the bundle it lies; nothing of the project's own ever travels in that folder.
PATH = ".laminar/code.json"
FORMAT = 1


def written(code: Code, *, in_image: bool) -> bytes:
    """Write down how code is loaded.

    Args:
        code: The code, with paths relative to the folder that holds it.
        in_image: Whether that is a folder of the image, not the bundle's own.

    Returns:
        The file's bytes, the same for equal code.
    """
    said = {
        "format": FORMAT,
        "in_image": in_image,
        "script": code.script,
        "module": code.module,
        "imports": code.imports,
        "path": code.path,
        "argv": code.argv,
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def code_of(folder: str, image_folder: str = WORKDIR) -> Code:
    """Say where the code is when a bundle that was deployed lies in a folder.

    Args:
        folder: Absolute path of that folder.
        image_folder: The folder of the image that holds the code, if the bundle was made with the copy style "none".

    Returns:
        The code. Its path has only what is in the bundle: the place adds its own Python and packages after it.

    Raises:
        BundleError: The bundle does not say how its code is loaded.
    """
    file = os.path.join(folder, PATH)
    try:
        with open(file, "rb") as stream:
            said = json.load(stream)
        if said["format"] != FORMAT:
            raise BundleError(
                f"{file} has the format {said['format']!r}, and this laminar reads {FORMAT}. Use the laminar that "
                "has deployed the code, or deploy it again with this one."
            )
        return _read(said, image_folder if said["in_image"] else folder)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"The bundle in {folder} does not say how its code is loaded ({type(error).__name__}: {error}). "
            "Deploy the code again."
        ) from error


def _read(said: Any, folder: str) -> Code:
    def inside(path: str) -> str:
        return os.path.join(folder, path) if path else folder

    program, *arguments = said["argv"]
    return Code(
        script=None if said["script"] is None else inside(said["script"]),
        module=said["module"],
        imports=tuple(said["imports"]),
        path=tuple(map(inside, said["path"])),
        argv=(inside(program), *arguments),
        cwd=folder,
    )
