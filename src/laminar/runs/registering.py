"""Where things are deployed to: what a deployment asks of it, and a server that is asked over HTTP."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from urllib.parse import quote, urlsplit

from laminar.errors import UnknownEntityError
from laminar.runs import connecting
from laminar.wire.deployments import (
    DeploymentPage,
    DeploymentView,
    EntityView,
    UploadAnswer,
    UploadRequest,
)
from laminar.wire.health import Me

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.client.http import Client
    from laminar.packaging.bundle import Bundle
    from laminar.wire.deployments import DeployRequest
    from laminar.wire.specs import EntitySpec

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DOCKER = "docker"
FILENAME = "bundle.tar.gz"


class Deployer(ABC):
    """Where things are deployed to.

    Attributes:
        place: How people name it.
    """

    place: str

    @abstractmethod
    def runs_containers(self) -> bool:
        """Tell whether images are of use there."""

    @abstractmethod
    def shares_engine(self) -> bool:
        """Tell whether it can have the images of this machine's engine, without a registry."""

    @abstractmethod
    def upload(self, bundle: Bundle) -> bool:
        """See to it that a bundle is there.

        Returns:
            Whether it had to be sent.

        Raises:
            UploadRefusedError: It does not take it.
        """

    @abstractmethod
    def register(self, request: DeployRequest) -> DeploymentView:
        """Register an environment or a flow, of which all that is needed is there.

        Raises:
            VersionConflictError: The version is there with other content.
        """

    @abstractmethod
    def newest(self, kind: str, name: str) -> DeploymentView | None:
        """Give what was deployed last of an environment or flow."""

    @abstractmethod
    def entity(self, name: str, version: str) -> EntitySpec | None:
        """Give a version of a task, flow or layer; None if there is none."""


class Server(Deployer):
    """A server of laminar."""

    def __init__(self, client: Client) -> None:
        """Take what asks it."""
        self._client = client
        self.place = f"{client.project}/{client.domain} at {client.endpoint}"

    def runs_containers(self) -> bool:
        """Tell whether the server runs tasks in containers."""
        me: Me = self._client.call("GET", "/me", returns=Me)
        return me.executor == DOCKER

    def shares_engine(self) -> bool:
        """Tell whether the server is on this machine."""
        return urlsplit(self._client.endpoint).hostname in LOOPBACK

    def upload(self, bundle: Bundle) -> bool:
        """Ask where the bundle goes, and send it there unless the server has it."""
        with tempfile.TemporaryDirectory(prefix="laminar-bundle-") as folder:
            archive = os.path.join(folder, FILENAME)
            wanted = UploadRequest(content_md5=bundle.write(archive), size=os.path.getsize(archive), filename=FILENAME)
            path = self._client.space_path("/uploads")
            answer: UploadAnswer = self._client.call("POST", path, body=wanted, returns=UploadAnswer, again=True)
            if answer.exists or answer.url is None:
                return False
            with open(archive, "rb") as file:
                self._client.put(answer.url, file, answer.headers)
            return True

    def register(self, request: DeployRequest) -> DeploymentView:
        """Register by a request that does no harm if it is made twice."""
        path = self._client.space_path("/deployments")
        view: DeploymentView = self._client.call("POST", path, body=request, returns=DeploymentView, again=True)
        return view

    def newest(self, kind: str, name: str) -> DeploymentView | None:
        """Ask for the newest version."""
        query: dict[str, str | int] = {"kind": kind, "name": name, "limit": 1}
        page: DeploymentPage = self._client.call(
            "GET", self._client.space_path("/deployments"), query=query, returns=DeploymentPage
        )
        return page.items[0] if page.items else None

    def entity(self, name: str, version: str) -> EntitySpec | None:
        """Ask for a version."""
        path = self._client.space_path(f"/entities/{quote(name, safe='')}")
        try:
            view: EntityView = self._client.call("GET", path, query={"version": version}, returns=EntityView)
        except UnknownEntityError:
            return None
        return view.spec


def server() -> Server:
    """Give the server that is configured; where none is, the one that ``laminar serve`` starts on this machine.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    return Server(connecting.client())
