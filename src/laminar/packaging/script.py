"""The block of metadata in a script (PEP 723): which Python and which packages it needs.

https://packaging.python.org/en/latest/specifications/inline-script-metadata/
"""

from __future__ import annotations

import re
import sys

from laminar.errors import FlowError
from laminar.model.value import Value
from laminar.packaging.image import Pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
#: Versions of Python that laminar runs on, the newest last.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
CLAUSE = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?\s*")
#: Newer than any patch release: an image of "3.12" has the newest of them.
NEWEST = 10_000


class ScriptNeeds(Value, frozen=True):
    """What a script says that it needs.

    Attributes:
        python: The version of Python that an image for it has.
        packages: Its packages, and where they come from.
    """

    python: str
    packages: Pip


def block(path: str) -> str | None:
    """Find the block of metadata in a script.

    Returns:
        TOML; None if the script has no block.

    Raises:
        FlowError: The script cannot be read, or has two blocks.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError(f"Image.from_uv_script: {path} cannot be read: {error}.") from None
    found = [match for match in BLOCK.finditer(text) if match["type"] == "script"]
    if len(found) > 1:
        raise FlowError(f"Image.from_uv_script: {path} has {len(found)} blocks '# /// script'; only one is allowed.")
    if not found:
        return None
    return "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in found[0]["content"].splitlines(keepends=True)
    )


def needs(path: str) -> ScriptNeeds:
    """Read what a script needs.

    Raises:
        FlowError: It has no block of metadata, or nonsense in it.
    """
    text = block(path)
    if text is None:
        raise FlowError(
            f"Image.from_uv_script: {path} has no block of metadata. Begin it with: # /// script, and a line "
            '# dependencies = ["numpy"], and # /// (PEP 723); or take Image.from_debian_base().with_pip_packages(…).'
        )
    import tomllib  # 6 ms, and most flows have no such block

    try:
        metadata = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FlowError(f"Image.from_uv_script: the block of metadata in {path} is no TOML: {error}.") from None
    packages = metadata.get("dependencies", [])
    if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
        raise FlowError(f"Image.from_uv_script: dependencies in {path} expects a list of strings, got {packages!r}.")
    python = _python(metadata.get("requires-python"), path)
    return ScriptNeeds(python, _from(metadata.get("tool", {}).get("uv", {}), tuple(packages)))


def _from(uv: dict[str, Any], packages: tuple[str, ...]) -> Pip:
    """Read where uv would take packages from."""
    indexes = uv.get("index", [])
    default = uv.get("index-url") or next((index["url"] for index in indexes if index.get("default")), None)
    extra = [*uv.get("extra-index-url", []), *(index["url"] for index in indexes if not index.get("default"))]
    return Pip(packages, default, tuple(extra), uv.get("prerelease") == "allow", "")


def _python(wanted: Any, path: str) -> str:
    """Choose a version of Python: the running one if it will do, else the newest that does."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if wanted is None:
        return running
    clauses = [CLAUSE.fullmatch(clause) for clause in str(wanted).split(",") if clause.strip()]
    if not isinstance(wanted, str) or not all(clauses):
        raise FlowError(f"Image.from_uv_script: requires-python = {wanted!r} in {path} is no condition like '>=3.11'.")
    pinned = next((clause[2] for clause in clauses if clause and clause[1][:2] == "==" and not clause[3]), "")
    if pinned.count(".") == 2:
        return pinned
    for version in (running, *reversed(PYTHONS)):
        numbers = (*map(int, version.split(".")), NEWEST)
        if all(_holds(numbers, clause) for clause in clauses if clause):
            return version
    raise FlowError(
        f"Image.from_uv_script: no Python that laminar runs on ({', '.join(PYTHONS)}) "
        f"fulfils requires-python = {wanted!r} in {path}."
    )


def _holds(version: tuple[int, ...], clause: re.Match[str]) -> bool:
    """Tell whether a version fulfils one clause; a minor version stands for its newest patch."""
    operator, numbers, star = clause[1], tuple(map(int, clause[2].split("."))), clause[3]
    head = version[: len(numbers)]
    if operator in ("==", "==="):
        return head == numbers
    if operator == "!=":
        return not (star and head == numbers)
    if operator == "~=":
        return head >= numbers and head[: len(numbers) - 1] == numbers[:-1]
    if operator == ">":
        return head > numbers
    if operator == "<":
        return version[: min(2, len(numbers))] < numbers[:2] if len(numbers) < 3 else head < numbers
    return head >= numbers if operator == ">=" else head <= numbers
