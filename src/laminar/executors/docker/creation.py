"""What a container is asked to be: the body of the engine's request to make it."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import aiodocker

from laminar.errors import PlacementError
from laminar.executors.interpreters import interpreter_options
from laminar.model.placement import Buildable
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from laminar.containers.engine import Engine
    from laminar.executors.docker.settings import Confinement
    from laminar.model.policies import Resources

#: Labels of all containers of laminar. The values of those below it are empty where they do not apply.
INSTALLATION = "laminar.installation"
FLOW, RUN, ACTION, ATTEMPT, EPOCH = (f"laminar.{name}" for name in ("flow", "run", "action", "attempt", "epoch"))
POOL = "laminar.pool"

#: Ways to be connected, or not, that are no network by name.
MODES = ("none", "host", "default", "private", "slirp4netns", "pasta")


def beginning(module: str) -> str:
    """Give what Python does first in a container. 76 says that laminar is not there, or has no such module.

    Args:
        module: The module whose ``main`` it is to call.
    """
    return f"""\
import sys
try:
    from {module} import main
except ImportError as error:
    sys.exit(print(f"laminar cannot be imported: {{error}}", file=sys.stderr) or 76)
main()
"""


BEGIN = beginning("laminar.worker.container")


class Wanted(Value, frozen=True):
    """A container.

    Attributes:
        image: Its image.
        arguments: What its program is told to do.
        workdir: Folder in which it starts.
        code: Folder of this machine that it sees there; None leaves what the image has.
        env: Environment variables.
        resources: What it may use.
        labels: Its labels.
        program: What Python does first in it; by default it begins :mod:`laminar.worker.container`.
    """

    image: str
    arguments: Sequence[str]
    workdir: str
    code: str | None
    env: Mapping[str, str]
    resources: Resources
    labels: Mapping[str, str]
    program: str = BEGIN


class Mounts:
    """Which folders containers see, and by which paths the engine knows them."""

    def __init__(self, folders: Sequence[str], extra: Mapping[str, str], own: Mapping[str, Any] | None) -> None:
        """Collect them.

        Args:
            folders: Folders of this process that containers see at the same paths.
            extra: Further ones, by their paths here and there.
            own: Description of the container that this process runs in, if it runs in one: the engine then knows
                folders by other paths.

        Raises:
            PlacementError: A folder lies in this process's container, where no other container can see it; or there is
                none.
        """
        for here in extra:
            if not os.path.exists(here):  # which Podman would make, as root's
                raise PlacementError(
                    f"Docker(mounts={{{here!r}: …}}): there is no such file or folder. Make it, or correct its name."
                )
        self._own = None if own is None else own.get("Mounts") or []
        outermost = [folder for folder in folders if not any(_within(folder, other) for other in folders)]
        self._all = [self.bind(folder, folder) for folder in dict.fromkeys(outermost)]
        self._all += [self.bind(here, there) for here, there in extra.items()]

    def bind(self, here: str, there: str) -> dict[str, Any]:
        """Describe one mount."""
        target, read_only = there.removesuffix(":ro"), there.endswith(":ro")
        return {"Type": "bind", "Source": self._known_as(here), "Target": target, "ReadOnly": read_only}

    def of(self, wanted: Wanted) -> list[dict[str, Any]]:
        """List the mounts of a container."""
        return self._all if wanted.code is None else [*self._all, self.bind(wanted.code, wanted.workdir)]

    def _known_as(self, path: str) -> str:
        """Give the path by which the engine knows a folder of this process."""
        path = os.path.realpath(path)
        if self._own is None:
            return path
        inside = [mount for mount in self._own if path == mount["Destination"] or _within(path, mount["Destination"])]
        if not inside:
            raise PlacementError(
                f"The scheduler runs in a container, and {path} is a folder of that container alone, where those of "
                f"its layers cannot see it. Start it with a volume there: docker run -v laminar:{path} …"
            )
        nearest = max(inside, key=lambda mount: len(mount["Destination"]))
        return os.path.normpath(os.path.join(nearest["Source"], os.path.relpath(path, nearest["Destination"])))


def _within(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def body(
    wanted: Wanted, settings: Confinement, engine: Engine, mounts: Mounts, hosts: Mapping[str, str]
) -> dict[str, Any]:
    """Give the body of the request (``POST /containers/create``).

    Args:
        wanted: The container.
        settings: What it is held to.
        engine: The engine.
        mounts: Folders that it sees.
        hosts: Host names and addresses.
    """
    return {
        "Image": wanted.image,
        "Entrypoint": ["python", *interpreter_options(), "-u", "-c", wanted.program],
        "Cmd": list(wanted.arguments),
        "User": _user(engine),
        "WorkingDir": wanted.workdir,
        "Env": [f"{name}={value}" for name, value in {"HOME": "/tmp", "USER": "laminar", **wanted.env}.items()],  # noqa: S108
        "Labels": dict(wanted.labels),
        "HostConfig": {
            **_limits(wanted.resources, engine),
            "Init": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", *(["label=disable"] if engine.selinux else [])],
            "PidsLimit": settings.pids_limit,
            "Mounts": mounts.of(wanted),
            "ExtraHosts": [f"{name}:{address}" for name, address in hosts.items()],
            **({"NetworkMode": settings.network} if settings.network else {}),
            **({"UsernsMode": "keep-id"} if engine.rootless and engine.podman else {}),
        },
    }


def _user(engine: Engine) -> str:
    """Give user and group, so that files belong to who started the scheduler.

    Root in a container of a rootless Docker is that user already.
    """
    if engine.rootless and not engine.podman:
        return "0:0"
    return f"{os.getuid()}:{os.getgid()}"


def _limits(resources: Resources, engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = {}
    limit = resources.limit()
    if limit.cpu is not None:  # an engine refuses more cores than it has
        found["NanoCpus"] = int(min(limit.cpu, engine.cpus) * 1e9)
    if limit.memory is not None:
        found["Memory"] = found["MemorySwap"] = int(limit.memory * 1e6)
    if limit.shm is not None:
        found["ShmSize"] = int(min(limit.shm, engine.memory) * 1e6)
    if limit.gpu:
        found["DeviceRequests"] = [{"Driver": "nvidia", "Count": limit.gpu, "Capabilities": [["gpu"]]}]
    return found


def refuse_hidden(image: str | Buildable | None, workdir: str) -> None:
    """See that the user's code, which is mounted into the workdir, hides no file that the image is to have there.

    Raises:
        PlacementError: It would.
    """
    hidden = image.below(workdir) if isinstance(image, Buildable) else []
    if hidden:
        names = ", ".join(map(os.path.basename, hidden))
        raise PlacementError(
            f"The image puts {names} into {workdir}, where the code of each run is put over it. Name another folder, "
            f"as in with_source_file({os.path.basename(hidden[0])!r}, '/data/'), or let files of the project travel "
            "with the code: executors.Docker(copy_style='all')."
        )


def refuse_too_much(resources: Resources, engine: Engine, scratch: str) -> None:
    """See that the engine's machine has what is asked for.

    Args:
        resources: What is asked for.
        engine: The engine.
        scratch: A folder on the disk that scratch space is taken from.

    Raises:
        PlacementError: It has not; the message says what it has.
    """
    request = resources.request()
    if request.cpu is not None and request.cpu > engine.cpus:
        raise PlacementError(f"cpu={resources.cpu} is more than the {engine.cpus} that {engine.address} has.{LESS}")
    if request.memory is not None and request.memory > engine.memory:
        raise PlacementError(
            f"memory={resources.memory!r} is more than the {engine.memory:.0f} MB that {engine.address} has.{LESS}"
        )
    if request.gpu and not engine.gpus:
        raise PlacementError(
            f"gpu={resources.gpu!r}: the engine at {engine.address} can give no GPU to containers. Install the NVIDIA "
            "Container Toolkit on that machine, or ask for none."
        )
    if request.disk is not None:
        found = os.statvfs(scratch)
        free = found.f_bavail * found.f_frsize / 1e6
        if request.disk > free:
            raise PlacementError(f"disk={resources.disk!r} is more than the {free:.0f} MB that are free.{LESS}")


async def refuse_no_network(name: str | None, engine: Engine) -> None:
    """See that there is the network that is asked for.

    Raises:
        PlacementError: There is none of that name.
    """
    if name is None or name in MODES or ":" in name:
        return
    try:
        await (await engine.client.networks.get(name)).show()
    except aiodocker.DockerError as error:
        raise PlacementError(
            f"Docker(network={name!r}): {engine.address} has no network {name!r}: {error.message}. "
            f"Make it: docker network create {name}"
        ) from None


def refuse_out_of_reach(server: str | None, network: str | None) -> None:
    """See that containers may reach the datastore.

    Args:
        server: Address of its server; None if it needs none.
        network: Name of the containers' network; None for the engine's own choice.

    Raises:
        PlacementError: They may not.
    """
    if server is None or network == "host" or (network or "").startswith("container:"):
        return
    if network == "none":
        raise PlacementError(
            f"The datastore is at {server}, and containers without a network cannot reach it. Leave out "
            "Docker(network='none'), or use datastores.Local()."
        )
    name = urlsplit(server).hostname or ""
    if name == "localhost" or name.startswith("127.") or name in ("::1", "0.0.0.0"):  # noqa: S104 - told, not bound
        raise PlacementError(
            f"The datastore is at {server}: in a container, {name} is the container itself. Share this machine's "
            "network with containers: Docker(network='host'); or let the server listen on an address of this machine "
            "that they reach too, and give that. They know this machine as host.docker.internal."
        )


LESS = " Ask for less in Container(…) or Resources(…), or use another machine."


def name_of(*parts: object) -> str:
    """Make the name of a container that tells people what runs in it."""
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", "-".join(map(str, ("laminar", *parts))))
