"""The code of a function, with all of the project that it uses: functions, classes, constants, closures, modules.

A function is followed as it is loaded: its globals by name, its defaults and closure cells by value, what has wrapped
it, and what it imports later. What is installed counts by its version, Python by its own, laminar not at all.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from hashlib import blake2b
from marshal import dumps
from operator import itemgetter
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from weakref import WeakKeyDictionary

from laminar.model.value import Value
from laminar.packaging.modules import absolute
from laminar.packaging.origins import (
    LAMINAR,
    PYTHON,
    file_of,
    imports_in,
    is_importable,
    kind_of,
    module_name,
    origin,
    qualified,
    version_of,
)
from laminar.packaging.syntax import Files, Said, codes_in, names_below, names_in, said_by, said_by_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from importlib.machinery import ModuleSpec
    from typing import Any, Protocol

    from laminar.packaging.syntax import File

    class Digest(Protocol):
        """Digests any value; see :func:`laminar.data.canonical.digest`."""

        def __call__(self, value: Any, code: Callable[[Any], bytes], named: Callable[[type], str]) -> bytes:
            """Give the digest of a value."""


#: What a class holds in the place of functions.
MEMBERS = (staticmethod, classmethod, property)
#: Attributes of classes that count by value: they may have been set, or filled, from outside.
DATA = (type(None), bool, int, float, str, bytes, list, tuple, set, frozenset, dict)
#: Modules of Python whose objects are tools and hold nothing that a result could depend on.
TOOLS = frozenset(("_thread", "threading", "logging", "weakref", "_contextvars", "contextvars"))
EMPTY = CellType()
#: Names by which code can reach any attribute of a module.
REFLECTION = frozenset(("getattr", "vars", "__dict__", "import_module"))
#: Names by which code can read a docstring.
DOCS = frozenset(("__doc__", "getdoc", "help"))


class CodePrint(Value, frozen=True):
    """What a function's code is, as a fingerprint.

    Attributes:
        digest: Of all parts, in hexadecimal digits.
        parts: Digest of each part that counts: functions, classes, constants, defaults, closure cells, packages.
    """

    digest: str
    parts: dict[str, str]


class Part:
    """Something that counts, and what it refers to."""

    __slots__ = ("__weakref__", "docs", "name", "own", "reads_docs", "uses")

    def __init__(self, name: str) -> None:
        """Begin with nothing known but the name."""
        self.name = name
        self.own = b""
        self.docs = b""
        self.reads_docs = False
        self.uses: list[tuple[str, Part]] = []

    def takes(self, said: Said) -> None:
        """Take what the definition says."""
        self.own = said.digest
        self.docs = said.docs


class Closures:
    """The code of functions; each part of it is looked at once in a process."""

    def __init__(self, digest: Digest) -> None:
        """Begin with nothing known.

        Args:
            digest: Digests constants, defaults and closure cells.
        """
        self._digest = digest
        self._lock = threading.RLock()
        self._files = Files()
        self._prints: WeakKeyDictionary[Any, CodePrint] = WeakKeyDictionary()
        self._parts: WeakKeyDictionary[Any, Part] = WeakKeyDictionary()
        self._constants: dict[tuple[int, str], tuple[Any, Part]] = {}
        self._packages: dict[str, Part] = {}
        self._absent: dict[str, Part] = {}

    def code_of(self, function: Any) -> CodePrint:
        """Give the fingerprint of a function, class or module, with all of the project that it uses.

        Args:
            function: A function, a class, a module, or what has wrapped a function.

        Warns:
            RuntimeWarning: A constant that it uses has no digest; it counts by its type alone.
        """
        with self._lock:
            known = self._prints.get(function)
            if known is None:
                known = self._prints[function] = _assembled(self._part(function, "", frozenset()))
            return known

    def _part(self, value: Any, label: str, names: frozenset[str]) -> Part:
        """Give the part that a value is.

        Args:
            value: What code refers to.
            label: How messages name it if it has no name of its own.
            names: All names that the code uses, among them those of a module's attributes.
        """
        if isinstance(value, Part):
            return value
        if isinstance(value, ModuleType):
            return self._module(value, names)
        if hasattr(type(value), "__laminar_code__"):
            return self._stand_in(value)
        if hasattr(type(value), "__laminar_digest__"):
            return self._constant(value, label)
        if isinstance(value, (FunctionType, type)):
            part = self._parts.get(value)
            if part is None:
                part = self._parts[value] = Part("")
                self._function(value, part) if isinstance(value, FunctionType) else self._class(value, part)
            return part
        if isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, (ModuleType, type(None))):
            return self._constant(value, label)
        return self._other(value, label)

    def _stand_in(self, value: Any) -> Part:
        """Give the part of what stands for code, such as a task: its name, and the code unless that has a version."""
        part = self._parts.get(value)
        if part is None:
            name, code = value.__laminar_code__()
            part = self._parts[value] = Part(name)
            part.own = _hash(name)
            if code is not None:
                part.uses = [("code", self._part(code, name, frozenset()))]
        return part

    def _other(self, value: Any, label: str) -> Part:
        if isinstance(value, BuiltinFunctionType):
            return self._foreign(value, value.__module__ or "builtins", None)
        if not isinstance(value, MEMBERS) and type(value).__name__ != "cached_property":
            return self._constant(value, label)
        held = [getattr(value, name, None) for name in ("__func__", "fget", "fset", "fdel", "func")]
        functions = [one for one in held if one is not None]
        part = Part(f"{kind_of(value)} {label}")
        part.own = _hash(kind_of(value))
        part.uses = [(str(place), self._part(one, label, frozenset())) for place, one in enumerate(functions)]
        return part

    # Functions

    def _function(self, function: FunctionType, part: Part) -> None:
        file = function.__code__.co_filename
        place = origin(file, function.__module__)
        if place is not None and origin(None, function.__module__) is not None and is_importable(function):
            self._take_foreign(part, function, function.__module__, place)
            return
        part.name = f"function {qualified(function)}"
        if place is None:
            self._take_code(function, part)
        else:  # made by a library around what the project has given it
            part.own = _hash(file.rpartition(os.sep)[2], function.__code__.co_qualname)
            self._take_package(part, place)
        self._take_values(function, part)

    def _take_code(self, function: FunctionType, part: Part) -> None:
        code = function.__code__
        file = self._files.get(code.co_filename, function.__globals__)
        node = file.function(code) if file else None
        part.takes(said_by_code(code) if node is None else said_by(node))
        self._take_names(part, names_in(code), function.__globals__, code)

    def _take_values(self, function: FunctionType, part: Part) -> None:
        """Count defaults, closure cells, and the function that it has taken the place of."""
        count = function.__code__.co_argcount
        arguments = function.__code__.co_varnames[:count]
        defaults = function.__defaults__ or ()
        values = dict(zip(arguments[count - len(defaults) :], defaults, strict=True))
        for name, value in {**values, **(function.__kwdefaults__ or {})}.items():
            self._use(part, f"default {name}", value, f"default {name} of {qualified(function)}")
        self._take_cells(function, part)
        if "__wrapped__" in vars(function):
            self._use(part, "wrapped", vars(function)["__wrapped__"], f"wrapped by {qualified(function)}")

    def _take_cells(self, function: FunctionType, part: Part) -> None:
        names = names_in(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if cell != EMPTY:  # it may not be assigned yet
                self._use(
                    part, f"closure {name}", cell.cell_contents, f"closure {name} of {qualified(function)}", names
                )

    def _use(self, part: Part, role: str, value: Any, label: str, names: frozenset[str] = frozenset()) -> None:
        part.uses.append((role, self._part(value, label, names)))

    def _take_names(
        self, part: Part, names: frozenset[str], namespace: Mapping[str, Any], code: CodeType | None = None
    ) -> None:
        """Count what code reads of the module that it is in, and what it imports later."""
        part.reads_docs = not names.isdisjoint(DOCS)
        module = str(namespace.get("__name__"))
        if "globals" in names and module in sys.modules:
            part.uses.append(("globals", self._whole(sys.modules[module])))
        for name in sorted(names):
            if name in namespace and not (name.startswith("__") and name.endswith("__")):
                part.uses.append((name, self._global(namespace, name, f"constant {module_name(module)}.{name}", names)))
        for imported in imports_in(code) if code is not None else ():
            for name, value in self._imported(*imported, namespace):
                self._use(part, name, value, name, names)

    def _global(self, namespace: Mapping[str, Any], name: str, label: str, names: frozenset[str]) -> Part:
        value = namespace[name]
        known = self._constants.get((id(namespace), name))
        if known is not None and known[0] is value:
            return known[1]
        part = self._part(value, label, names)
        if not isinstance(value, (FunctionType, type, ModuleType)):
            self._constants[id(namespace), name] = (value, part)
        return part

    # Classes

    def _class(self, kind: type, part: Part) -> None:
        module = sys.modules.get(kind.__module__)
        place = origin(file_of(module), kind.__module__)
        if place is not None:
            self._take_foreign(part, kind, kind.__module__, place)
            return
        part.name = f"class {qualified(kind)}"
        methods = [one for one in vars(kind).values() if isinstance(one, FunctionType)]
        namespace = vars(module) if module else methods[0].__globals__ if methods else {}
        found = self._definition(kind, methods, namespace)
        if found is None:
            self._take_members(kind, part)
        else:
            part.takes(said_by(found[0]))
            names = names_in(found[1]) | names_below(found[0].decorator_list)
            self._take_names(part, names, namespace, found[1])
            for method in methods:
                if method.__code__ in codes_in(found[1]):  # not what a decorator has made for the class
                    self._take_cells(method, part)
        self._take_data(kind, part)
        for parent in (*kind.__bases__, type(kind)):
            if parent not in (object, type):
                self._use(part, "base", parent, parent.__name__)

    def _definition(self, kind: type, methods: list[FunctionType], namespace: Mapping[str, Any]) -> Any:
        """Give node and code of a class, if what is loaded is what its file says."""
        names = {method.__code__.co_filename for method in methods if method.__qualname__.startswith(kind.__qualname__)}
        own = file_of(sys.modules.get(kind.__module__))
        for name in filter(None, (own, *sorted(names))):
            file = self._files.get(name, namespace)
            found = file.definition(kind.__qualname__) if file else None
            if file and found and all(_agrees(file, method, name) for method in methods):
                return found
        return None

    def _take_members(self, kind: type, part: Part) -> None:
        """Count the members of a class that has no source."""
        part.own = _hash("class", *sorted(vars(kind).get("__annotations__", {})))
        members: Mapping[str, Any] = getattr(kind, "__members__", {})
        for name, member in members.items():
            self._use(part, f"member {name}", member.value, f"member {name} of {qualified(kind)}")
        for name, value in sorted(vars(kind).items()):
            if isinstance(value, (FunctionType, *MEMBERS)):
                self._use(part, name, value, f"{qualified(kind)}.{name}")

    def _take_data(self, kind: type, part: Part) -> None:
        """Count the data of a class, such as a registry that decorators have filled."""
        for name, value in sorted(vars(kind).items()):
            if not name.startswith(("__", "_abc_")) and not name.endswith("_") and type(value) in DATA:
                self._use(part, f"attribute {name}", value, f"attribute {qualified(kind)}.{name}")

    # Modules and packages

    def _module(self, module: ModuleType, names: frozenset[str]) -> Part:
        """Count of a module of the project what the code names; all of it if that cannot be told."""
        part = Part("")  # only the way to what counts
        place = origin(file_of(module), module.__name__)
        if place is not None:
            self._take_foreign(part, module, module.__name__, place)
            return part
        namespace = vars(module)
        wanted = [name for name in sorted(names) if name in namespace and not name.startswith("__")]
        if not wanted or not names.isdisjoint(REFLECTION):
            return self._whole(module)
        label = module_name(module.__name__)
        part.own = _hash("module")
        for name in wanted:
            if namespace[name] is not module:
                part.uses.append((name, self._global(namespace, name, f"constant {label}.{name}", names - {name})))
        return part

    def _whole(self, module: ModuleType) -> Part:
        part = self._parts.get(module)
        if part is None:
            part = self._parts[module] = Part(f"module {module_name(module.__name__)}")
            file = self._files.get(file_of(module) or "", vars(module))
            part.own = _hash("module")
            if file is not None:
                part.takes(said_by(file.tree))
                self._take_names(part, names_in(file.code), vars(module), file.code)
        return part

    def _imported(
        self, level: int, name: str, wanted: tuple[str, ...], namespace: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """Give what an import inside a function brings, under its names."""
        package = namespace.get("__package__") or ""
        full = absolute("." * level + name, str(package))
        if full is None or full.partition(".")[0] in sys.stdlib_module_names:
            return
        top = full.partition(".")[0]
        place = self._place(top)
        if place is not None:
            if place not in (PYTHON, LAMINAR):
                yield top, self._package(place)
            return
        for one in wanted or (None,):
            yield one or name, self._fetched(full, one)
        if not wanted and "." in full:  # that binds the name of the first package
            yield top, self._fetched(top, None)

    def _fetched(self, name: str, attribute: str | None) -> Any:
        """Import what the function will import as soon as it runs; what cannot be, here, counts by its source."""
        try:
            module = importlib.import_module(name)
            if attribute is None:
                return module
            if not hasattr(module, attribute):
                return importlib.import_module(f"{name}.{attribute}")
            return getattr(module, attribute)
        except Exception:
            return self._unloaded(name)

    def _unloaded(self, name: str) -> Part:
        part = self._absent.get(name)
        if part is None:
            part = self._absent[name] = Part(f"module {name}")
            spec = _spec(name)
            file = self._files.get(spec.origin) if spec is not None and spec.origin else None
            part.own = _hash("absent", name)
            if file is not None and spec is not None:
                part.takes(said_by(file.tree))
                for imported in imports_in(file.code):
                    for role, value in self._imported(*imported, {"__package__": spec.parent}):
                        self._use(part, role, value, role)
        return part

    def _place(self, top: str) -> str | None:
        if top in sys.modules:
            return origin(file_of(sys.modules[top]), top)
        spec = _spec(top)
        return None if spec is None else origin(spec.origin, top)

    def _foreign(self, value: Any, module: str, file: str | None) -> Part:
        part = Part("")
        place = origin(file or file_of(sys.modules.get(module)), module)
        self._take_foreign(part, value, module, place or PYTHON)
        return part

    def _take_foreign(self, part: Part, value: Any, module: str, place: str) -> None:
        """Count by its name what is not the project's, and the package that it is from by its version."""
        name = module if isinstance(value, ModuleType) else f"{module}.{value.__qualname__}"
        part.name = f"name {name}"
        part.own = _hash(name)
        self._take_package(part, place)

    def _take_package(self, part: Part, place: str) -> None:
        if place not in (PYTHON, LAMINAR):
            part.uses.append(("package", self._package(place)))

    def _package(self, top: str) -> Part:
        part = self._packages.get(top)
        if part is None:
            part = self._packages[top] = Part(f"package {top}")
            part.own = _hash(top, version_of(top))
        return part

    # Values

    def _constant(self, value: Any, label: str) -> Part:
        """Count a value by its digest, and the functions and classes in it as what they are."""
        part = Part(label)

        kinds: set[type] = set()

        def use(inner: Any) -> bytes:
            if inner is value:  # it can only be told by what it wraps
                inner = inner.__wrapped__
            self._use(part, getattr(inner, "__qualname__", ""), inner, label)
            return part.uses[-1][0].encode()

        def named(kind: type) -> str:
            if kind not in kinds and kind.__module__ != "builtins":
                kinds.add(kind)
                use(kind)
            return kind.__qualname__

        if type(value).__module__ in TOOLS or value is os.environ:
            part.own = _hash(kind_of(value))
            return part
        try:
            part.own = self._digest(value, use, named)
            part.uses.sort(key=itemgetter(0))  # what is in a set comes in any order
        except Exception as error:
            part.own = _hash(kind_of(value))
            warnings.warn(
                f"{label} is a {kind_of(value)} and counts in the cache key by its type alone: it has no digest "
                f"({type(error).__name__}). If results depend on it, pass it as an input, or give its class a method "
                "__laminar_digest__ that returns bytes.",
                RuntimeWarning,
                stacklevel=2,
            )
        return part


def _assembled(root: Part) -> CodePrint:
    """Put a print together from all parts that can be reached; names of modules do not go into its digest."""
    order: dict[int, int] = {}
    parts: list[Part] = []
    words: list[Any] = [sys.version_info[:2]]
    waiting = [("", root)]
    while waiting:
        role, part = waiting.pop()
        number = order.setdefault(id(part), len(order))
        words.append((role, number))
        if number == len(parts):
            parts.append(part)
            words += (part.own, len(part.uses))
            waiting.extend(reversed(part.uses))
    if any(part.reads_docs for part in parts):
        words.append([part.docs for part in parts])
    named: dict[str, str] = {}
    for part in filter(lambda part: part.name, parts):
        name, count = part.name, 1
        while named.setdefault(name, part.own.hex()) != part.own.hex():
            count += 1
            name = f"{part.name} ({count})"
    return CodePrint(_hash_of(words).hex(), named)


def _spec(name: str) -> ModuleSpec | None:
    import importlib.util  # 2 ms, and only for what is imported inside a function

    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _hash_of(words: Any) -> bytes:
    return blake2b(dumps(words, 2), digest_size=16).digest()


def _hash(*words: str) -> bytes:
    return _hash_of(words)


def _agrees(file: File, method: FunctionType, name: str) -> bool:
    """Tell whether a method is what the file says; what was made elsewhere does not speak against it."""
    return method.__code__.co_filename != name or file.function(method.__code__) is not None
