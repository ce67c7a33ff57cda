"""What is configured for this process: by arguments, by environment variables, by a file."""

from __future__ import annotations

import os

from laminar.errors import ConfigurationError, nearest
from laminar.model.value import Value
from laminar.packaging import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "LAMINAR_"
#: Environment variable with the path of a file.
FILE_VARIABLE = "LAMINAR_CONFIG"
FOLDER = ".laminar"
FILE = "config.yaml"
#: Each key with the type of its value.
KEYS: dict[str, type] = {
    "server.endpoint": str,
    "server.api_key": str,
    "server.ca_certs": str,
    "task.project": str,
    "task.domain": str,
    "local.root": str,
    "local.executor": str,
    "local.concurrency": int,
    **{f"image.{name}": str for name in settings.KEYS},
}
SECTIONS = tuple(sorted({key.partition(".")[0] for key in KEYS}))
#: Variables that begin like keys, and tell a running task about itself.
TOLD = ("LAMINAR_TASK_NAME",)
#: Keys whose values are paths; in a file, relative ones start at the project.
PATHS = ("local.root", "image.ca_certs", "server.ca_certs")
WORDS = {str: "text", int: "a whole number"}


class Configuration(Value, frozen=True):
    """What is configured.

    Attributes:
        endpoint: Address of the server; None means that runs are local.
        api_key: What the server is shown. It is never printed.
        ca_certs: File of the authority that the server's certificate is from; None for those of the system.
        project: The project that runs and deployments belong to.
        domain: The domain that they belong to, such as ``development``.
        root: Folder of local runs: ledger, logs, values, secrets.
        executor: Name of the executor of local runs; None for the default.
        concurrency: Attempts that may run locally at a time; None for the default.
        image: Settings of images, by their names.
        file: Path of the file that was read; None if none was.

    Raises:
        ConfigurationError: A value makes no sense.
    """

    endpoint: str | None = None
    api_key: str | None = None
    ca_certs: str | None = None
    project: str = "default"
    domain: str = "development"
    root: str = FOLDER
    executor: str | None = None
    concurrency: int | None = None
    image: Mapping[str, str] = {}
    file: str | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigurationError(f"local.concurrency is {self.concurrency}, and must be 1 or more.")

    def __repr__(self) -> str:
        """Show the fields, without the key to the server."""
        shown = {**vars(self), "api_key": self.api_key and "***"}
        return f"Configuration({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


_current: Configuration | None = None


def current() -> Configuration:
    """Give what is configured: by the last :func:`init` or :func:`init_from_config`, else by the environment alone.

    Raises:
        ConfigurationError: A variable is unknown or makes no sense.
    """
    return _put_together({}) if _current is None else _current


def current_project() -> str:
    """Give the project that is configured; ``default`` if none is."""
    return current().project


def current_domain() -> str:
    """Give the domain that is configured; ``development`` if none is."""
    return current().domain


def init(
    endpoint: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    api_key: str | None = None,
    *,
    root: str | os.PathLike[str] | None = None,
    executor: str | None = None,
    concurrency: int | None = None,
) -> Configuration:
    """Configure this process by arguments; where one is left out, by environment variables.

    Args:
        endpoint: Address of the server; without one, runs are local.
        project: The project that runs and deployments belong to.
        domain: The domain that they belong to.
        api_key: What the server is shown.
        root: Folder of local runs; by default ``.laminar``.
        executor: Name of the executor of local runs.
        concurrency: Attempts that may run locally at a time.

    Returns:
        What is configured now.

    Raises:
        ConfigurationError: A value or a variable makes no sense.
    """
    return _install(
        {},
        None,
        {
            "server.endpoint": endpoint,
            "server.api_key": api_key,
            "task.project": project,
            "task.domain": domain,
            "local.root": None if root is None else os.fspath(root),
            "local.executor": executor,
            "local.concurrency": concurrency,
        },
    )


def init_from_config(
    path: str | os.PathLike[str] | None = None,
    *,
    project: str | None = None,
    domain: str | None = None,
    endpoint: str | None = None,
) -> Configuration:
    """Configure this process by a file; environment variables come before it, and arguments before those.

    Args:
        path: The file. By default the first that exists of ``./config.yaml``, ``./.laminar/config.yaml``,
            ``<git root>/.laminar/config.yaml``, what ``LAMINAR_CONFIG`` names, and ``~/.laminar/config.yaml``. If none
            exists, the environment alone counts.
        project: The project, in place of the configured one.
        domain: The domain, in place of the configured one.
        endpoint: Address of the server, in place of the configured one.

    Returns:
        What is configured now.

    Raises:
        ConfigurationError: There is no such file, or something in it is wrong: the message names file, line and key.
    """
    given = {"task.project": project, "task.domain": domain, "server.endpoint": endpoint}
    return _install(*_read(path), given)


def look() -> Configuration:
    """Give what :func:`init_from_config` would configure, and leave all as it is.

    Raises:
        ConfigurationError: Something in the file is wrong.
    """
    written, file = _read(None)
    return _put_together(_placed(written, file), file=file)


def _read(path: str | os.PathLike[str] | None) -> tuple[Mapping[str, str | int], str | None]:
    file = _find() if path is None else os.fspath(path)
    if file is None:
        return {}, None
    from laminar.host.configuration_file import read  # the parser of YAML takes 30 ms

    return read(file, KEYS, "laminar.init_from_config(path)"), file


def _find() -> str | None:
    for path in _places():
        if os.path.isfile(path):
            return path
        if path == os.environ.get(FILE_VARIABLE):
            raise ConfigurationError(f"{FILE_VARIABLE} names {path}, and there is no such file.")
    return None


def _places() -> Iterator[str]:
    yield os.path.abspath(FILE)
    yield os.path.abspath(os.path.join(FOLDER, FILE))
    above = folder = os.getcwd()
    while not os.path.exists(os.path.join(folder, ".git")):
        above, folder = folder, os.path.dirname(folder)
        if folder == above:
            break
    else:
        yield os.path.join(folder, FOLDER, FILE)
    if named := os.environ.get(FILE_VARIABLE):
        yield named
    yield os.path.expanduser(os.path.join("~", FOLDER, FILE))


def _install(
    written: Mapping[str, str | int], file: str | None, arguments: Mapping[str, str | int | None]
) -> Configuration:
    global _current
    given = {key: _checked(key, value) for key, value in arguments.items() if value is not None}
    _current = _put_together(_placed(written, file), given, file)
    settings.configure(_current.image)
    return _current


def _checked(key: str, value: str | int) -> str | int:
    """See that an argument is of the type of its key."""
    kind = KEYS[key]
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        name = key.partition(".")[2]
        got = "nothing" if value == "" else f"a value of type {type(value).__name__}"
        raise ConfigurationError(f"init({name}=…): expects {WORDS[kind]}, got {got}.")
    return value


def _placed(written: Mapping[str, str | int], file: str | None) -> dict[str, str | int]:
    """Let relative paths of a file start at its project: its folder, or the one above if that is ``.laminar``."""
    folder = os.path.dirname(os.path.abspath(file or FILE))
    project = os.path.dirname(folder) if os.path.basename(folder) == FOLDER else folder
    return {
        key: os.path.join(project, os.path.expanduser(str(value))) if key in PATHS else value
        for key, value in written.items()
    }


def _put_together(
    written: Mapping[str, str | int], arguments: Mapping[str, str | int] | None = None, file: str | None = None
) -> Configuration:
    found = {**written, **_variables(), **(arguments or {})}
    fields = {key.partition(".")[2]: value for key, value in found.items() if not key.startswith("image.")}
    image = {key.removeprefix("image."): str(value) for key, value in found.items() if key.startswith("image.")}
    return Configuration(**fields, image=image, file=file)  # type: ignore[arg-type]  # the types are those of KEYS


def _variables() -> dict[str, str | int]:
    """Read ``LAMINAR_<SECTION>_<KEY>``; an empty one counts as not set."""
    names = {f"{PREFIX}{key.replace('.', '_').upper()}": key for key in KEYS}
    found: dict[str, str | int] = {}
    begin = tuple(f"{PREFIX}{section.upper()}_" for section in SECTIONS)
    for name, value in os.environ.items():
        if name.startswith(begin) and name not in TOLD:
            if name not in names:
                raise ConfigurationError(f"The environment variable {name} is no setting.{nearest(name, names)}")
            if value:
                found[names[name]] = _number(name, value) if KEYS[names[name]] is int else value
    return found


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name}={text!r}: expects a whole number.") from None
