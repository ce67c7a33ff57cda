"""How an image is built: its Dockerfile, the files that the build is given, and the tag that follows from both."""

from __future__ import annotations

import os
import re

from laminar.model.value import Value
from laminar.packaging import context, image, script, wheel
from laminar.packaging.dockerfile import Dockerfile
from laminar.packaging.settings import PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.packaging.context import Item
    from laminar.packaging.image import Image
    from laminar.packaging.settings import ImageSettings

#: Digits of the hash in a tag.
DIGITS = 16


class Recipe(Value, frozen=True):
    """How one image is built.

    Attributes:
        tag: Its name: repository, and hash of all that is below.
        base: Name of the image that it stands on; None for a user's own Dockerfile, which says that itself.
        first: How that is built; None if it is simply there, or pulled.
        dockerfile: Text of the Dockerfile.
        items: The other files that the build is given.
        pushes: Whether it is for a registry.
    """

    tag: str
    base: str | None
    first: Recipe | None
    dockerfile: str
    items: tuple[Item, ...]
    pushes: bool

    @property
    def bases(self) -> tuple[str, ...]:
        """Names of the images that the Dockerfile begins with."""
        return tuple(re.findall(r"(?im)^FROM\s+(?:--\S+\s+)*(\S+)", self.dockerfile))


def recipe(wanted: Image, settings: ImageSettings, extras: tuple[str, ...] = ()) -> Recipe:
    """Say how an image is built.

    Args:
        wanted: The image.
        settings: How images are built here.
        extras: laminar's extras that are needed in it, such as ``cloud``.

    Raises:
        FlowError: A file that it needs is missing.
        ImageError: laminar is not installed, so it cannot be put into the image.
    """
    kind = wanted.base
    first = users_own(kind, wanted.name) if isinstance(kind, image.Dockerfile) else None
    needs = script.needs(kind.path) if isinstance(kind, image.Script) else None
    python = needs.python if needs else kind.python if isinstance(kind, image.Debian) else None
    if first is not None:
        base = first.tag
    else:
        base = kind.uri if isinstance(kind, image.Named) else settings.base.replace(PYTHON, python or "")
    writing = Dockerfile(base, python or "", settings.ca_certs)
    writing.require(wheel.requirements(extras))
    scripts = (needs.packages,) if needs and needs.packages.packages else ()
    for step in (*scripts, *wanted.steps):
        writing.step(step)
    text = writing.finish()
    registry = wanted.registry or settings.registry
    repository = _repository(registry, wanted.name, kind)
    tag = f"{repository}:{context.digest(text, writing.items)[:DIGITS]}"
    return Recipe(tag, base, first, text, tuple(writing.items), registry is not None)


def users_own(base: image.Dockerfile, name: str | None = None) -> Recipe:
    """Say how the image of a user's Dockerfile is built, as it is.

    Args:
        base: The Dockerfile.
        name: Name of the image that stands on it.

    Raises:
        FlowError: There is no such file.
    """
    text = context.text(base.path, "Image.from_dockerfile")
    items = tuple(
        item
        for item in context.folder("", os.path.dirname(base.path), "Image.from_dockerfile")
        if item.name != "Dockerfile"
    )
    tag = f"{_repository(None, name, base)}:{context.digest(text, items)[:DIGITS]}"
    return Recipe(tag, None, None, text, items, False)


def _repository(registry: str | None, name: str | None, kind: object) -> str:
    if registry and name:
        return f"{registry}/{name}"
    own = f"laminar-{name or _default_name(kind)}"
    return f"{registry}/{own}" if registry else own


def _default_name(kind: object) -> str:
    """Name an image by its base; no folder is part of it."""
    if isinstance(kind, image.Debian):
        return "debian"
    if isinstance(kind, image.Dockerfile):
        return "dockerfile"
    if isinstance(kind, image.Script):
        text = os.path.splitext(os.path.basename(kind.path))[0]
    else:
        text = str(getattr(kind, "uri", "")).partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "image"
