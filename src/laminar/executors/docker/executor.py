"""The Docker executor as a user configures it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from laminar.errors import FlowError
from laminar.executors.contract import Executor
from laminar.model.placement import Buildable
from laminar.model.policies import ReusePolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from laminar.executors.contract import Host, Session

STYLES = ("loaded_modules", "all", "none")


class Docker(Executor):
    """Run each attempt in a container of its own, by Docker or Podman.

    Attributes:
        image: Name of an image, or an :class:`~laminar.Image` to build, for layers whose container names none. By
            default one is built for the running Python, with laminar, and with what the script declares to need (the
            ``# /// script`` block of PEP 723).
        copy_style: Which files of the user's code travel into the containers: ``"loaded_modules"``, ``"all"`` that lie
            in the project, or ``"none"``, because the image has them. The default is ``"loaded_modules"``; in a
            scheduler that runs in a container itself, it is ``"none"``, with that container's image.
        reuse: Whether containers stay up for further splits, for layers whose container does not say.
        network: Name of the network; by default the engine's own choice. ``"host"`` shares the machine's.
        extra_hosts: Further host names and their addresses; ``"host-gateway"`` means this machine.
            ``host.docker.internal`` is always there.
        mounts: Folders of this machine that containers see: ``{"/data": "/data"}`` by their paths here and there; a
            path there that ends in ``:ro`` cannot be written.
        pids_limit: Processes and threads that a container may have at a time.
        engine: Address of the engine's API, such as ``unix:///var/run/docker.sock``; by default the first that answers.

    Raises:
        FlowError: A value makes no sense.

    Usage::

        flow = HelloFlow(executor=executors.Docker(concurrency=4))
    """

    outlives_scheduler = True
    inherits_environment = False

    def __init__(
        self,
        *,
        concurrency: int | None = None,
        timeout: float | None = None,
        image: str | Buildable | None = None,
        copy_style: Literal["loaded_modules", "all", "none"] | None = None,
        reuse: ReusePolicy | None = None,
        network: str | None = None,
        extra_hosts: Mapping[str, str] | None = None,
        mounts: Mapping[str, str] | None = None,
        pids_limit: int = 4096,
        engine: str | None = None,
    ) -> None:
        """Check and keep the configuration."""
        super().__init__(concurrency=concurrency, timeout=timeout)
        if not isinstance(image, (str, Buildable, type(None))) or image == "":
            raise FlowError(f"Docker(image={image!r}): expects the name of an image, or an Image.")
        if copy_style is not None and copy_style not in STYLES:
            raise FlowError(f"Docker(copy_style={copy_style!r}): expects one of {', '.join(STYLES)}.")
        if reuse is not None and not isinstance(reuse, ReusePolicy):
            raise FlowError(f"Docker(reuse={reuse!r}): expects ReusePolicy(…).")
        for name, word in (("network", network), ("engine", engine)):
            if word is not None and (not isinstance(word, str) or not word):
                raise FlowError(f"Docker({name}={word!r}): expects a word, or nothing at all.")
        if isinstance(pids_limit, bool) or not isinstance(pids_limit, int) or pids_limit < 1:
            raise FlowError(f"Docker(pids_limit={pids_limit!r}): expects a whole number from 1.")
        self.image = image
        self.copy_style: str | None = copy_style
        self.reuse = reuse
        self.network = network
        self.extra_hosts: Mapping[str, str] = _names("extra_hosts", extra_hosts)
        self.mounts: Mapping[str, str] = _names("mounts", mounts)
        self.pids_limit = pids_limit
        self.engine = engine
        for here, there in self.mounts.items():
            if not os.path.isabs(here) or not os.path.isabs(there):
                raise FlowError(f"Docker(mounts={{{here!r}: {there!r}}}): expects absolute paths.")

    def open(self, host: Host) -> Session:
        """Connect to the engine, and get images and code ready."""
        try:
            from laminar.executors.docker.session import DockerSession  # 200 ms of HTTP client
        except ImportError as error:
            raise FlowError(
                f"executors.Docker() needs the package {error.name}: pip install 'laminar[docker]'."
            ) from error

        return DockerSession(host, self)


def _names(what: str, given: Mapping[str, str] | Any) -> dict[str, str]:
    given = {} if given is None else given
    if not isinstance(given, Mapping) or not all(isinstance(word, str) for pair in given.items() for word in pair):
        raise FlowError(f"Docker({what}={given!r}): expects a dictionary of strings.")
    return dict(given)
