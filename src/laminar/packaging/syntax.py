"""What a definition says, apart from how it is written down: its syntax tree, without comments, layout and place.

Bytecode would not do: where a line ends decides about jumps and no-operations in it. A file is parsed once, and
compiled once too: what is loaded may be older than the file, and only where both are one the file speaks for it.
"""

from __future__ import annotations

import linecache
import sys
from _ast import (
    AST,
    AsyncFunctionDef,
    Attribute,
    ClassDef,
    Constant,
    Expr,
    FunctionDef,
    Lambda,
    Module,
    Name,
    PyCF_ONLY_AST,
)
from hashlib import blake2b
from marshal import dumps
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

NAMED = (FunctionDef, AsyncFunctionDef, ClassDef)
DOCUMENTED = (*NAMED, Module)
#: Fields of the tree that say nothing of what is done.
SILENT = frozenset(("ctx", "kind", "type_comment", "type_ignores"))
VERSION = 2
LAMBDA = "<lambda>"
#: Fields of statements that hold other statements.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
#: Flag of codes since Python 3.13; before, the docstring is the first constant of a function, or None.
HAS_DOCSTRING = 0x4000000


class Said:
    """What one definition says.

    Attributes:
        digest: Of the statements, without docstrings.
        docs: Of the docstrings.
    """

    __slots__ = ("digest", "docs")

    def __init__(self, digest: bytes, docs: bytes) -> None:
        """Take both."""
        self.digest = digest
        self.docs = docs


class File:
    """The definitions in one file."""

    def __init__(self, source: str, name: str) -> None:
        """Parse it.

        Args:
            source: Its text.
            name: Its path, or what stands for it.

        Raises:
            SyntaxError: It is no Python.
        """
        self.tree: Any = compile(source, name, "exec", PyCF_ONLY_AST, dont_inherit=True)
        self.code = compile(source, name, "exec", dont_inherit=True)
        self._functions: dict[tuple[str, int], list[Any]] = {}
        self._classes: dict[str, list[Any]] = {}
        self._codes: dict[tuple[str, int], list[CodeType]] = {}
        for code in codes_in(self.code):
            self._codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        self._has_lambdas = False
        self._collect(self.tree, "")

    def _collect(self, node: Any, scope: str) -> None:
        for field in BLOCKS:
            for child in getattr(node, field, ()):
                if isinstance(child, ClassDef):
                    self._classes.setdefault(scope + child.name, []).append(child)
                    self._collect(child, f"{scope}{child.name}.")
                elif isinstance(child, (FunctionDef, AsyncFunctionDef)):
                    self._functions.setdefault((child.name, first_line(child)), []).append(child)
                    self._collect(child, f"{scope}{child.name}.<locals>.")
                else:
                    self._collect(child, scope)

    def _collect_lambdas(self) -> None:
        """Look into the expressions too: that takes ten times as long."""
        self._has_lambdas = True
        for node in _walk([self.tree]):
            if isinstance(node, Lambda):
                self._functions.setdefault((LAMBDA, node.lineno), []).append(node)

    def function(self, code: CodeType) -> Any:
        """Give the node of a function that is loaded; None if the file does not say it, or says two on one line."""
        if code.co_name == LAMBDA and not self._has_lambdas:
            self._collect_lambdas()
        key = (code.co_name, code.co_firstlineno)
        nodes, codes = self._functions.get(key, ()), self._codes.get(key, ())
        return nodes[0] if len(nodes) == len(codes) == 1 and is_same(code, codes[0]) else None

    def definition(self, qualname: str) -> tuple[Any, CodeType] | None:
        """Give the node and the code of a class; None if the file does not define exactly one of that name."""
        nodes = self._classes.get(qualname, ())
        if len(nodes) != 1:
            return None
        codes = self._codes.get((nodes[0].name, first_line(nodes[0])), ())
        return (nodes[0], codes[0]) if len(codes) == 1 else None


class Files:
    """Files by name, each parsed once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, File | None] = {}

    def get(self, name: str, namespace: Mapping[str, Any] | None = None) -> File | None:
        """Give a file; None where there is no source.

        Args:
            name: Its path, or what stands for it in a notebook.
            namespace: Globals of the module, whose loader may have the source.
        """
        if name not in self._known:
            linecache.checkcache(name)
            self._known[name] = _parsed("".join(linecache.getlines(name, dict(namespace or {}))), name)
        return self._known[name]


def _parsed(source: str, name: str) -> File | None:
    try:
        return File(source, name) if source else None
    except (SyntaxError, ValueError):
        return None


def first_line(node: Any) -> int:
    """Give the line at which a definition begins, decorators included."""
    line: int = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    return line


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Give a code and all that are defined in it."""
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from codes_in(constant)


def is_same(one: CodeType, other: CodeType) -> bool:
    """Tell whether two codes do the same, wherever they come from."""
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_is_same_constant, one.co_consts, other.co_consts))
    )


def _is_same_constant(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    return is_same(one, other) if type(one) is CodeType else bool(one == other)


def names_in(code: CodeType) -> frozenset[str]:
    """Give all names in a code but those of its local variables: globals, attributes, modules."""
    return frozenset(name for part in codes_in(code) for name in part.co_names)


def names_below(nodes: list[Any]) -> frozenset[str]:
    """Give the names and attributes in some expressions."""
    found: set[str] = set()
    for node in _walk(nodes):
        if isinstance(node, Name):
            found.add(node.id)
        elif isinstance(node, Attribute):
            found.add(node.attr)
    return frozenset(found)


def said_by(node: Any) -> Said:
    """Digest what a definition says.

    Of the definition itself, name, decorators and defaults are left out: they show in what it has become.
    """
    words: list[Any] = []
    docs: list[str] = []
    if isinstance(node, ClassDef):
        _say(node, words, docs, frozenset(("name",)))
    elif isinstance(node, Module):
        _say(node, words, docs)
    else:
        _say(node, words, docs, frozenset(("name", "decorator_list", "args")))
        _say(node.args, words, docs, frozenset(("defaults", "kw_defaults")))
    return Said(blake2b(dumps(words, VERSION), digest_size=16).digest(), dumps(docs, VERSION))


def _say(node: Any, words: list[Any], docs: list[str], without: frozenset[str] = frozenset()) -> None:
    words.append(type(node).__name__)
    for field in node._fields:
        if field in without or field in SILENT:
            continue
        value = getattr(node, field, None)
        if isinstance(value, AST):
            _say(value, words, docs)
        elif type(value) is list:
            words.append(len(value))
            _say_all(
                _without_doc(node, docs) if field == "body" and isinstance(node, DOCUMENTED) else value, words, docs
            )
        else:
            words.append(value)


def _say_all(values: list[Any], words: list[Any], docs: list[str]) -> None:
    for value in values:
        if isinstance(value, AST):
            _say(value, words, docs)
        else:
            words.append(value)


def _without_doc(node: Any, docs: list[str]) -> list[Any]:
    body: list[Any] = node.body
    if body and isinstance(body[0], Expr) and isinstance(body[0].value, Constant):
        text = body[0].value.value
        if isinstance(text, str):
            docs.append(text)
            return body[1:]
    return body


def _walk(nodes: list[Any]) -> Iterator[Any]:
    """Give nodes and all below them."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, AST):
                waiting.append(value)
            elif type(value) is list:
                waiting.extend(item for item in value if isinstance(item, AST))


def _is_documented(code: CodeType) -> bool:
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & HAS_DOCSTRING)
    return not code.co_name.startswith("<") and bool(code.co_consts) and isinstance(code.co_consts[0], str)


def said_by_code(code: CodeType) -> Said:
    """Digest a function that has no source, by its bytecode."""
    doc = code.co_consts[0] if _is_documented(code) else None
    words: list[Any] = [
        code.co_code,
        code.co_names,
        code.co_varnames[: code.co_argcount + code.co_kwonlyargcount],
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        (code.co_freevars, code.co_cellvars, code.co_exceptiontable),
    ]
    docs: list[Any] = [doc]
    for constant in code.co_consts[doc is not None :]:
        if type(constant) is CodeType:
            inner = said_by_code(constant)
            words.append(inner.digest)
            docs.append(inner.docs)
        else:
            words.append(constant)
    return Said(blake2b(dumps(words, VERSION), digest_size=16).digest(), dumps(docs, VERSION))
