"""What code refers to, by the instructions of its functions: tasks that are called, wherever in the project that is.

A function is followed as it is loaded: what it names of its module, its closure cells and defaults, what it imports
later, the functions and classes of the project that it uses, and these in turn.
"""

from __future__ import annotations

import importlib
import sys
from types import FunctionType, MethodType, ModuleType

from laminar.model.value import Value
from laminar.packaging.closures import EMPTY, MEMBERS
from laminar.packaging.modules import absolute
from laminar.packaging.origins import file_of, origin
from laminar.packaging.syntax import Files, codes_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from dis import Instruction
    from types import CodeType
    from typing import Any

#: Attributes of what is looked for that are the plain function in it.
PLAIN = ("function", "forward", "__wrapped__")
#: Attributes by which it is called all the same.
CALLS = ("aio", "override")
CONTAINERS = (list, tuple, set, frozenset)


class Reference(Value, frozen=True):
    """A place where code refers to something.

    Attributes:
        value: To what.
        file: The file.
        line: The line.
    """

    value: Any
    file: str
    line: int


class References:
    """Finds what code refers to; each function is looked at once."""

    def __init__(self, wanted: Callable[[Any], bool]) -> None:
        """Begin with nothing known.

        Args:
            wanted: Tells what is looked for; code inside of it is not followed.
        """
        self._wanted = wanted
        self._files = Files()
        self._known: dict[int, tuple[Any, list[Reference], list[Any]]] = {}

    def of(self, code: Any) -> list[Reference]:
        """List what a function or class refers to, itself or by what it uses; each thing once, at its first place."""
        found: dict[int, Reference] = {}
        seen: set[int] = set()
        waiting = [code]
        while waiting:
            one = waiting.pop(0)
            if id(one) in seen:
                continue
            seen.add(id(one))
            references, uses = self._looked_at(one)
            waiting += uses
            for reference in references:
                found.setdefault(id(reference.value), reference)
        return list(found.values())

    def _looked_at(self, code: Any) -> tuple[list[Reference], list[Any]]:
        known = self._known.get(id(code))
        if known is None:
            references: list[Reference] = []
            uses: list[Any] = []
            for value, file, line in self._named_by(code):
                self._sort(value, file, line, references, uses)
            known = self._known[id(code)] = (code, references, uses)
        return known[1], known[2]

    def _sort(self, value: Any, file: str, line: int, references: list[Reference], uses: list[Any]) -> None:
        """Tell what is looked for from what is followed."""
        waiting, seen = [value], set()
        while waiting:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if self._wanted(one):
                references.append(Reference(one, file, line))
            elif isinstance(one, (FunctionType, MethodType, type)):
                uses.append(one)
            elif type(one) in CONTAINERS:
                waiting += one
            elif type(one) is dict:
                waiting += one.values()
            elif type(one).__name__ == "partial":
                waiting += (one.func, *one.args, *one.keywords.values())
            elif not isinstance(one, ModuleType):
                uses.append(type(one))  # its methods may be called

    def _named_by(self, code: Any) -> Iterator[tuple[Any, str, int]]:
        """Give the values that a function or class names, and where; nothing if it is not the project's."""
        if isinstance(code, MethodType):
            code = code.__func__
        if isinstance(code, type):
            yield from self._named_by_class(code)
        elif isinstance(code, FunctionType):
            file, line = code.__code__.co_filename, code.__code__.co_firstlineno
            for value in _held(code):
                yield value, file, line
            if origin(file, code.__module__) is None:
                cells = zip(code.__code__.co_freevars, code.__closure__ or (), strict=True)
                scope = {name: cell.cell_contents for name, cell in cells if cell != EMPTY}
                for part in codes_in(code.__code__):
                    for value, where in _Reading(part, code.__globals__, scope, self._wanted).values():
                        yield value, file, where

    def _named_by_class(self, kind: type) -> Iterator[tuple[Any, str, int]]:
        file = file_of(sys.modules.get(kind.__module__))
        if file is None or origin(file, kind.__module__) is not None:
            return
        parsed = self._files.get(file)
        found = None if parsed is None else parsed.definition(kind.__qualname__)
        line = 1 if found is None else found[0].lineno
        for name, value in vars(kind).items():
            if isinstance(value, MEMBERS) or type(value).__name__ == "cached_property":
                held = [getattr(value, one, None) for one in ("__func__", "fget", "fset", "fdel", "func")]
                yield from ((one, file, line) for one in held if one is not None)
            elif not name.startswith("__") or isinstance(value, FunctionType):
                yield value, file, line
        yield from ((base, file, line) for base in kind.__bases__)


def _held(function: FunctionType) -> Iterator[Any]:
    """Give what a function holds: defaults, what it has wrapped, and functions that a decorator has closed over."""
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    if "__wrapped__" in vars(function):
        yield vars(function)["__wrapped__"]
    for cell in function.__closure__ or ():
        if cell != EMPTY and isinstance(cell.cell_contents, (FunctionType, MethodType)):
            yield cell.cell_contents


class _Reading:
    """Reads the instructions of one code, to know what its names stand for."""

    def __init__(
        self, code: CodeType, namespace: dict[str, Any], scope: dict[str, Any], wanted: Callable[[Any], bool]
    ) -> None:
        self._code = code
        self._wanted = wanted
        self._globals = namespace
        self._scope = scope
        self._locals: dict[str, Any] = {}

    def values(self) -> Iterator[tuple[Any, int]]:
        """Give the values that are named, attributes resolved as far as they can be, and the line of each."""
        from dis import get_instructions  # loaded with inspect, which asyncio has imported

        steps = [step for step in get_instructions(self._code) if step.opname not in ("EXTENDED_ARG", "PUSH_NULL")]
        line = self._code.co_firstlineno
        for place, step in enumerate(steps):
            line = (step.positions and step.positions.lineno) or line
            if step.opname == "IMPORT_NAME":
                yield from ((value, line) for value in self._imported(steps, place))
            elif (found := self._loaded(step)) is not None:
                value = self._followed(found, steps[place + 1 :])
                if value is not None:
                    yield value, line

    def _loaded(self, step: Instruction) -> Any:
        name = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            return self._globals.get(name)
        if step.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
            return self._scope.get(name)
        return self._locals.get(name) if step.opname.startswith("LOAD_FAST") else None

    def _followed(self, value: Any, steps: list[Instruction]) -> Any:
        """Follow attributes of modules and classes, and tell how what they lead to is used; None if it is not."""
        for step in steps:
            if step.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            name = step.argval
            if isinstance(value, ModuleType):
                value = vars(value).get(name)
            elif isinstance(value, type):
                value = getattr(value, name, None)
            elif not self._wanted(value) or name in CALLS:
                break
            else:
                return getattr(value, name, None) if name in PLAIN else None
        return value

    def _imported(self, steps: list[Instruction], place: int) -> Iterator[Any]:
        """Give what an import inside the function brings, and remember the modules that it names."""
        level, wanted = steps[place - 2].argval or 0, steps[place - 1].argval or ()
        full = absolute("." * level + steps[place].argval, str(self._globals.get("__package__") or ""))
        if full is None or not _is_project(full):
            return
        for name in wanted:
            value = _fetched(full, name)
            if value is not None:
                yield value
        if not wanted:
            following = [step for step in steps[place + 1 : place + 6] if step.opname.startswith("STORE_")]
            bound = _fetched(full, None)
            if following and bound is not None:
                self._locals[following[0].argval] = bound if _is_renamed(steps, place) else _top(full)


def _is_renamed(steps: list[Instruction], place: int) -> bool:
    """Tell whether ``import a.b as c`` stands there, which binds the module itself."""
    return steps[place + 1].opname == "IMPORT_FROM" or (
        steps[place + 1].opname.startswith("STORE_") and "." not in steps[place].argval
    )


def _top(name: str) -> Any:
    return sys.modules.get(name.partition(".")[0])


def _is_project(name: str) -> bool:
    """Tell whether a module is the project's, without importing it."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return False
    if top in sys.modules:
        return origin(file_of(sys.modules[top]), top) is None
    from importlib.util import find_spec  # 2 ms, and only for what is imported inside a function

    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and origin(spec.origin, top) is None


def _fetched(name: str, attribute: str | None) -> Any:
    """Import what the function will import as soon as it runs; None for what cannot be imported here."""
    try:
        module = importlib.import_module(name)
        if attribute is None:
            return module
        if not hasattr(module, attribute):
            return importlib.import_module(f"{name}.{attribute}")
        return getattr(module, attribute)
    except Exception:
        return None
