"""What would be deployed, found out without server and engine: entities, images, the bundle, and their version."""

from __future__ import annotations

import hashlib
import os
import sys

import msgspec

from laminar.errors import DeploymentError
from laminar.model.placement import WORKDIR
from laminar.model.value import Value
from laminar.packaging import script
from laminar.packaging.bundle import gather
from laminar.packaging.image import Image
from laminar.packaging.projects import anchored
from laminar.packaging.recipe import recipe
from laminar.packaging.references import References
from laminar.packaging.settings import from_environment
from laminar.runs import source
from laminar.runs.deployables import Deployable, are_called, described
from laminar.wire.deployments import DeployRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from laminar.packaging.bundle import Bundle
    from laminar.packaging.references import Reference
    from laminar.runs.deployables import Part
    from laminar.wire.specs import EntitySpec

#: Digits of the hash that a version is.
DIGITS = 16
NONE = "none"


class Plan(Value, frozen=True):
    """What would be deployed.

    Attributes:
        version: The version of all of it.
        requests: What a server would be told, one for each environment and flow.
        bundle: The files of the code.
        images: What is to be built, by its name.
    """

    version: str
    requests: tuple[DeployRequest, ...]
    bundle: Bundle
    images: dict[str, Image]


def plan(things: Iterable[Any], version: str | None = None, copy_style: str = "loaded_modules") -> Plan:
    """Find out what would be deployed.

    Args:
        things: Environments and flows. What they depend on, and what flows call, comes with them.
        version: A version by hand; by default a hash of the content.
        copy_style: Which files of the code travel; see :func:`laminar.deploy`.

    Raises:
        DeploymentError: Something cannot be deployed as it is.
        BundleError: A file of the code cannot travel.
    """
    closure = _Closure(things)
    style_needs_images = copy_style == NONE
    images = _Images()
    entities = {one.name: _entities(one, closure, images, style_needs_images) for one in closure.members}
    _refuse_twice(spec.name for specs in entities.values() for spec in specs)
    bundle = gather(_code(closure.members), copy_style, recorded=True)
    contents = {name: _content(specs, bundle.digest) for name, specs in entities.items()}
    chosen = _digest(sorted(contents.items()))[:DIGITS] if version is None else version
    requests = tuple(
        _request(one, chosen, contents[one.name], bundle.md5, entities[one.name]) for one in closure.members
    )
    return Plan(chosen, requests, bundle, images.built)


class _Closure:
    """What is deployed together.

    Attributes:
        members: Environments and flows, those that were asked for first.
        calls: Names of the tasks that each part calls, by the part's name.
    """

    def __init__(self, things: Iterable[Any]) -> None:
        """Follow what environments depend on, and what flows call.

        Raises:
            DeploymentError: Two bear one name, there is nothing, or a task is called that is not deployed.
        """
        self._known: dict[str, Deployable] = {}
        self._references = References(are_called)
        self.calls: dict[str, tuple[str, ...]] = {}
        self._take(things)
        found = [*self._known.values()]
        for one in found:
            found += self._take(self._come_along(one))
        for one in found:
            self._check(one)
        self.members = [one for one in found if one.parts]
        if not self.members:
            names = ", ".join(one.name for one in found)
            raise DeploymentError(
                f"{f'{names} has no tasks' if names else 'Nothing was given'}, so there is nothing to deploy. "
                "Give an environment with tasks, or a flow."
            )

    def _take(self, things: Iterable[Any]) -> list[Deployable]:
        """Take things in with all that they depend on, and give those that are new."""
        waiting, new = [described(thing) for thing in things], []
        while waiting:
            one = waiting.pop(0)
            known = self._known.setdefault(one.name, one)
            if known is one:
                new.append(one)
                waiting += map(described, one.needs)
            elif known.source is not one.source:
                raise DeploymentError(
                    f"There are two named {one.name}: {known.source!r} of {_place(known)} and {one.source!r} of "
                    f"{_place(one)}. What is deployed is found by its name; give one of them another."
                )
        return new

    def _come_along(self, one: Deployable) -> list[Any]:
        """Give what is deployed since it is called: flows; and where nothing is declared, environments too."""
        values = [reference.value for part in one.parts for reference in self._references.of(part.code)]
        return [value for value in values if not (one.declares and described(value).declares)]

    def _check(self, one: Deployable) -> None:
        """Note what is called, and refuse calls of what is not deployed.

        What a task calls is looked for in the closure of what is deployed: whoever depends on it counts.
        """
        for part in one.parts:
            names = set()
            for reference in self._references.of(part.code):
                called = described(reference.value)
                if called.name not in self._known:
                    raise _outside(one, part, reference, called)
                if called.declares:
                    names.add(reference.value.name)
            self.calls[part.name] = tuple(sorted(names - {part.name}))


def _place(one: Deployable) -> str:
    return one.modules[0] if one.modules else "no module"


def _outside(one: Deployable, part: Part, reference: Reference, called: Deployable) -> DeploymentError:
    return DeploymentError(
        f"{reference.file}, line {reference.line}: {part.name} calls {reference.value.name}, and environment "
        f"{called.name} is not deployed with {one.name}. Name it there: depends_on=[…]."
    )


class _Images:
    """Names of images, without an engine.

    Attributes:
        built: What is to be built, by its name.
    """

    def __init__(self) -> None:
        self._settings = from_environment()
        self._names: dict[Image, str] = {}
        self.built: dict[str, Image] = {}

    def name(self, image: str | Image | None) -> str | None:
        """Give the name of an image.

        Raises:
            FlowError: The name makes no sense, or a file that the image needs is missing.
        """
        if image is None:
            return None
        if isinstance(image, str):
            Image.from_registry(image)  # refuses what is no name
            return image
        if image not in self._names:
            self._names[image] = recipe(image, self._settings).tag
            self.built[self._names[image]] = image
        return self._names[image]


def _entities(one: Deployable, closure: _Closure, images: _Images, needs_image: bool) -> tuple[EntitySpec, ...]:
    declared = _declared(one)
    made = []
    for part in one.parts:
        name = images.name(declared if part.image is None else part.image)
        if name is None and needs_image:
            raise DeploymentError(
                f'{part.name} names no image, and with the copy style "none" its code must be in one. '
                'Give it an image that holds the code, or use the copy style "loaded_modules".'
            )
        spec = part.spec(name, closure.calls[part.name])
        made.append(msgspec.structs.replace(spec, in_image=True) if needs_image else spec)
        if not needs_image:
            _refuse_hidden(part.name, declared if part.image is None else part.image, spec.workdir or WORKDIR)
    for spec in made:
        _refuse_twice((trigger.name for trigger in spec.triggers), f"Triggers of {spec.name}: ")
    return tuple(made)


def _refuse_hidden(name: str, image: str | Image | None, workdir: str) -> None:
    """Refuse an image that is to have files where the code will lie over them."""
    hidden = image.below(workdir) if isinstance(image, Image) else []
    if hidden:
        raise DeploymentError(
            f"{name}: its image puts {', '.join(map(os.path.basename, hidden))} into {workdir}, where the code of each "
            f"run is put over it. Name another folder, as in with_source_file({os.path.basename(hidden[0])!r}, "
            '"/data/"), or let files of the project travel with the code: copy_style="all".'
        )


def _declared(one: Deployable) -> Image | None:
    """Give the image that the metadata of a script ask for (PEP 723); None if it has none."""
    path = getattr(sys.modules.get(_place(one)), "__file__", None)
    if path is None or not os.path.isfile(path) or script.block(path) is None:
        return None
    return Image.from_uv_script(path)


def _refuse_twice(names: Iterable[str], where: str = "") -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DeploymentError(f"{where}there are two named {name}. Give one of them another name.")
        seen.add(name)


def _code(members: list[Deployable]) -> Any:
    modules = dict.fromkeys(name for one in members for name in one.modules)
    code, addressed = source.code_of(modules)
    if not addressed:
        raise DeploymentError(
            f"{members[0].name} is defined in no file: in a notebook, or as it was typed. "
            "Put it into a .py file and import it from there."
        )
    include = tuple(dict.fromkeys(pattern for one in members for pattern in one.include))
    return anchored(code.replace(include=include))


def _content(specs: tuple[EntitySpec, ...], files: str) -> str:
    """Digest what one environment or flow is. Fingerprints for the cache are not: they count installed packages."""
    plain = [msgspec.structs.replace(spec, cache=msgspec.structs.replace(spec.cache, code=None)) for spec in specs]
    return _digest([plain, files])


def _digest(said: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _request(one: Deployable, version: str, content: str, md5: str, specs: tuple[EntitySpec, ...]) -> DeployRequest:
    request = DeployRequest(
        kind="flow" if one.kind == "flow" else "environment",
        name=one.name,
        version=version,
        content=content,
        bundle=md5,
        entities=specs,
        description=one.description,
    )
    try:
        msgspec.convert(msgspec.to_builtins(request), DeployRequest)
    except msgspec.ValidationError as error:
        raise DeploymentError(
            f"{one.name} cannot be deployed: {error}. Names and versions are letters, digits, '_', '-' and '.'; "
            "a version begins with a letter or a digit and has at most 100 of them."
        ) from None
    return request
