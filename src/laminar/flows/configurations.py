"""What can be said of a layer when it is registered."""

from __future__ import annotations

from collections.abc import Mapping

from laminar.errors import FlowError
from laminar.model.placement import WORKDIR, Buildable, Placement
from laminar.model.policies import Resources, Retry, ReusePolicy, Timeout
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from laminar.packaging.image import Image


class Registrable:
    """What can be registered with a flow: the base of all layers."""


class Container(Value):
    """The container of a layer, and what it needs of a machine.

    Attributes:
        image: Name of an image, or an :class:`~laminar.Image` to build; by default what the executor uses.
        command: What starts the user's code in the container; by default the script that started the scheduler.
        cpu: Cores, may be a fraction.
        memory: Megabytes, or a string such as ``"2Gi"``.
        workdir: Folder in which the command is run.
        gpu: Number of GPUs, or a string such as ``"A100:1"``.
        env: Environment variables; on the thread executor they apply to no more than ``current``.
        shm: Megabytes of shared memory, or a string; ``"auto"`` for as much as the memory.
        disk: Megabytes of scratch space, or a string.
        reuse: Whether the container stays up for further splits; by default what the executor does.

    Raises:
        FlowError: An amount or a name makes no sense.

    Usage::

        @HelloFlow.register(container=Container(cpu=2, memory="4Gi"))
    """

    image: str | Image | None = None
    command: str | None = None
    cpu: float | str = 1
    memory: float | str = 1500
    workdir: str = WORKDIR
    gpu: int | str | None = None
    env: Mapping[str, str] | None = None
    shm: float | str | None = None
    disk: float | str | None = None
    reuse: ReusePolicy | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        self.resources()
        if not isinstance(self.image, (str, Buildable, type(None))):
            raise FlowError(f"Container(image={self.image!r}): expects the name of an image, or an Image.")
        if self.image == "":
            raise FlowError("Container(image=''): expects the name of an image, such as 'my/image:1'.")
        if self.command is not None and (not isinstance(self.command, str) or not self.command.strip()):
            raise FlowError(f"Container(command={self.command!r}): expects a command, such as 'python main.py'.")
        if not isinstance(self.workdir, str) or not self.workdir.startswith("/") or self.workdir == "/":
            raise FlowError(f"Container(workdir={self.workdir!r}): expects the absolute path of a folder of its own.")
        if self.reuse is not None and not isinstance(self.reuse, ReusePolicy):
            raise FlowError(f"Container(reuse={self.reuse!r}): expects ReusePolicy(…).")
        if not isinstance(self.env, (Mapping, type(None))):
            raise FlowError(f"Container(env=…): expects a dictionary of strings, got {self.env!r}.")
        for name, value in (self.env or {}).items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise FlowError(f"Container(env=…): expects strings, got {name!r}: {value!r}.")
            if not name or "=" in name or "\0" in name + value:
                raise FlowError(f"Container(env=…): {name!r} is no name of a variable, or has a null byte.")

    def resources(self) -> Resources:
        """Give what it needs of a machine.

        Raises:
            FlowError: A hook has set an amount that makes no sense.
        """
        return Resources(self.cpu, self.memory, self.gpu, self.disk, self.shm)

    def placement(self) -> Placement:
        """Give where it wants to run."""
        return Placement(self.image, self.command, self.workdir, self.env, self.reuse)


class Parameter(Value, frozen=True):
    """One input of a foreach.

    Attributes:
        layer: The layer that made the artifact.
        attribute: Name of the artifact.
        index: Which split of that layer made it; None takes it over all splits of a foreach layer.

    Raises:
        FlowError: One is of the wrong type.
    """

    layer: type[Registrable]
    attribute: str
    index: int | None = 0

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if not (isinstance(self.layer, type) and issubclass(self.layer, Registrable)):
            raise FlowError(f"Parameter(layer=…): expects a subclass of Layer, got {self.layer!r}.")
        if not isinstance(self.attribute, str):
            raise FlowError(f"Parameter(attribute=…): expects the name of an artifact, got {self.attribute!r}.")
        whole = isinstance(self.index, int) and not isinstance(self.index, bool) and self.index >= 0
        if self.index is not None and not whole:
            raise FlowError(f"Parameter(index=…): expects a whole number from 0, or None, got {self.index!r}.")


class ForEach(Value):
    """Run a layer once for each element of an artifact, or for each combination of several (a grid).

    The last parameter varies fastest, as in :func:`itertools.product`. An artifact that is not sharded is passed to
    each split as it is.

    Attributes:
        parameters: What to iterate over.

    Raises:
        FlowError: It is not a list of :class:`Parameter`.
    """

    parameters: Sequence[Parameter] = ()

    def validate(self) -> None:
        """Refuse what is no parameter at once."""
        if isinstance(self.parameters, Parameter):
            raise FlowError(f"ForEach(parameters=…): expects a list; write parameters=[{self.parameters!r}].")
        if not isinstance(self.parameters, (list, tuple)):
            raise FlowError(f"ForEach(parameters=…): expects a list of Parameter objects, got {self.parameters!r}.")
        self.parameters = tuple(self.parameters)
        for parameter in self.parameters:
            if not isinstance(parameter, Parameter):
                raise FlowError(f"ForEach(parameters=…): expects Parameter objects, got {parameter!r}.")


class Catch:
    """Catch exceptions of a layer, by type and subclass.

    The layer then counts as finished, with what it had assigned.

    Raises:
        FlowError: Something is no exception type.

    Usage::

        @HelloFlow.register(catch=Catch(ValueError, KeyError))
    """

    def __init__(self, *exceptions: type[BaseException]) -> None:
        """Keep the types."""
        for kind in exceptions:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise FlowError(f"Catch({kind!r}): expects exception types, such as Catch(ValueError).")
        self.exceptions = exceptions

    def __repr__(self) -> str:
        """Show the types."""
        return f"Catch({', '.join(kind.__name__ for kind in self.exceptions)})"


class LayerConfiguration(Value):
    """All that is configured of a layer; hooks may change it for one split.

    Attributes:
        container: Its container and resources.
        foreach: What it iterates over.
        retry: When it is tried again.
        catch: What it catches.
        timeout: How long an attempt may run.
    """

    container: Container
    foreach: ForEach
    retry: Retry
    catch: Catch
    timeout: Timeout | None

    def copy(self) -> LayerConfiguration:
        """Give a copy whose container and retry can be changed apart too."""
        other = super().copy()
        other.container = self.container.copy()
        other.retry = self.retry.copy()
        return other


def configure(
    where: str,
    container: Container | None,
    foreach: ForEach | None,
    retry: Retry | None,
    catch: Catch | None,
    timeout: Timeout | None,
    resources: Resources | None,
) -> LayerConfiguration:
    """Put together the configuration of a layer.

    Raises:
        FlowError: Something is of the wrong type; the message names the parameter, what was expected and what came.
    """
    expected: tuple[tuple[str, object, type], ...] = (
        ("container", container, Container),
        ("foreach", foreach, ForEach),
        ("retry", retry, Retry),
        ("catch", catch, Catch),
        ("timeout", timeout, Timeout),
        ("resources", resources, Resources),
    )
    for name, value, kind in expected:
        if value is not None and not isinstance(value, kind):
            raise FlowError(
                f"{where}: {name} expects {kind.__name__}(…), got {value!r} of type {type(value).__name__}."
            )
    place = Container() if container is None else container
    if resources is not None:
        place = place.replace(**{name: amount for name, amount in vars(resources).items() if amount is not None})
    return LayerConfiguration(place, foreach or ForEach(), retry or Retry(), catch or Catch(), timeout)
