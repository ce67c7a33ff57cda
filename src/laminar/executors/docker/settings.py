"""The configuration of the Docker executor, as its parts read it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from laminar.model.placement import Buildable
    from laminar.model.policies import ReusePolicy

    class Settings(Protocol):
        """The executor's configuration; see :class:`laminar.executors.docker.executor.Docker`."""

        concurrency: int
        image: str | Buildable | None
        copy_style: str | None
        reuse: ReusePolicy | None
        network: str | None
        extra_hosts: Mapping[str, str]
        mounts: Mapping[str, str]
        pids_limit: int
        engine: str | None
