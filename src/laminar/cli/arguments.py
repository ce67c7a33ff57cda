"""The words of ``laminar run``: laminar's own options, FILE and NAME, and what follows for the task or the flow."""

from __future__ import annotations

import json

import click

from laminar.errors import nearest
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn

HELP = ("-h", "--help")


class Head(Value):
    """The words up to NAME, and those behind it.

    Attributes:
        own: Options of laminar's own, with their values.
        file: FILE; None if it is not there.
        name: NAME; None if it is not there.
        rest: What follows.
    """

    own: list[str]
    file: str | None
    name: str | None
    rest: list[str]


def head(words: list[str], takes: Mapping[str, bool]) -> Head:
    """Find FILE and NAME. Up to there, only laminar's own options may stand.

    Args:
        words: The command line.
        takes: The names of laminar's own options, and whether each takes a value.

    Raises:
        click.UsageError: An option is none of laminar's.
    """
    own: list[str] = []
    places: list[str] = []
    left = list(words)
    while left and len(places) < 2:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        option = word.partition("=")[0]
        if word.startswith("--") and option not in takes:
            raise click.UsageError(f"No such option {option}.{nearest(option, takes)} {_INPUTS}")
        own.append(word)
        if takes.get(word) and left:
            own.append(left.pop(0))
    file, name = [*places, None, None][:2]
    return Head(own, file, name, left)


_INPUTS = "What goes to the task or the flow comes behind its name: laminar run FILE NAME --input value"


def asks_for_help(words: list[str]) -> bool:
    """Tell whether help is asked for, among laminar's own options."""
    own = words[: words.index("--")] if "--" in words else words
    return any(word in HELP for word in own)


def value(words: list[str], option: str) -> str | None:
    """Find the value of an option of laminar's own; None if it is not given."""
    own = words[: words.index("--")] if "--" in words else words
    found = None
    for place, word in enumerate(own):
        name, equals, text = word.partition("=")
        if name == option:
            found = text if equals else next(iter(own[place + 1 :]), None)
    return found


def pair(word: str, left: list[str]) -> tuple[str, str]:
    """Take a parameter's name and value from the command line.

    Raises:
        click.UsageError: It has no value, or is none.
    """
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name == "--":
        raise click.UsageError(f"{word!r} is no parameter. Write: --name value")
    if equals:
        return name, value
    if not left or left[0].startswith("--"):
        raise click.UsageError(f"The parameter {name} has no value. Write: {name} value, or {name}=value")
    return name, left.pop(0)


def of_flow(words: list[str], takes: Mapping[str, bool]) -> tuple[list[str], dict[str, Any]]:
    """Keep laminar's own options, and what else stands there, apart from the parameters of a flow.

    Args:
        words: What follows the flow's name.
        takes: Laminar's own options for flows, and whether each takes a value.

    Returns:
        Words for click, and the parameters.

    Raises:
        click.UsageError: A parameter has no value, is given twice, or is no name in Python.
    """
    own: list[str] = []
    pairs: list[tuple[str, str]] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name = word.partition("=")[0]
        if word == "--":
            while left:
                pairs.append(pair(left.pop(0), left))
        elif word.startswith("--") and (name not in takes or name == "--version"):
            _refuse_misspelt(name, takes)
            pairs.append(pair(word, left))
        else:
            own.append(word)
            if takes.get(word) and left:
                own.append(left.pop(0))
    return own, _values(pairs)


def _refuse_misspelt(name: str, takes: Iterable[str]) -> None:
    """Refuse a parameter that is almost the name of an option: it is more likely that option, misspelt."""
    import difflib  # 3 ms, and only who gives parameters needs it

    known = [option for option in takes if option.startswith("--") and not name.startswith(option)]
    for option in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
        raise click.UsageError(
            f"Did you mean {option}? If {name} is a parameter of the flow, give it behind --, as in: -- {name} value"
        )


def _values(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read parameters: JSON where it is JSON, else text."""
    values: dict[str, Any] = {}
    for option, text in pairs:
        name = option.removeprefix("--").replace("-", "_")
        if not name.isidentifier():
            raise click.UsageError(f"{option} cannot be a parameter: {name!r} is no name in Python.")
        if name in values:
            raise click.UsageError(f"The parameter {option} was given twice.")
        try:
            values[name] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            values[name] = text
    return values


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not part of JSON")
