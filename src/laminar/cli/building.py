"""``laminar build``: the images that a file declares."""

from __future__ import annotations

import os

import click

from laminar.cli import answers, code, options
from laminar.errors import FlowError, nearest
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from laminar.packaging.image import Image

    Declared = dict[str, "Wanted"]


class Wanted(Value, frozen=True):
    """An image that a file declares.

    Attributes:
        image: The image, or the name of one.
        extras: laminar's extras that it needs, for the datastore of its flow.
    """

    image: Image | str
    extras: tuple[str, ...] = ()


@click.command("build", short_help="Build the images that a file declares.")
@click.argument("file")
@click.argument("name", required=False)
@click.option("--push", is_flag=True, help="Push them to the registries that they name, even if nothing was built.")
@click.option("--dryrun", is_flag=True, help="Print Dockerfiles and tags. This needs no engine.")
@options.output
@options.root
@options.common
def build(file: str, name: str | None, push: bool, dryrun: bool, output: str, root: str) -> None:
    """Build the images that FILE declares: its Image objects, and those of the layers of its flows.

    A layer that names no image gets the automatic one. NAME chooses: the name of an Image object, of a flow, or
    FLOW/LAYER.

    \b
    laminar build train.py
    laminar build train.py Train/Fit --dryrun
    """
    with answers.aside(output):
        wanted = _choose(_declared(code.load(file, name or ""), code.path_of(file)), name, file)
    if dryrun:
        _answer(output, wanted, _planned(wanted))
    else:
        _answer(output, wanted, {one: {"image": tag} for one, tag in _made(wanted, push, root).items()})


def _declared(module: ModuleType, path: str) -> Declared:
    """Find the images of a file, by the names that choose them."""
    from laminar.flows.flow import PARAMETERS  # loaded by then, but not for help texts
    from laminar.packaging.image import Image
    from laminar.packaging.images import automatic

    found: Declared = {name: Wanted(value) for name, value in vars(module).items() if isinstance(value, Image)}
    for kind in code.flows_in(module).values():
        flow = code.configured(kind)
        own = getattr(flow.configuration.executor, "image", None)
        for layer, registration in flow.registry.items():
            if layer != PARAMETERS:
                image = registration.configuration.container.image or own
                chosen = automatic(path) if image is None else image
                found[f"{flow.name}/{layer}"] = Wanted(chosen, flow.configuration.datastore.extras)
    return found


def _choose(declared: Declared, name: str | None, file: str) -> Declared:
    """Take the images that a name chooses.

    Raises:
        FlowError: There are none.
    """
    if not declared:
        raise FlowError(f"{file} declares no image: it has neither an Image object nor a flow with layers.")
    chosen = {own: wanted for own, wanted in declared.items() if name in (None, own, own.partition("/")[0])}
    if not chosen:
        known = {*declared, *(own.partition("/")[0] for own in declared)}
        raise FlowError(f"{file} declares no image {name!r}.{nearest(str(name), known)}")
    return chosen


def _planned(wanted: Declared) -> dict[Wanted, dict[str, str]]:
    """Say how images would be built, without an engine."""
    from laminar.packaging.recipe import recipe  # 20 ms that help texts do not need
    from laminar.packaging.settings import from_environment

    settings = from_environment()
    plans: dict[Wanted, dict[str, str]] = {}
    for one in wanted.values():
        if isinstance(one.image, str):
            plans[one] = {"image": one.image}
        else:
            plan = recipe(one.image, settings, one.extras)
            plans[one] = {"image": plan.tag, "dockerfile": plan.dockerfile}
    return plans


def _made(wanted: Declared, push: bool, root: str) -> dict[Wanted, str]:
    """Make images ready, one after the other.

    Raises:
        FlowError: The packages that speak with an engine are not installed.
    """
    import asyncio  # 50 ms that help texts do not need

    try:
        from laminar.containers.engine import connected  # 200 ms of HTTP client
        from laminar.packaging.images import Images
    except ImportError as error:
        raise FlowError(f"laminar build needs the package {error.name}: pip install 'laminar[docker]'.") from error

    async def make() -> dict[Wanted, str]:
        made: dict[Wanted, str] = {}
        async with connected() as engine:
            for one in dict.fromkeys(wanted.values()):
                logs = os.path.join(root, "logs", "images")
                images = Images(engine.client, answers.remark, logs, extras=one.extras)
                if push and not isinstance(one.image, str):
                    made[one] = await images.push(one.image)
                else:
                    made[one] = await images.ready(one.image)
        return made

    return asyncio.run(make())


def _answer(output: str, wanted: Declared, made: dict[Wanted, dict[str, str]]) -> None:
    plain: list[dict[str, Any]] = [
        {"names": [name for name, own in wanted.items() if own == one], **about} for one, about in made.items()
    ]
    if output == options.JSON:
        answers.as_json({"images": plain})
        return
    answers.table(["NAME", "IMAGE"], [[", ".join(one["names"]), one["image"]] for one in plain])
    for one in plain:
        if "dockerfile" in one:
            for line in ("", f"# {one['image']}", *one["dockerfile"].splitlines()):
                answers.line(line)
