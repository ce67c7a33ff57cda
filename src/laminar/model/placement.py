"""Where an action runs, for executors that run containers."""

from __future__ import annotations

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.model.policies import ReusePolicy

#: Folder in which the user's code lies in a container.
WORKDIR = "/laminar"


class Buildable(Value, frozen=True):
    """An image that is declared, and built where it is needed."""

    def below(self, folder: str) -> list[str]:
        """List the files of this machine that it puts into a folder."""
        raise NotImplementedError


class Placement(Value, frozen=True):
    """The container that an action asks for.

    Attributes:
        image: Name of an image, or an image to build; None for the executor's own choice.
        command: What starts the user's code; None for the script that started the scheduler.
        workdir: Folder in which that is run.
        env: Environment variables that the container has from its start.
        reuse: Whether it stays up for further actions; None for the executor's own choice.
    """

    image: str | Buildable | None = None
    command: str | None = None
    workdir: str = WORKDIR
    env: Mapping[str, str] | None = None
    reuse: ReusePolicy | None = None
