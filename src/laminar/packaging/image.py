"""What an image is: a base, and what is put on it step by step."""

from __future__ import annotations

import os
import sys

from laminar.errors import FlowError
from laminar.model.placement import WORKDIR, Buildable
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Self

#: What ``with_uv_project`` can install.
DEPENDENCIES_ONLY, INSTALL_PROJECT = "dependencies_only", "install_project"
#: Names of images, by https://github.com/distribution/reference: registry, path, tag, digest.
REFERENCE = (
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+((\.|_{1,2}|-+|/)[a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[a-z0-9+._-]+:[0-9a-f]{32,})?"
)


class Debian(Value, frozen=True):
    """A base of Debian with Python, as ``LAMINAR_IMAGE_BASE`` names it.

    Attributes:
        python: Version of Python, such as ``"3.12"``.
    """

    python: str


class Named(Value, frozen=True):
    """A base that has a name already.

    Attributes:
        uri: The name, such as ``"pytorch/pytorch:2.0"``.
    """

    uri: str


class Dockerfile(Value, frozen=True):
    """A base that is built from a Dockerfile; the folder around it is the build's context.

    Attributes:
        path: Absolute path of the Dockerfile.
    """

    path: str


class Script(Value, frozen=True):
    """A base as the block of metadata in a script wants it (PEP 723).

    Attributes:
        path: Absolute path of the script.
    """

    path: str


class Pip(Value, frozen=True):
    """Packages from a package index.

    Attributes:
        packages: Requirements, such as ``"numpy>=2"``.
        index_url: Package index; by default the one that is configured.
        extra_index_urls: Further package indexes.
        pre: Whether versions before a release count.
        extra_args: Further arguments for pip, as in a shell.
    """

    packages: tuple[str, ...]
    index_url: str | None
    extra_index_urls: tuple[str, ...]
    pre: bool
    extra_args: str


class Requirements(Value, frozen=True):
    """The packages that a requirements file lists.

    Attributes:
        path: Absolute path of the file.
        options: How they are installed; its packages are none.
    """

    path: str
    options: Pip


class UvProject(Value, frozen=True):
    """What a project's ``uv.lock`` pins.

    Attributes:
        pyproject: Absolute path of ``pyproject.toml``.
        lock: Absolute path of ``uv.lock``.
        installs: Whether the project itself is installed too.
        options: How they are installed; its packages are none.
    """

    pyproject: str
    lock: str
    installs: bool
    options: Pip


class Apt(Value, frozen=True):
    """Packages of Debian or Ubuntu."""

    packages: tuple[str, ...]


class Commands(Value, frozen=True):
    """Commands for ``/bin/sh``, run as root."""

    commands: tuple[str, ...]


class Variables(Value, frozen=True):
    """Environment variables, as pairs in the order of their names."""

    pairs: tuple[tuple[str, str], ...]


class Workdir(Value, frozen=True):
    """The folder in which the container's command and all further steps run."""

    path: str


class Source(Value, frozen=True):
    """A file or a folder of this machine.

    Attributes:
        path: Absolute path here.
        target: Path in the image; a relative one starts from its workdir.
        folder: Whether it is a folder, whose contents are put into the target.
    """

    path: str
    target: str
    folder: bool


class Image(Buildable, frozen=True):
    """An image that laminar builds when it is needed, once for each content.

    Make one with ``from_…`` and extend it with ``with_…``: each gives a new image and leaves this one as it is. Nothing
    is read or built before the image is needed. Relative paths start from the current folder.

    Attributes:
        base: What it stands on.
        registry: Where it is pushed to; None keeps it on this machine, unless ``LAMINAR_IMAGE_REGISTRY`` is set.
        name: Its name without registry and tag; by default one that tells its base.
        steps: What is put on the base, in this order.

    Usage::

        Image.from_debian_base().with_apt_packages("git").with_pip_packages("pandas")
    """

    base: Debian | Named | Dockerfile | Script
    registry: str | None = None
    name: str | None = None
    steps: tuple[Any, ...] = ()

    def validate(self) -> None:
        """Refuse what cannot be the name of an image at once."""
        if self.registry is not None:
            _match(self.registry, r"[A-Za-z0-9][A-Za-z0-9.:/_-]*[A-Za-z0-9]", "registry", "ghcr.io/my-team")
        if self.name is not None:
            _match(self.name, r"[a-z0-9]+((\.|_{1,2}|-+|/)[a-z0-9]+)*", "name", "train-gpu")

    @classmethod
    def from_debian_base(
        cls,
        python_version: str | tuple[int, ...] | None = None,
        *,
        registry: str | None = None,
        name: str | None = None,
    ) -> Self:
        """Begin with Debian and Python.

        Args:
            python_version: Such as ``"3.12"`` or ``(3, 12)``; by default that of the running Python.
            registry: Where the image is pushed to.
            name: Its name.

        Raises:
            FlowError: An argument makes no sense.
        """
        return cls(Debian(_version(python_version)), registry, name)

    @classmethod
    def from_registry(cls, uri: str, *, registry: str | None = None, name: str | None = None) -> Self:
        """Begin with an image that has a name, in a registry or on the engine.

        Args:
            uri: Its name, such as ``"pytorch/pytorch:2.0"``.
            registry: Where the new image is pushed to.
            name: Name of the new image.

        Raises:
            FlowError: An argument makes no sense.
        """
        return cls(Named(_match(uri, REFERENCE, "uri", "python:3.12-slim")), registry, name)

    from_base = from_registry

    @classmethod
    def from_dockerfile(
        cls, path: str | os.PathLike[str], registry: str | None = None, name: str | None = None
    ) -> Self:
        """Begin with what a Dockerfile builds.

        Args:
            path: The Dockerfile. Its folder is the context, less what ``.dockerignore`` names.
            registry: Where the image is pushed to.
            name: Its name.

        Raises:
            FlowError: An argument makes no sense.
        """
        return cls(Dockerfile(_path(path, "path")), registry, name)

    @classmethod
    def from_uv_script(
        cls, path: str | os.PathLike[str], *, registry: str | None = None, name: str | None = None
    ) -> Self:
        """Begin with Debian, and the Python and the packages that a script's own metadata name (PEP 723).

        Args:
            path: The script, often ``__file__``.
            registry: Where the image is pushed to.
            name: Its name.

        Raises:
            FlowError: An argument makes no sense.
        """
        return cls(Script(_path(path, "path")), registry, name)

    def with_pip_packages(
        self,
        *packages: str,
        index_url: str | None = None,
        extra_index_urls: str | Iterable[str] = (),
        pre: bool = False,
        extra_args: str = "",
    ) -> Self:
        """Add packages from a package index.

        Args:
            packages: Requirements, such as ``"numpy>=2"``.
            index_url: Another package index.
            extra_index_urls: Further package indexes.
            pre: Whether versions before a release count.
            extra_args: Further arguments for pip, as in a shell.

        Raises:
            FlowError: An argument makes no sense.
        """
        options = _pip(index_url, extra_index_urls, pre, extra_args)
        return self._with(options.replace(packages=_words(packages, "with_pip_packages", "numpy")))

    def with_requirements(
        self,
        file: str | os.PathLike[str],
        *,
        index_url: str | None = None,
        extra_index_urls: str | Iterable[str] = (),
        pre: bool = False,
        extra_args: str = "",
    ) -> Self:
        """Add the packages that a requirements file lists; the further arguments are as for pip packages."""
        return self._with(Requirements(_path(file, "file"), _pip(index_url, extra_index_urls, pre, extra_args)))

    def with_uv_project(
        self,
        pyproject_file: str | os.PathLike[str],
        uvlock: str | os.PathLike[str] | None = None,
        *,
        index_url: str | None = None,
        extra_index_urls: str | Iterable[str] = (),
        pre: bool = False,
        extra_args: str = "",
        project_install_mode: str = DEPENDENCIES_ONLY,
    ) -> Self:
        """Add what a project's ``uv.lock`` pins.

        Args:
            pyproject_file: Its ``pyproject.toml``.
            uvlock: Its lock; by default ``uv.lock`` beside it.
            index_url: Another package index.
            extra_index_urls: Further package indexes.
            pre: Whether versions before a release count.
            extra_args: Further arguments for pip, as in a shell.
            project_install_mode: ``"dependencies_only"``, or ``"install_project"`` to install the project too.

        Raises:
            FlowError: An argument makes no sense.
        """
        if project_install_mode not in (DEPENDENCIES_ONLY, INSTALL_PROJECT):
            raise FlowError(
                f"project_install_mode={project_install_mode!r} is neither {DEPENDENCIES_ONLY!r} "
                f"nor {INSTALL_PROJECT!r}."
            )
        pyproject = _path(pyproject_file, "pyproject_file")
        lock = os.path.join(os.path.dirname(pyproject), "uv.lock") if uvlock is None else _path(uvlock, "uvlock")
        options = _pip(index_url, extra_index_urls, pre, extra_args)
        return self._with(UvProject(pyproject, lock, project_install_mode == INSTALL_PROJECT, options))

    def with_apt_packages(self, *packages: str) -> Self:
        """Add packages of Debian or Ubuntu, such as ``"git"``."""
        return self._with(Apt(_words(packages, "with_apt_packages", "git")))

    def with_commands(self, *commands: str | Iterable[str]) -> Self:
        """Run commands with ``/bin/sh`` as root, while the image is built.

        Args:
            commands: Each a line of shell or several, or a list of such.
        """
        lines: list[Any] = []
        for command in commands:
            lines.extend([command] if isinstance(command, str) else command)
        return self._with(Commands(_words(tuple(lines), "with_commands", "make install", lines=True)))

    def with_env_vars(self, env_vars: Mapping[str, str]) -> Self:
        """Set environment variables in the image."""
        for name, value in env_vars.items():
            if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
                raise FlowError(f"with_env_vars: {name!r} cannot be the name of an environment variable.")
            if not isinstance(value, str) or "\n" in value or "\0" in value:
                raise FlowError(f"with_env_vars: {name} expects a string of one line, got {value!r}.")
        return self._with(Variables(tuple(sorted(env_vars.items()))))

    def with_workdir(self, workdir: str) -> Self:
        """Set the folder in which the container's command and all further steps run; it is made if it is missing."""
        if not isinstance(workdir, str) or not workdir.startswith("/") or "\n" in workdir:
            raise FlowError(f"with_workdir: {workdir!r} is no absolute path, such as '/work'.")
        return self._with(Workdir(workdir))

    def with_source_file(self, src: str | os.PathLike[str], dst: str = ".") -> Self:
        """Add a file of this machine.

        Args:
            src: The file.
            dst: Path in the image, a folder if it is ``"."`` or ends with a slash. A relative one starts from the
                workdir.
        """
        return self._with(Source(_path(src, "src"), _target(dst), False))

    def with_source_folder(self, src: str | os.PathLike[str], dst: str = ".", copy_contents_only: bool = False) -> Self:
        """Add a folder of this machine, less what ``.dockerignore`` in it names, and less caches.

        Args:
            src: The folder.
            dst: Folder in the image that it is put into; a relative one starts from the workdir.
            copy_contents_only: Whether its contents are put there, rather than the folder under its own name.
        """
        path, target = _path(src, "src"), _target(dst)
        if not copy_contents_only:
            target = f"{target.rstrip('/')}/{os.path.basename(path)}"
        return self._with(Source(path, target, True))

    def below(self, folder: str) -> list[str]:
        """List the files and folders of this machine that it puts into a folder of the image, or below it."""
        workdir, found = WORKDIR, []
        for step in self.steps:
            if isinstance(step, Workdir):
                workdir = os.path.join(workdir, step.path)
            elif isinstance(step, Source):
                place = os.path.normpath(os.path.join(workdir, step.target))
                if f"{place}/".startswith(f"{folder.rstrip('/')}/"):
                    found.append(step.path)
        return found

    def _with(self, step: Value) -> Self:
        return self.replace(steps=(*self.steps, step))


def _match(value: object, pattern: str, what: str, example: str) -> str:
    import re  # 8 ms, and most images are made without it

    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise FlowError(f"Image: {what}={value!r} makes no sense. Give a {what} such as {example!r}.")
    return value


def _version(value: str | tuple[int, ...] | None) -> str:
    if value is None:
        return f"{sys.version_info[0]}.{sys.version_info[1]}"
    text = ".".join(map(str, value)) if isinstance(value, tuple) else value
    return _match(text, r"3\.\d+(\.\d+)?", "python_version", "3.12")


def _path(value: object, what: str) -> str:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise FlowError(f"Image: {what}={value!r} is no path.")
    return os.path.abspath(os.fsdecode(value))


def _target(value: object) -> str:
    if not isinstance(value, str) or not value or "\n" in value:
        raise FlowError(f"Image: dst={value!r} is no path in the image.")
    return value


def _words(values: tuple[Any, ...], what: str, example: str, lines: bool = False) -> tuple[str, ...]:
    if not values:
        raise FlowError(f"{what}() adds nothing. Give what to add: {what}({example!r}).")
    for value in values:
        if not isinstance(value, str) or not value.strip() or "\0" in value or (not lines and "\n" in value):
            raise FlowError(f"{what}: expects strings such as {example!r}, got {value!r}.")
        if not lines and value.startswith("-"):
            raise FlowError(f"{what}: {value!r} looks like an option. Only names of packages can be given here.")
    return values


def _pip(index_url: object, extra: object, pre: object, args: object) -> Pip:
    urls = (extra,) if isinstance(extra, str) else tuple(extra) if isinstance(extra, (list, tuple)) else None
    if urls is None or not all(isinstance(url, str) and url for url in urls):
        raise FlowError(f"Image: extra_index_urls={extra!r} is no list of addresses.")
    if index_url is not None and (not isinstance(index_url, str) or not index_url):
        raise FlowError(f"Image: index_url={index_url!r} is no address of a package index.")
    if not isinstance(args, str) or "\n" in args or (args and not _splits(args)):
        raise FlowError(f"Image: extra_args={args!r} are no arguments on one line, such as '--no-deps'.")
    return Pip((), index_url, urls, bool(pre), args)


def _splits(arguments: str) -> bool:
    """Tell whether a shell could take a text apart."""
    import shlex  # 5 ms, and few give such arguments

    try:
        shlex.split(arguments)
    except ValueError:
        return False
    return True
