"""Images that cannot run laminar."""

from __future__ import annotations

from laminar.errors import PlacementError

#: Codes with which an init ends that finds no program: Docker's and Podman's.
UNSTARTED = (127, 1)
#: Exit code of a container whose Python has no laminar, or another one.
MISMATCH = 76


def without_python(said: str) -> PlacementError:
    """Give the error for an image that cannot start Python.

    Args:
        said: The words of the engine, or of its init; Podman (4.3) loses them now and then.
    """
    told = f" The engine says: {said}" if said else ""
    return PlacementError(
        "The image has no python on its PATH, by which laminar starts layers. Let laminar add what it lacks: "
        f"Container(image=Image.from_registry(…)).{told}"
    )


def without_laminar(image: str, said: str) -> PlacementError:
    """Give the error for an image whose Python cannot import laminar, or another laminar.

    Args:
        image: Its name.
        said: What Python has said, unless the engine has lost it.
    """
    why = said or "its Python has no laminar, or another one"
    return PlacementError(
        f"Image {image} cannot run layers: {why}. Give Container(image=Image.from_registry({image!r})), which puts "
        "this laminar into it."
    )


def found_none(said: str) -> bool:
    """Tell whether the engine's words for why a container did not start mean that there is no such program."""
    return "executable file not found" in said or ("no such file" in said and "exec" in said)
