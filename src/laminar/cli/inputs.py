"""The inputs of a task on the command line: options that are made from its signature."""

from __future__ import annotations

from laminar.errors import TaskInputError, nearest
from laminar.tasks.kinds.contract import Mismatch, shown
from laminar.tasks.kinds.described import Described
from laminar.tasks.kinds.scalars import Bool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from laminar.tasks.interface import Parameter
    from laminar.tasks.kinds import Kind


class Inputs:
    """Reads the inputs of a task.

    Attributes:
        own: The words that are laminar's own.
        values: The inputs, by the names of the parameters.
    """

    def __init__(self, task: str, parameters: Iterable[Parameter], takes: Mapping[str, bool]) -> None:
        """Make options of the parameters.

        Args:
            task: Full name of the task.
            parameters: What it takes.
            takes: Laminar's own options, and whether each takes a value.
        """
        self._task = task
        self._takes = takes
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self.own: list[str] = []
        self.values: dict[str, Any] = {}

    def read(self, words: list[str]) -> None:
        """Read what follows the task's name. An option is the task's own where it has such a parameter.

        Raises:
            TaskInputError: An input is unknown, missing, given twice, or does not fit; the message says which.
        """
        left = list(words)
        ours = True
        while left:
            word = left.pop(0)
            if word == "--" and ours:
                ours = False
            elif not word.startswith("--") and not (ours and word in self._takes):
                raise self._error(f"{shown(word)} stands there without a name. Write: --{self._first()} value")
            elif not self._take(word, left):
                self._leave(word, left, ours=ours)
        missing = [each for each in self._parameters.values() if each.required and each.name not in self.values]
        if missing:
            needed = " and ".join(f"{option(each)} {each.kind.metavar} ({each.kind.describe()})" for each in missing)
            raise self._error(f"needs {needed}. Add --help to see all that it takes.", verb=True)

    def _first(self) -> str:
        return next(iter(self._parameters), "name")

    def _take(self, word: str, left: list[str]) -> bool:
        """Take a word that names a parameter; tells whether it does."""
        name, equals, text = word.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        parameter = self._parameters.get(name)
        denied = self._parameters.get(name.removeprefix("no_"))
        if parameter is None and denied is not None and is_flag(denied.kind) and not equals:
            self._keep(denied, value=False)
        elif parameter is None:
            return False
        elif is_flag(parameter.kind) and not equals and (not left or left[0].startswith("-")):
            self._keep(parameter, value=True)
        else:
            self._keep(parameter, self._parsed(parameter, text if equals else self._next(word, left)))
        return True

    def _next(self, word: str, left: list[str]) -> str:
        if not left or left[0].startswith("--"):
            raise self._error(f"{word} has no value. Write: {word} value, or {word}=value")
        return left.pop(0)

    def _parsed(self, parameter: Parameter, text: str) -> Any:
        try:
            return parameter.kind.parse(text)
        except Mismatch as mismatch:
            place = f" at {mismatch.path}, where {mismatch.expected} is needed" if mismatch.path else ""
            note = f" ({mismatch.note})" if mismatch.note else ""
            raise self._error(
                f"{option(parameter)} expects {parameter.kind.describe()}, got {shown(text)}{place}{note}."
            ) from None

    def _keep(self, parameter: Parameter, value: Any) -> None:
        if parameter.name in self.values:
            raise self._error(f"{option(parameter)} was given twice.")
        self.values[parameter.name] = value

    def _leave(self, word: str, left: list[str], *, ours: bool) -> None:
        """Leave a word to laminar, if it is an option of its own."""
        name = word.partition("=")[0]
        if not ours or name not in self._takes:
            known = {option(parameter) for parameter in self._parameters.values()}
            raise self._error(f"has no parameter {name}.{nearest(name, {*known, *self._takes})}", verb=True)
        self.own.append(word)
        if self._takes[name] and word == name and left:
            self.own.append(left.pop(0))

    def _error(self, text: str, *, verb: bool = False) -> TaskInputError:
        return TaskInputError(f"Task {self._task}{' ' if verb else ': '}{text}")


def option(parameter: Parameter) -> str:
    """Name the option of a parameter."""
    return f"--{parameter.name}"


def is_flag(kind: Kind) -> bool:
    """Tell whether values of a kind are given by the option alone: true or false, or those and None."""
    if isinstance(kind, Described):
        return kind.flag
    members = getattr(kind, "members", (kind,))
    return any(isinstance(member, Bool) for member in members) and all(
        isinstance(member, Bool) or member.metavar == "null" for member in members
    )


def described(parameters: Iterable[Parameter]) -> list[tuple[str, str]]:
    """Describe the options of a task: what to write, and what that means."""
    return [(_usage(parameter), _meaning(parameter)) for parameter in parameters]


def _usage(parameter: Parameter) -> str:
    if is_flag(parameter.kind):
        return f"{option(parameter)} / --no-{parameter.name}"
    return f"{option(parameter)} {parameter.kind.metavar}"


def _meaning(parameter: Parameter) -> str:
    how = "" if is_flag(parameter.kind) else f"({parameter.kind.describe()})"
    end = "[required]" if parameter.required else f"[default: {_default(parameter)}]"
    return " ".join(filter(None, (parameter.doc, how, end)))


def _default(parameter: Parameter) -> str:
    """Write a default as the command line would; one that does not fit is shown as it is."""
    try:
        return parameter.kind.text(parameter.kind.check(parameter.default))
    except Mismatch:
        return shown(parameter.default)
