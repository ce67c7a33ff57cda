"""The text of a Dockerfile, and the files that its build is given."""

from __future__ import annotations

import json
import os
import re
import shlex

from laminar.errors import FlowError
from laminar.model.placement import WORKDIR
from laminar.packaging import context, image, wheel
from laminar.packaging.inside import SCRIPTS
from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from laminar.packaging.image import Apt, Commands, Pip, Requirements, Source, UvProject, Variables, Workdir

#: Where laminar's own files lie, in the context and in the image.
CONTEXT, PLACE = "laminar", "/opt/laminar"
#: Where the user's files lie in an image while a step needs them.
SPARE = "/tmp/laminar"  # noqa: S108 - in the image, where nobody else is
VENV = "/opt/venv"
#: Name of the build argument that says which user the base runs as.
USER = "LAMINAR_USER"
#: Variables by which ssl, requests, pip and curl learn whom to trust.
TRUSTING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


class Dockerfile:
    """A Dockerfile that is written line by line, with the files that its build is given.

    Steps keep the order in which the user gave them. laminar's dependencies come before them, since they change least;
    laminar itself comes last, since it changes without them.

    Attributes:
        items: The files.
    """

    def __init__(self, base: str, python: str = "", ca_certs: str | None = None) -> None:
        """Begin.

        Args:
            base: Name of the base.
            python: Version of Python that the base has to have; empty for any.
            ca_certs: Path of a file with certificates to trust.

        Raises:
            FlowError: That file cannot be read.
        """
        self.items = [
            context.made(f"{CONTEXT}/{name}", text.encode(), context.EXECUTABLE) for name, text in SCRIPTS.items()
        ]
        self._steps = 0
        self._lines = [f"FROM {base}", "USER root", "ARG PIP_INDEX_URL", "ARG LAMINAR_APT_MIRROR"]
        if ca_certs is not None:
            self.items.append(context.read(f"{CONTEXT}/ca.crt", ca_certs, "LAMINAR_IMAGE_CA_CERTS"))
            self._lines.append("ENV " + " ".join(f"{name}={PLACE}/bundle.crt" for name in TRUSTING))
        self._lines += [
            f"ENV PATH={VENV}/bin:$PATH",
            f"COPY {CONTEXT}/ {PLACE}/",
            f"RUN {PLACE}/prepare {shlex.join([python, base])}",
        ]

    def require(self, requirements: Iterable[str]) -> None:
        """Install what laminar needs."""
        self._lines += [f"RUN {PLACE}/pip {shlex.join(requirements)}", f"WORKDIR {WORKDIR}"]

    def step(self, step: Any) -> None:
        """Add a step of an image.

        Raises:
            FlowError: A file that it needs is missing.
        """
        self._steps += 1
        STEPS[type(step)](self, step)

    def finish(self) -> str:
        """Install laminar itself.

        Returns:
            The text of the Dockerfile.
        """
        digest = wheel.digest()
        name = wheel.file_name()
        self.items.append(context.later(f"self/{name}", digest, wheel.build))
        self._lines += [
            f"COPY self/{name} {SPARE}/",
            f"RUN {PLACE}/install {SPARE}/{name} {digest}",
            f"LABEL laminar.version={VERSION}",
            f"ARG {USER}=root",
            f"USER ${USER}",
        ]
        return "\n".join([*self._lines, ""])

    def _pip(self, step: Pip) -> None:
        self._lines.append(f"RUN {PLACE}/pip {shlex.join([*_options(step), *step.packages])}")

    def _requirements(self, step: Requirements) -> None:
        paths = _with_included(step.path)
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
        names = [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]
        self.items += [
            context.read(f"{self._folder}/{name}", path, "with_requirements")
            for name, path in zip(names, paths, strict=True)
        ]
        arguments = shlex.join([*_options(step.options), "-r", f"{SPARE}/{names[0]}"])
        self._lines += [f"COPY {self._folder}/ {SPARE}/", f"RUN {PLACE}/pip {arguments} && rm -r {SPARE}"]

    def _uv_project(self, step: UvProject) -> None:
        if not os.path.isfile(step.lock):
            raise FlowError(f"with_uv_project: there is no file {step.lock}. Make it: uv lock")
        if step.installs:
            self._add_folder(os.path.dirname(step.pyproject), "with_uv_project", SPARE)
        else:
            self.items.append(context.read(f"{self._folder}/pyproject.toml", step.pyproject, "with_uv_project"))
            self.items.append(context.read(f"{self._folder}/uv.lock", step.lock, "with_uv_project"))
            self._lines.append(f"COPY {self._folder}/ {SPARE}/")
        what = "project" if step.installs else "dependencies"
        self._lines.append(f"RUN {PLACE}/uv {shlex.join([SPARE, what, *_options(step.options)])}")

    def _apt(self, step: Apt) -> None:
        self._lines.append(f"RUN {PLACE}/apt {shlex.join(step.packages)}")

    def _commands(self, step: Commands) -> None:
        self._lines += [f"RUN {_command(command)}" for command in step.commands]

    def _variables(self, step: Variables) -> None:
        pairs = [f"{name}={_quoted(value)}" for name, value in step.pairs]
        self._lines += [f"ENV {' '.join(pairs)}"] if pairs else []

    def _workdir(self, step: Workdir) -> None:
        self._lines.append(f"WORKDIR {_literal(step.path)}")

    def _source(self, step: Source) -> None:
        if step.folder:
            self._add_folder(step.path, "with_source_folder", step.target)
        elif step.target.endswith(("/", "/.")) or step.target == ".":
            name = os.path.basename(step.path)
            self.items.append(context.read(f"{self._folder}/{name}", step.path, "with_source_file"))
            self._lines.append(_copy(f"{self._folder}/", step.target))
        else:
            self._add_file(f"{self._folder}/file", step.path, "with_source_file", step.target)

    @property
    def _folder(self) -> str:
        """Folder in the context for the files of the current step."""
        return f"steps/{self._steps}"

    def _add_file(self, name: str, path: str, whose: str, target: str) -> None:
        self.items.append(context.read(name, path, whose))
        self._lines.append(_copy(name, target))

    def _add_folder(self, path: str, whose: str, target: str) -> None:
        found = list(context.folder(self._folder, path, whose))
        if not found:
            raise FlowError(f"{whose}: {path} has no files.")
        self.items += found
        self._lines.append(_copy(f"{self._folder}/", f"{target.rstrip('/')}/"))


STEPS: dict[type, Callable[[Dockerfile, Any], None]] = {
    image.Pip: Dockerfile._pip,
    image.Requirements: Dockerfile._requirements,
    image.UvProject: Dockerfile._uv_project,
    image.Apt: Dockerfile._apt,
    image.Commands: Dockerfile._commands,
    image.Variables: Dockerfile._variables,
    image.Workdir: Dockerfile._workdir,
    image.Source: Dockerfile._source,
}


def _options(step: Pip) -> list[str]:
    index = ["--index-url", step.index_url] if step.index_url else []
    extra = [word for url in step.extra_index_urls for word in ("--extra-index-url", url)]
    return [*index, *extra, *(["--pre"] if step.pre else []), *shlex.split(step.extra_args)]


INCLUDES = re.compile(r"(?m)^\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)")


def _with_included(path: str) -> list[str]:
    """Find the requirements files that one includes, itself first."""
    found = [path]
    for file in found:
        others = [name for name in INCLUDES.findall(context.text(file, "with_requirements")) if "://" not in name]
        paths = [os.path.normpath(os.path.join(os.path.dirname(file), name)) for name in others]
        found += [other for other in paths if other not in found]
    return found


def _command(command: str) -> str:
    """Write a command so that every builder hands it to the shell as it is."""
    text = command.strip()
    plain = "\n" not in text and "<<" not in text and text[0] not in "[-" and not text.endswith("\\")
    return text if plain else json.dumps(["/bin/sh", "-ec", text], ensure_ascii=False)


def _literal(text: str) -> str:
    """Keep a Dockerfile from reading variables in a text."""
    return text.replace("\\", "\\\\").replace("$", "\\$")


def _quoted(text: str) -> str:
    escaped = _literal(text).replace('"', '\\"')
    return f'"{escaped}"'


def _copy(source: str, target: str) -> str:
    return f"COPY {json.dumps([source, _literal(target)], ensure_ascii=False)}"
