"""What a server asks of a place where agents run."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.server.pools import Handle, Pool, Told
    from laminar.wire.specs import EntitySpec


class Launcher(ABC):
    """Starts agents in one kind of place."""

    #: Whether agents may be up before there is work for them, as reuse policies ask for.
    keeps_ready: bool = False

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
    def launch(self, id: str, token: str, pool: Pool, gone: Told) -> Handle:  # noqa: A002
        """Start an agent. Does not wait for it.

        Args:
            id: Its name.
            token: What shows it.
            pool: What it will run.
            gone: To be called once it has ended, from any thread.
        """

    @abstractmethod
    def left(self) -> set[str]:
        """Name the agents that a server before has started, that run, and that have not been asked for."""

    @abstractmethod
    def find(self, id: str, gone: Told) -> Handle | None:  # noqa: A002
        """Find an agent that a server before has started; None if it is not to be found here.

        Args:
            id: Its name.
            gone: To be called once it has ended, from any thread.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what was started, which goes on."""


def name_of(state: str) -> str:
    """Name a server by its folder, so that it knows what it has started before it was started again.

    Args:
        state: The folder.
    """
    where = f"{os.uname().nodename}:{os.path.realpath(state)}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]
