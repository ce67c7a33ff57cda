"""What a task takes and gives: its parameters, their kinds, and the check of every call."""

from __future__ import annotations

import functools
import inspect  # loaded by asyncio already
import typing
from types import SimpleNamespace

from laminar.errors import TaskError, TaskInputError, TaskOutputError, nearest
from laminar.model.value import Value
from laminar.tasks.kinds import Kind, Mismatch, UnresolvedError, kind_of
from laminar.tasks.kinds.contract import annotation_text, shown, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Stands for what was not given.
ABSENT = object()
_VARIADIC: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Parameter(Value, frozen=True):
    """One parameter of a task.

    Attributes:
        name: Its name.
        kind: What its values must be.
        required: Whether a call must give it.
        default: What stands in for it, if it is not required.
        doc: What the docstring says of it.
    """

    name: str
    kind: Kind
    required: bool
    default: Any = None
    doc: str = ""


class Interface:
    """The parameters and the result of a function, resolved when they are first asked for.

    Annotations may name what is defined further down in the module, so nothing is resolved at declaration.
    """

    def __init__(self, function: Callable[..., Any], signature: inspect.Signature) -> None:
        """Take a function and its signature; use :meth:`of`."""
        self._function = function
        self._name = getattr(function, "__qualname__", repr(function))
        self._signature = signature
        self._index = {name: place for place, name in enumerate(signature.parameters)}
        self._size = len(self._index)
        self._template = {name: _default(parameter) for name, parameter in signature.parameters.items()}
        kinds = [parameter.kind for parameter in signature.parameters.values()]
        self._positions = len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY)
        self._required = tuple(name for name, default in self._template.items() if default is ABSENT)
        self._only_positions = kinds.count(inspect.Parameter.POSITIONAL_ONLY)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Interface:
        """Read a function's signature.

        Raises:
            TaskError: It takes ``*args`` or ``**kwargs``, or it is a generator.
        """
        signature = inspect.signature(function)
        name = getattr(function, "__qualname__", repr(function))
        for parameter in signature.parameters.values():
            if stars := _VARIADIC.get(parameter.kind):
                raise TaskError(
                    f"Task {name} takes {stars}{parameter.name}. Each input of a task needs a name and a type: "
                    f"take a list or a dict in its place, such as {parameter.name}: "
                    f"{'list[int]' if stars == '*' else 'dict[str, int]'}."
                )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TaskError(f"Task {name} yields, and a generator cannot be stored as a result. Return a list instead.")
        return cls(function, signature)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters in their order."""
        return tuple(self._index)

    def call(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call a function of this interface with its arguments by name."""
        if not self._only_positions:
            return function(**arguments)
        first = self.names[: self._only_positions]
        return function(*map(arguments.pop, first), **arguments)

    @property
    def doc(self) -> str:
        """The first paragraph of the docstring, in one line."""
        from laminar.tasks import docstrings  # 1 ms, and only help and descriptions need it

        return docstrings.summary(self._function.__doc__)

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in their order.

        Raises:
            TaskError: An annotation cannot be resolved; the message names task, parameter and annotation.
        """
        from laminar.tasks import docstrings  # as above

        docs = docstrings.parameters(self._function.__doc__)
        made = []
        for name, kind in self._kinds.items():
            default = self._template[name]
            required = default is ABSENT
            made.append(Parameter(name, kind, required, None if required else default, docs.get(name, "")))
        return tuple(made)

    @functools.cached_property
    def _kinds(self) -> dict[str, Kind]:
        """The kinds of the parameters, by name."""
        return {
            name: self._kind(parameter.annotation, f"parameter {name}", parameter.default is None)
            for name, parameter in self._signature.parameters.items()
        }

    @functools.cached_property
    def result(self) -> Kind:
        """What the task gives.

        Raises:
            TaskError: The annotation cannot be resolved.
        """
        return self._kind(self._signature.return_annotation, "the result", False)

    def _kind(self, annotation: Any, of_what: str, or_none: bool) -> Kind:
        """Resolve and compile an annotation; a default of None means that None may be given."""
        try:
            if annotation is inspect.Signature.empty:
                return kind_of(typing.Any)
            resolved = self._resolved(annotation)
            return kind_of(typing.Optional[resolved] if or_none else resolved)  # noqa: UP045 - any form of type
        except (UnresolvedError, NameError, SyntaxError, TypeError, AttributeError) as error:
            raise TaskError(
                f"Task {self._name}: the annotation of {of_what}, "
                f"{annotation_text(annotation)!r}, cannot be resolved: {error}. "
                "Import the type where the task is defined, outside of `if TYPE_CHECKING:` and of functions."
            ) from error

    def _resolved(self, annotation: Any) -> Any:
        """Give the type that an annotation stands for, with the names of the function's module and closure."""
        function = inspect.unwrap(self._function)
        holder = SimpleNamespace(__annotations__={"it": annotation})
        return typing.get_type_hints(holder, function.__globals__, _enclosed(function), include_extras=True)["it"]

    @functools.cached_property
    def _checks(self) -> tuple[tuple[str, frozenset[type], Callable[[Any], Any]], ...]:
        """For each parameter that takes not everything: its name, the types that fit as they are, and the check."""
        return tuple((name, kind.exact, kind.check) for name, kind in self._kinds.items() if not kind.anything)

    def bind(self, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arrange the arguments of a call by name, in the order of the parameters, and check them.

        Args:
            task: The task's full name, for messages.
            args: Arguments by position.
            kwargs: Arguments by name.

        Returns:
            A value for every parameter; defaults for those that were not given.

        Raises:
            TaskInputError: One is missing, unknown, given twice, or does not fit its annotation.
            TaskError: An annotation cannot be resolved.
        """
        values = self._template.copy()
        count = len(args)
        if args:
            values.update(zip(self._template, args))  # noqa: B905 - more than there are names is told below
        if kwargs:
            values.update(kwargs)
        if count > self._positions or len(values) != self._size or (kwargs and self._clashes(count, kwargs)):
            raise self._misfit(task, args, kwargs)
        try:
            for name in self._required:
                if values[name] is ABSENT:
                    raise self._misfit(task, args, kwargs)
            for name, exact, check in self._checks:
                value = values[name]
                if type(value) not in exact:
                    values[name] = check(value)
        except Mismatch as mismatch:
            given = name in kwargs or self._index[name] < count
            raise self._refusal(task, name, mismatch, given) from None
        except RecursionError:
            raise TaskInputError(
                f"Task {task}: parameter {name} holds itself, or is nested too deeply to be checked. "
                "Give it a value without a circle in it."
            ) from None
        return values

    def read(self, task: str, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Arrange the arguments of a call that are given as JSON, in the order of the parameters, and check them.

        Args:
            task: The task's full name, for messages.
            plain: Arguments by name, as decoded JSON.

        Raises:
            TaskInputError: One is missing, unknown, or does not fit its annotation.
            TaskError: An annotation cannot be resolved.
        """
        values: dict[str, Any] = {}
        for name, given in plain.items():
            kind = self._kinds.get(name)
            try:
                values[name] = given if kind is None else kind.from_plain(given)
            except Mismatch as mismatch:
                raise self._refusal(task, name, mismatch, True) from None
        return self.bind(task, (), values)

    def _clashes(self, count: int, kwargs: dict[str, Any]) -> bool:
        """Tell whether an argument by name is given by position as well, or may only be."""
        taken = max(count, self._only_positions)
        return any(self._index[name] < taken for name in kwargs)

    def _refusal(self, task: str, name: str, mismatch: Mismatch, given: bool) -> TaskInputError:
        """Make the error for a value that does not fit."""
        whole = self._kinds[name].name
        text = f"Task {task}: {'' if given else 'the default of '}parameter {name} expects {whole}, {_got(mismatch)}"
        if mismatch.path:
            text += f" There it needs {mismatch.expected}."
        return TaskInputError(f"{text} {'Pass' if given else 'Write'} a value of that type, or change the annotation.")

    def _misfit(self, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskInputError:
        """Make the error for arguments that are missing, unknown, or given twice."""
        takes = f"It takes ({', '.join(self._index)})."
        if len(args) > self._positions:
            return TaskInputError(
                f"Task {task} takes at most {self._positions} arguments by position, got {len(args)}. {takes}"
            )
        for name in kwargs:
            if name not in self._index:
                return TaskInputError(f"Task {task} has no parameter {name!r}.{nearest(name, self._index)}")
            if self._index[name] < self._only_positions:
                return TaskInputError(f"Task {task} takes {name} by position only: give it first, without its name.")
            if self._index[name] < len(args):
                return TaskInputError(f"Task {task} got parameter {name} twice: by position and by name. Give it once.")
        given = {*list(self._index)[: len(args)], *kwargs}
        missing = [name for name in self._required if name not in given]
        return TaskInputError(
            f"Task {task} needs a value for {' and '.join(missing)}. {takes} Pass {missing[0]}=…, or give it a default."
        )

    def check_result(self, task: str, value: Any) -> Any:
        """Give the result to pass on.

        Args:
            task: The task's full name, for messages.
            value: What the function returned.

        Returns:
            The value, or what the rules of typing make of it, such as a float of an int.

        Raises:
            TaskOutputError: It does not fit the annotation.
            TaskError: The annotation cannot be resolved.
        """
        kind = self.result
        if type(value) in kind.exact:
            return value
        try:
            return kind.check(value)
        except Mismatch as mismatch:
            got = f"{type_name(type(value))}, its annotation says {kind.name}: {shown(mismatch.got)}"
            place = f" at {mismatch.path}, where {mismatch.expected} is needed" if mismatch.path else ""
            note = f" ({mismatch.note})" if mismatch.note else ""
            raise TaskOutputError(
                f"Task {task} returned {got}{place}{note}. Return a value of that type, or change the annotation."
            ) from None
        except RecursionError:
            raise TaskOutputError(
                f"Task {task} returned a value that holds itself, or is nested too deeply to be checked. "
                "Return a value without a circle in it."
            ) from None

    def digest(self) -> str:
        """Name the interface: the same for equal names, kinds and places of defaults, in every process."""
        import hashlib
        import json  # 5 ms, once for a task that is cached

        said = [
            [[name, kind.schema(), self._template[name] is ABSENT] for name, kind in self._kinds.items()],
            self.result.schema(),
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _default(parameter: inspect.Parameter) -> Any:
    return ABSENT if parameter.default is inspect.Parameter.empty else parameter.default


def _enclosed(function: Any) -> dict[str, Any]:
    """Give the type variables of a function, and the names of enclosing functions that it uses."""
    found = {each.__name__: each for each in getattr(function, "__type_params__", ())}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _got(mismatch: Mismatch) -> str:
    """Say what came, and where."""
    place = f" at {mismatch.path}" if mismatch.path else ""
    note = f" ({mismatch.note})" if mismatch.note else ""
    return f"got {type_name(type(mismatch.got))}{place}: {shown(mismatch.got)}{note}."
