"""What a server asks of a place where agents run."""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.server.agents import Pool
    from laminar.wire.specs import EntitySpec


class Handle(ABC):
    """An agent that was started."""

    #: Whether it has what it needs, such as its image, so that it should come up soon.
    ready: bool = True

    @abstractmethod
    def stop(self) -> None:
        """End it at once, with all that it has started."""

    @abstractmethod
    def leaves(self) -> None:
        """Hear that it is about to end by itself."""


class Launcher(ABC):
    """Starts agents in one kind of place."""

    @abstractmethod
    def pool(self, space: str, bundle: str, entity: EntitySpec, memory: float | None, single: str) -> Pool:
        """Say with what an attempt may share a place.

        Args:
            space: Project and domain.
            bundle: MD5 of its code, in hexadecimal; empty if that is in the image.
            entity: What it is an attempt of.
            memory: Megabytes that it must have, if a memory kill has shown that.
            single: Its name, for a place that it has to itself.

        Raises:
            PlacementError: There is no such place here.
        """

    @abstractmethod
    def launch(self, id: str, token: str, pool: Pool, gone: Callable[[str], None]) -> Handle:  # noqa: A002
        """Start an agent. Does not wait for it.

        Args:
            id: Its name.
            token: What shows it.
            pool: What it will run.
            gone: To be called once it has ended, from any thread, with why.
        """

    @abstractmethod
    def find(self, id: str, gone: Callable[[str], None]) -> Handle | None:  # noqa: A002
        """Find an agent that a server before has started; None if it is not to be found here.

        Args:
            id: Its name.
            gone: To be called once it has ended, from any thread, with why.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what was started, which goes on."""
