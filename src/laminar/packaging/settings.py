"""What a company or a machine says about how images are built, by environment variables or a configuration."""

from __future__ import annotations

import os

from laminar.errors import FlowError, nearest
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "LAMINAR_IMAGE_"
#: What stands for the version of Python in the name of a base.
PYTHON = "{python}"
BUILDKIT, CLASSIC = "buildkit", "classic"
#: Build arguments that every builder knows and none writes into an image.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class ImageSettings(Value, frozen=True):
    """How images are built here. What changes their content is part of their tags; the rest is not.

    Attributes:
        base: Name of the base of ``from_debian_base``; ``{python}`` stands for the version. Part of the tag.
        registry: Where images are pushed to that name no registry themselves. Part of the name.
        ca_certs: Path of a file with certificates of authorities that images trust beside their own; its content is
            part of the tag.
        network: Network of builds, such as ``host``.
        index_url: Package index from which pip installs.
        apt_mirror: Mirror of Debian from which apt installs, such as ``http://mirror/debian``.
        builder: ``buildkit`` or ``classic``; None for what works.
        proxies: Variables that say which proxies builds use; they are never written into an image.

    Raises:
        FlowError: A setting makes no sense.
    """

    base: str = f"python:{PYTHON}-slim-bookworm"
    registry: str | None = None
    ca_certs: str | None = None
    network: str | None = None
    index_url: str | None = None
    apt_mirror: str | None = None
    builder: str | None = None
    proxies: tuple[tuple[str, str], ...] = ()

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if self.builder not in (None, BUILDKIT, CLASSIC):
            raise FlowError(f"{PREFIX}BUILDER={self.builder!r} is no builder.{nearest(self.builder, NAMES)}")
        if self.ca_certs is not None and not os.path.isfile(self.ca_certs):
            raise FlowError(f"{PREFIX}CA_CERTS: there is no file {self.ca_certs}.")

    @property
    def arguments(self) -> dict[str, str]:
        """What builds are told, by the names of build arguments."""
        own = {"PIP_INDEX_URL": self.index_url, "LAMINAR_APT_MIRROR": self.apt_mirror}
        return {**dict(self.proxies), **{name: value for name, value in own.items() if value}}


NAMES = (BUILDKIT, CLASSIC)
#: The settings that may be configured, by their names.
KEYS = tuple(name for name in ImageSettings.fields__ if name != "proxies")

_configured: Mapping[str, str] = {}


def configure(values: Mapping[str, str]) -> None:
    """Set what counts where no environment variable says otherwise.

    Args:
        values: Settings by their names, such as ``base``.
    """
    global _configured
    _configured = dict(values)


def from_environment(environment: Mapping[str, str] | None = None) -> ImageSettings:
    """Read the settings from ``LAMINAR_IMAGE_…``, the variables of proxies, and what is configured.

    Args:
        environment: The variables, which alone count then; by default those of this process, before what
            :func:`configure` has set.

    Raises:
        FlowError: A variable is unknown, with the nearest that exist; or its value makes no sense.
    """
    variables = os.environ if environment is None else environment
    known = [f"{PREFIX}{name.upper()}" for name in KEYS]
    given = dict(_configured) if environment is None else {}
    for name, value in variables.items():
        if name.startswith(PREFIX):
            if name not in known:
                raise FlowError(f"The environment variable {name} is no setting of images.{nearest(name, known)}")
            if value:
                given[name.removeprefix(PREFIX).lower()] = value
    proxies = [(name, value) for name, value in variables.items() if name.upper() in PROXIES and value]
    return ImageSettings(**given, proxies=tuple(sorted(proxies)))
