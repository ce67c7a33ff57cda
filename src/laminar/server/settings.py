"""The settings of a server: from the command line, the environment, a file, or as they are by default."""

from __future__ import annotations

import ipaddress
import os

from laminar.errors import ConfigurationError, nearest
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Setting = str | int | bool

SECTION = "serve"
PREFIX = "LAMINAR_SERVE_"
EXECUTORS = ("process", "docker")
LOGS = ("auto", "json", "plain")
WORDS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


class Settings(Value, frozen=True):
    """How a server is started.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: The server's folder.
        database: ``sqlite:///PATH`` or ``postgresql://…``; empty for a file in the folder.
        store: Folder or ``s3://bucket/prefix`` of all content; empty for a folder in the server's.
        executor: Where attempts run.
        concurrency: How many attempts run at a time; 0 for one for each core.
        auth: Whether everybody needs a token.
        names: Names of hosts by which the server is called, separated by commas; addresses need not be among them.
        url: Where agents and other servers reach this one, such as a proxy before it; empty for where it listens.
        workers: Addresses for agents in containers, such as that of Docker's bridge, separated by commas; whoever
            comes there needs a token, with or without ``auth``.
        log: Form of the log.
        grace: Seconds that requests under way have when the server stops.
        connections: How many there can be at a time.
        rate: Requests a second from one caller; twice as many can come at once.
        patience: Seconds for the head of a request, and for a body that is no upload.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    state: str = ".laminar/server"
    database: str = ""
    store: str = ""
    executor: str = "process"
    concurrency: int = 0
    auth: bool = False
    names: str = ""
    url: str = ""
    workers: str = ""
    log: str = "auto"
    grace: int = 10
    connections: int = 1000
    rate: int = 500
    patience: int = 10

    def validate(self) -> None:
        """Refuse what makes no sense, or is not safe.

        Raises:
            ConfigurationError: It is so.
        """
        _one_of("executor", self.executor, EXECUTORS)
        _one_of("log", self.log, LOGS)
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"{SECTION}.port: {self.port} is no port. Take one from 0 to 65535.")
        for name in ("concurrency", "grace"):
            _at_least(name, getattr(self, name), 0)
        for name in ("connections", "rate", "patience"):
            _at_least(name, getattr(self, name), 1)
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{SECTION}.url: {self.url!r} is no address. Give http://HOST:PORT or https://….")
        if not self.auth and not loopback(self.host):
            raise ConfigurationError(
                f"{self.host} can be reached from other machines, and without --auth everybody there could run code "
                "on this one. Add --auth and make a token: laminar token create NAME --role admin. Or listen on "
                "127.0.0.1."
            )

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or f"sqlite:///{os.path.join(os.path.abspath(self.state), 'server.db')}"

    @property
    def store_url(self) -> str:
        """Where content lies."""
        return self.store or os.path.join(os.path.abspath(self.state), "store")

    def __repr__(self) -> str:
        """Say where it listens, and nothing of the database, whose address may hold a password."""
        return f"Settings(host={self.host!r}, port={self.port}, …)"


KINDS: dict[str, type] = {name: type(default) for name, default in Settings.defaults__.items()}


def load(
    arguments: Mapping[str, Setting | None], file: str | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Put settings together: arguments count before the environment, and that before the file.

    Args:
        arguments: What the command line says; None where it says nothing.
        file: Path of a file.
        environment: The variables.

    Raises:
        ConfigurationError: Something is unknown, of the wrong type, or makes no sense.
    """
    found = {**_written(file), **_variables(environment)}
    found.update({name: value for name, value in arguments.items() if value is not None})
    return Settings(**found)  # type: ignore[arg-type]  # the types are those of KINDS


def loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _written(file: str | None) -> dict[str, Setting]:
    if file is None:
        return {}
    from laminar.host.configuration_file import read  # the parser of YAML takes 30 ms

    return {key.partition(".")[2]: value for key, value in read(file, _keys(), "laminar serve --config FILE").items()}


def _keys() -> dict[str, type]:
    return {f"{SECTION}.{name}": kind for name, kind in KINDS.items()}


def _variables(environment: Mapping[str, str]) -> dict[str, Setting]:
    names = {f"{PREFIX}{name.upper()}": name for name in KINDS}
    found: dict[str, Setting] = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            if variable not in names:
                raise ConfigurationError(
                    f"The environment variable {variable} is no setting.{nearest(variable, names)}"
                )
            if text:
                found[names[variable]] = _value(variable, text, KINDS[names[variable]])
    return found


def _value(variable: str, text: str, kind: type) -> Setting:
    if kind is bool:
        if text.lower() not in WORDS:
            raise ConfigurationError(f"{variable}={text!r}: expects true or false.")
        return WORDS[text.lower()]
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise ConfigurationError(f"{variable}={text!r}: expects a whole number.") from None
    return text


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigurationError(f"{SECTION}.{name}: {value!r} is unknown.{nearest(value, known)}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigurationError(f"{SECTION}.{name}: {value} makes no sense. Take {least} or more.")
