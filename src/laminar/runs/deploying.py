"""``laminar.deploy``: a plan, and then what it says is done."""

from __future__ import annotations

from laminar.console.tables import laid_out
from laminar.errors import DeploymentError, LaminarError
from laminar.model.value import Value
from laminar.packaging.recipe import recipe
from laminar.packaging.settings import from_environment
from laminar.runs import building, configuration, registering
from laminar.runs.planning import plan
from laminar.worker import assignment
from laminar.worker.assignment import Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar.runs.planning import Plan
    from laminar.runs.registering import Deployer
    from laminar.wire.deployments import DeployRequest
    from laminar.wire.specs import EntitySpec, InterfaceSpec


class Deployment(Value, frozen=True):
    """A version of an environment or flow.

    Attributes:
        kind: ``"environment"`` or ``"flow"``.
        name: Its name.
        version: Its version.
        bundle: MD5 of the bundle of its code, in Base64.
        files: The files of that bundle: path and size in bytes.
        images: Names of the images of its containers.
        entities: Its tasks; or the flow, and then its layers.
        place: Where it was deployed to; None after a dry run.
        existed: Whether that very version was there already.
        differs: How it differs from what was deployed last, in words: one line for each difference. Only after a dry
            run, and None if that could not be found out.
    """

    kind: str
    name: str
    version: str
    bundle: str
    files: tuple[tuple[str, int], ...]
    images: tuple[str, ...]
    entities: tuple[EntitySpec, ...]
    place: str | None = None
    existed: bool = False
    differs: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """Show kind, name and version."""
        return f"<Deployment {self.kind} {self.name} {self.version}>"

    def summary_repr(self) -> str:
        """Say in a few words what it is."""
        parts = self.entities if self.kind == "environment" else self.entities[1:]
        counted = _counted(len(parts), "task" if self.kind == "environment" else "layer")
        size = sum(size for _, size in self.files)
        images = f", {_counted(len(self.images), 'image')}" if self.images else ""
        return (
            f"{self.kind.capitalize()} {self.name}, version {self.version}: {counted}, "
            f"{_counted(len(self.files), 'file')} of {size:,} bytes{images}. {self._done()}"
        )

    def _done(self) -> str:
        if self.place is None:
            return "Nothing was sent."
        return f"It was in {self.place} already." if self.existed else f"Deployed to {self.place}."

    def table_repr(self) -> str:
        """Show its tasks, or its flow and layers, as a table."""
        rows = [[spec.kind, spec.name, signature(spec.interface), spec.image or ""] for spec in self.entities]
        return "\n".join(laid_out(["KIND", "NAME", "TAKES AND GIVES", "IMAGE"], rows))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def signature(interface: InterfaceSpec) -> str:
    """Write what a task takes and gives, as its definition does."""
    taken = [
        f"{one.name}: {one.type}" + ("" if one.required else f" = {one.default!r}") for one in interface.parameters
    ]
    if interface.returns is None:
        return ""
    return f"({', '.join(taken)}) -> {interface.returns.type}"


def deploy(
    *environments: Any, dryrun: bool = False, version: str | None = None, copy_style: str = "loaded_modules"
) -> list[Deployment]:
    """Deploy environments and flows to the server that is configured, or to the one on this machine.

    What they depend on is deployed with them, in one version: a hash of tasks, images and files, so that nothing is
    sent again where nothing has changed.

    Args:
        environments: Task environments, and subclasses of :class:`laminar.Flow`.
        dryrun: Whether nothing is sent or built; that needs neither server nor engine.
        version: A version by hand.
        copy_style: Which files travel. ``"loaded_modules"``: the Python files that the code consists of; ``"all"``:
            also every other file of the project that is not ignored; ``"none"``: none, for images that hold the code.

    Returns:
        A deployment for each environment and flow, those that were asked for first.

    Raises:
        DeploymentError: Something cannot be deployed as it is; nothing was sent.
        BundleError: A file of the code cannot travel; nothing was sent.
        VersionConflictError: The version is there with other content.
        ServerError: The server cannot be reached, or refuses.
        ImageError: An image cannot be built, pulled or pushed.

    Usage::

        deployment = laminar.deploy(env)
        print(deployment[0].summary_repr())
    """
    if assignment.current() is not None:
        raise Reached  # a process that only loads code has come to where its script deploys it
    made = plan(environments, version, copy_style)
    if dryrun:
        return compared(made, registering.server() if configuration.current().endpoint else None)
    return apply(made, registering.server())


def apply(made: Plan, to: Deployer, tell: Callable[[str], None] = lambda _: None) -> list[Deployment]:
    """Do what a plan says: images, then the bundle, then what needs both.

    Args:
        made: The plan.
        to: Where it is deployed to.
        tell: Takes lines that say what is done.

    Raises:
        LaminarError: Something of it failed; see :func:`deploy`.
    """
    if made.images and to.runs_containers():
        _refuse_homeless(made, to)
        building.make_ready(made.images.values(), tell, configuration.current().root)
    if to.upload(made.bundle):
        tell(f"Sent {_counted(len(made.bundle.files), 'file')} of {made.bundle.size:,} bytes.")
    views = {request.name: to.register(request) for request in reversed(made.requests)}  # what is called first
    return [_deployment(made, one, place=to.place, existed=views[one.name].existed) for one in made.requests]


def _refuse_homeless(made: Plan, to: Deployer) -> None:
    """Refuse images that would be on this machine alone, where the server is on another.

    Raises:
        DeploymentError: There is one.
    """
    if to.shares_engine():
        return
    settings = from_environment()
    for name, image in made.images.items():
        if not recipe(image, settings).pushes:
            raise DeploymentError(
                f"The image {name} names no registry, and {to.place} is on another machine, which could not get it. "
                "Give it one: registry=…, or LAMINAR_IMAGE_REGISTRY."
            )


def compared(made: Plan, to: Deployer | None) -> list[Deployment]:
    """Say what a plan would do, and how that differs from what is deployed.

    Args:
        made: The plan.
        to: Where to look; None if nowhere.
    """
    return [_deployment(made, one, differs=_differs(one, to)) for one in made.requests]


def _differs(request: DeployRequest, to: Deployer | None) -> tuple[str, ...] | None:
    if to is None:
        return None
    try:
        before = to.newest(request.kind, request.name)
        if before is None:
            return (f"new: nothing of that name is in {to.place}",)
        if before.content == request.content:
            return ()
        return tuple(
            _changes(request, before.version, {name: to.entity(name, before.version) for name in before.entities})
        )
    except LaminarError as error:
        return (f"not known: {error}",)


def _changes(request: DeployRequest, version: str, before: dict[str, EntitySpec | None]) -> list[str]:
    said = [f"removed since version {version}: {name}" for name in before if name not in _names(request)]
    for spec in request.entities:
        known = before.get(spec.name)
        if known is None:
            said.append(f"new since version {version}: {spec.name}")
        elif fields := _changed(known, spec):
            said.append(f"changed since version {version}: {spec.name} ({', '.join(fields)})")
    return said or [f"changed since version {version}: the files"]


def _names(request: DeployRequest) -> set[str]:
    return {spec.name for spec in request.entities}


def _changed(before: EntitySpec, after: EntitySpec) -> list[str]:
    return [name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)]


def _deployment(made: Plan, request: DeployRequest, **more: Any) -> Deployment:
    return Deployment(
        kind=request.kind,
        name=request.name,
        version=request.version,
        bundle=request.bundle,
        files=tuple((file.path, file.size) for file in made.bundle.files),
        images=tuple(dict.fromkeys(spec.image for spec in request.entities if spec.image is not None)),
        entities=request.entities,
        **more,
    )
