"""Which Python files the user's code consists of.

These are the modules that are loaded and lie neither with Python nor with installed packages, in the folders of the
path and in those from which the code imports otherwise; and those that they import later: their imports are read from
the source, also inside functions, and are found as Python would find them, without importing anything.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import site
import sys
import sysconfig
from codecs import BOM_UTF8
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
    PathFinder,
    SourceFileLoader,
)

from laminar.errors import BundleError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from laminar.model.code import Code

INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
LOADERS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
)
SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES)
WORDS = re.compile(rb"\bimport(?:_module)?\b|\b__import__\b")
STATEMENTS = (b"import ", b"from ")
#: Where a statement may begin, or a call that imports; elsewhere the word is prose.
MEANT = re.compile(rb"(?:^|[:;])[ \t]*(?:import|from)\b|import_module|__import__")
MAINS = ("__main__", "__mp_main__")


class Module(Value, frozen=True):
    """A Python file of the user.

    Attributes:
        name: Its name.
        root: The folder from which it is found by that name.
        path: Its path below that folder.
    """

    name: str
    root: str
    path: str

    @property
    def file(self) -> str:
        """Its path on this machine."""
        return os.path.join(self.root, self.path)


class Search:
    """The modules of one code."""

    def __init__(self, code: Code) -> None:
        """Find them.

        Args:
            code: Where the user's code is.

        Raises:
            BundleError: A module that is needed has no file.
        """
        entries = [os.path.realpath(os.path.join(code.cwd, entry)) for entry in code.path]
        own = [entry for entry in dict.fromkeys(entries) if not is_installed(entry + os.sep)]
        self.folders = [entry for entry in own if os.path.isdir(entry)]
        self._archives = [entry for entry in own if os.path.isfile(entry)]
        self._found: dict[tuple[str, str], Module] = {}
        self._known: dict[str, Sequence[str] | None] = {}
        self._waiting: list[tuple[Module, bool]] = []
        self._finders: dict[str, FileFinder] = {}
        self._real: dict[str, str] = {}
        self.start: Module | None = None
        self._loaded = self._roots_of_loaded()
        for folder in self.folders:
            self._take_loaded(folder)
        self._take_named(code)
        while self._waiting:
            self._follow(*self._waiting.pop())

    @property
    def modules(self) -> list[Module]:
        """What was found, by name."""
        return sorted(self._found.values(), key=lambda module: (module.name, module.path))

    def _roots_of_loaded(self) -> dict[str, list[Module]]:
        found: dict[str, list[Module]] = {}
        for name, module in list(sys.modules.items()):
            file = vars(module).get("__file__") if isinstance(module, type(sys)) else None
            if type(file) is not str or name in MAINS or is_installed(file) or not file.endswith(SUFFIXES):
                continue
            root = root_of(name, os.path.abspath(file))
            if root is not None and os.path.isfile(file):
                one = self._module(name, root, os.path.abspath(file))
                found.setdefault(one.root, []).append(one)
        return found

    def _take_loaded(self, root: str) -> None:
        for module in self._loaded.pop(root, ()):
            self._put(module, loaded=True)

    def _take_named(self, code: Code) -> None:
        if code.script is not None:
            script = os.path.realpath(code.script)
            self.start = self._put(self._module("__main__", os.path.dirname(script), script))
            self._waiting.append((self.start, False))  # it may go on behind the call of the flow
        for name in filter(None, (code.module, *code.imports)):
            file = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(file, str) and is_installed(file):
                continue  # the image has it, as all that is installed
            module = self._require(name)
            self.start = self.start or module
            self._waiting.append((module, False))

    def _require(self, name: str) -> Module:
        self._locations(name)
        for module in self._found.values():
            if module.name == name:
                return module
        package = f"{name}.__main__"
        if not name.endswith("__main__") and self._locations(package) is not None:
            return self._require(package)
        origin = getattr(sys.modules.get(name), "__file__", None) or "made at run time"
        raise BundleError(
            f"Module {name}, in which the code is, has no Python file that could travel ({origin}). "
            "Put the code into a .py file below the current folder or a folder of PYTHONPATH."
        )

    def _module(self, name: str, root: str, file: str) -> Module:
        if root not in self._real:
            self._real[root] = os.path.realpath(root)
        path = file[len(root) :].strip(os.sep).replace(os.sep, "/")
        return Module(name, self._real[root], path)

    def _put(self, module: Module, loaded: bool = False) -> Module:
        known = self._found.setdefault((module.root, module.path), module)
        if known is module:
            self._waiting.append((module, loaded))
            self._take_loaded(module.root)
        return known

    def _follow(self, module: Module, loaded: bool) -> None:
        if not module.path.endswith(".py") and module.name != "__main__":
            return
        with open(module.file, "rb") as file:
            source = file.read()
        for name in imports_of(source, package_of(module), loaded):
            self._locations(name)

    def _locations(self, name: str) -> Sequence[str] | None:
        """Take a module in, with the packages above it, if it is the user's.

        Returns:
            Where its submodules are looked for; None if it is not the user's.
        """
        if name not in self._known:
            self._known[name] = None  # whoever asks while it is being found
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Sequence[str] | None:
        package, _, own = name.rpartition(".")
        folders = self._locations(package) if package else self.folders
        loaded = sys.modules.get(name) if name not in MAINS else None
        if isinstance(loaded, type(sys)):
            return self._take(name, vars(loaded).get("__file__"), vars(loaded).get("__path__"))
        found = self._find_in(own, folders or ()) or (None if package else self._find_otherwise(name))
        return None if found is None else self._take(name, *found)

    def _find_in(self, name: str, folders: Sequence[str]) -> tuple[str | None, list[str]] | None:
        """Find a module in folders, as Python does: the first that holds it, or else all that hold a part of it."""
        portions: list[str] = []
        for folder in folders:
            if folder not in self._finders:
                self._finders[folder] = FileFinder(folder, *LOADERS)
            spec = self._finders[folder].find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec.origin, spec.submodule_search_locations or []
            if spec is not None:
                portions += spec.submodule_search_locations or ()
        return (None, portions) if portions else None

    def _find_otherwise(self, name: str) -> tuple[str | None, Iterable[str] | None] | None:
        """Ask what finds modules apart from folders: editable installs that know names, and archives."""
        if name in sys.stdlib_module_names:
            return None
        standard: tuple[Any, ...] = (BuiltinImporter, FrozenImporter, PathFinder)
        specs = (finder.find_spec(name, None) for finder in sys.meta_path if finder not in standard)
        spec = next(filter(None, specs), None)
        if spec is None and self._archives:
            spec = PathFinder.find_spec(name, self._archives)
        return None if spec is None else (spec.origin, spec.submodule_search_locations)

    def _take(self, name: str, origin: str | None, path: Iterable[str] | None) -> Sequence[str] | None:
        folders = [folder for folder in path or () if not is_installed(folder + os.sep)]
        if not isinstance(origin, str) or is_installed(origin) or not origin.endswith(SUFFIXES):
            return folders or None
        if not os.path.isfile(origin):
            raise BundleError(
                f"Module {name} is imported by the code, but lies in {origin}, which is no file that could travel. "
                "Unpack it into a folder of PYTHONPATH, or install it as a package in the image."
            )
        root = root_of(name, os.path.abspath(origin))
        if root is None:
            raise BundleError(
                f"Module {name} is imported by the code, but its file {origin} does not bear its name, so it would not "
                "be found elsewhere. Rename the file or its folder, or install the package in the image."
            )
        self._put(self._module(name, root, os.path.abspath(origin)), loaded=name in sys.modules)
        return folders


@functools.cache
def _prefixes() -> tuple[str, ...]:
    named = sysconfig.get_paths()
    places = [named[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    places += [*site.getsitepackages(), site.getusersitepackages()]
    places.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # laminar itself
    return tuple(dict.fromkeys(form + os.sep for place in places for form in (place, os.path.realpath(place))))


def is_installed(path: str) -> bool:
    """Tell whether a file lies with Python, with installed packages, or with laminar; a folder ends with a separator.

    The place of an archive that Python itself keeps on its path counts too.
    """
    return path.startswith(_prefixes()) or any(part in path for part in INSTALLED) or path.rstrip(os.sep) in _zips()


@functools.cache
def _zips() -> frozenset[str]:
    name = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    return frozenset(os.path.join(prefix, "lib", name) for prefix in (sys.prefix, sys.base_prefix))


def root_of(name: str, file: str) -> str | None:
    """Give the folder from which a file is found by a module's name; None if the file does not bear that name."""
    folder, base = os.path.split(file)
    stem = next(base.removesuffix(suffix) for suffix in (*SUFFIXES, "") if base.endswith(suffix))
    parts = name.split(".")
    if stem != "__init__" and stem != parts.pop():
        return None
    for part in reversed(parts):
        folder, own = os.path.split(folder)
        if own != part:
            return None
    return folder


def package_of(module: Module) -> str:
    """Give the package to which relative imports of a module refer; empty if it is in none."""
    if module.path.endswith("__init__.py"):
        return module.name
    return module.name.rpartition(".")[0]


def imports_of(source: bytes, package: str, executed: bool = False) -> Iterator[str]:
    """Read from the source which modules are imported, anywhere in it; nothing if it is no Python.

    Args:
        source: The file.
        package: To what relative imports refer.
        executed: Whether it was executed, so that what stands at the left margin is imported already.
    """
    try:
        for statement in _passages(source.removeprefix(BOM_UTF8), executed):
            for node in ast.walk(ast.parse(statement)):
                yield from _imported(node, package)
    except (SyntaxError, ValueError):
        return


def _passages(source: bytes, executed: bool) -> list[bytes]:
    """Cut the statements that import out of the source, or give all of it where that is not easy.

    To parse 200 modules of 70 lines takes 150 ms, to look for the word and parse the statement 10 ms.
    """
    found: list[bytes] = []
    for word in WORDS.finditer(source):
        start = source.rfind(b"\n", 0, word.start()) + 1
        line = source[start : source.find(b"\n", start) % (len(source) + 1)]
        statement = line.strip()
        if not MEANT.search(statement) or (executed and line.startswith(STATEMENTS) and b";" not in line):
            continue
        if b"(" in statement and b")" not in statement:
            statement = source[start : source.find(b")", start) + 1].strip()
        goes_on = source[max(0, start - 2) : start] == b"\\\n"
        if goes_on or not statement.startswith(STATEMENTS) or not _is_statement(statement):
            return [source]
        found.append(statement)
    return found


def _is_statement(text: bytes) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = absolute("." * node.level + (node.module or ""), package)
        if base is not None:
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.Call):
        yield from _called(node, package)


def _called(call: ast.Call, package: str) -> Iterator[str]:
    function = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    if function not in ("import_module", "__import__") or not call.args:
        return
    named = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if named and isinstance(named[0], str):
        own = named[1] if len(named) > 1 and isinstance(named[1], str) else package
        name = absolute(named[0], own)
        if name is not None:
            yield name


def absolute(name: str, package: str) -> str | None:
    """Give the full name of a module that may be named by dots; None if there is none."""
    own = name.lstrip(".")
    level = len(name) - len(own)
    if level == 0:
        return own or None
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [own])])
