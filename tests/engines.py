"""The container engines of the tests, as ``.ci/engines`` gives them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import re
import shlex
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from laminar.packaging import wheel

COMMAND = Path(__file__).parent.parent / ".ci" / "engines"
#: Debian's own client, where it is: a newer one may lack BuildKit.
DOCKER = shutil.which("docker", path="/usr/bin") or "docker"
#: An image with pip, and with what laminar needs of a package index.
PREPARED = """\
FROM {image}
RUN python3 -m venv --system-site-packages /opt/venv && /opt/venv/bin/pip install --no-cache-dir {requirements}
ENV PATH=/opt/venv/bin:$PATH
"""


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    Attributes:
        name: ``docker`` or ``podman``.
        address: Its socket, as ``DOCKER_HOST`` wants it.
        image: An image with Python that it has.
        variables: What leads laminar there, and lets it build images without a registry.
        prefix: How names of containers and images begin that this session's tests make by themselves.
    """

    name: str
    address: str
    image: str
    variables: dict[str, str]
    prefix: str = field(default_factory=lambda: f"laminar-test-{uuid.uuid4().hex[:12]}")

    def docker(self, *arguments: str, stdin: str = "") -> str:
        """Run the ``docker`` command, which talks to Podman too; gives what it printed."""
        done = subprocess.run(
            [DOCKER, "--host", self.address, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def prepared(self) -> str:
        """Name an image that has all but laminar of what laminar puts into an image, and so makes builds short.

        The first who asks makes it. It is kept for other sessions, until ``.ci/engines`` drops it for its age.
        """
        dockerfile = PREPARED.format(image=self.image, requirements=shlex.join(wheel.requirements()))
        name = f"laminar-test-prepared:{hashlib.sha256(dockerfile.encode()).hexdigest()[:16]}"
        with COMMAND.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.docker("images", "--quiet", name):
                self.docker("build", "--network", "host", "--tag", name, "-", stdin=dockerfile)
        return name

    def gateway(self) -> str:
        """Give the address by which containers reach this machine over the default bridge."""
        found = json.loads(self.docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]
        return found.get("Gateway") or str(next(ipaddress.ip_network(found["Subnet"]).hosts()))

    def sweep(self, folder: Path) -> None:
        """Remove containers that bear the prefix or mount what is in the folder, and images that bear the prefix."""
        for row in self._containers():
            if row["Name"].lstrip("/").startswith(self.prefix) or _mounts(row, folder):
                with contextlib.suppress(RuntimeError):  # it may end, and be removed, by itself
                    self.docker("rm", "--force", row["Id"])
        if images := [name for name in self._images() if name.rpartition("/")[2].startswith(self.prefix)]:
            self.docker("rmi", "--force", *images)

    def _images(self) -> list[str]:
        """Name all images. Podman cannot list them at the moment at which another session removes one."""
        for left in reversed(range(20)):
            try:
                return self.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
            except RuntimeError as error:
                if not left or "reading image" not in str(error):
                    raise
                time.sleep(0.2)
        raise AssertionError("not reached")

    def _containers(self) -> list[dict]:
        """Inspect all; one by one, since some may be gone by then."""
        rows = []
        for name in self.docker("ps", "--all", "--quiet", "--no-trunc").split():
            with contextlib.suppress(RuntimeError):
                rows += json.loads(self.docker("inspect", "--type", "container", name))
        return rows


def _mounts(container: dict, folder: Path) -> bool:
    return any(Path(mount.get("Source") or "/").is_relative_to(folder) for mount in container["Mounts"])


def found() -> dict[str, Engine]:
    """Give the engines that answer, by name."""
    lines = subprocess.run([COMMAND, "env"], capture_output=True, text=True, check=True).stdout
    variables = dict(re.findall(r"(\w+)=(\S+)", lines))
    shared = {name: value for name, value in variables.items() if name.startswith("LAMINAR_IMAGE_")}
    return {
        name: Engine(name, address, shared["LAMINAR_IMAGE_BASE"], {**shared, "DOCKER_HOST": address})
        for name in ("docker", "podman")
        if (address := variables.get(f"LAMINAR_TEST_{name.upper()}"))
    }


def is_local(address: str) -> bool:
    """Whether a server of this machine can listen at the address; not where the engine runs in a virtual machine."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
