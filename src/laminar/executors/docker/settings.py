"""The configuration of the Docker executor, as its parts read it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from laminar.model.placement import Buildable
    from laminar.model.policies import ReusePolicy

    class Confinement(Protocol):
        """What all containers are held to."""

        network: str | None
        pids_limit: int

    class Settings(Confinement, Protocol):
        """The executor's configuration; see :class:`laminar.executors.docker.executor.Docker`."""

        concurrency: int
        image: str | Buildable | None
        copy_style: str | None
        reuse: ReusePolicy | None
        extra_hosts: Mapping[str, str]
        mounts: Mapping[str, str]
        engine: str | None
