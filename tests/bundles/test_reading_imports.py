"""Imports are read from the source without executing it, and none is missed."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest

from laminar.packaging.modules import imports_of

STANDARD = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("[a-d]*.py"))

SOURCES = {
    "import a, b.c as d": {"a", "b.c"},
    "from a import b, c": {"a", "a.b", "a.c"},
    "from a import *": {"a"},
    "from . import b": {"pkg.sub", "pkg.sub.b"},
    "from .a import b": {"pkg.sub.a", "pkg.sub.a.b"},
    "from .. import b": {"pkg", "pkg.b"},
    "from ... import b": set(),
    "from a import (\n    b,  # one (or two)\n    c,\n)": {"a", "a.b", "a.c"},
    "from a \\\n    import b": {"a", "a.b"},
    "from a import b, \\\n    c": {"a", "a.b", "a.c"},
    "def f():\n    import a; import b": {"a", "b"},
    "if x: import a": {"a"},
    "try:\n\timport a\nexcept ImportError: import b": {"a", "b"},
    "lambda: __import__('a')": {"a"},
    "import_module('.a', 'p')": {"p.a"},
    "importlib.import_module('.a', package=__package__)": {"pkg.sub.a"},
    "importlib.import_module(name)": set(),
    "importlib.import_module(\n    'a.b'\n)": {"a.b"},
    "# import a\nimportant = 'an import'": set(),
    '"""The import\nof goods."""': set(),
    "import a\nsyntax error": {"a"},
    "async def f():\n    async with x:\n        from a import b": {"a", "a.b"},
    "\ufeffimport a": {"a"},
    "import a\r\nimport b\r\n": {"a", "b"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_imports_are_read(source):
    assert set(imports_of(source.encode(), "pkg.sub")) == SOURCES[source]


def test_what_an_executed_module_imports_at_its_margin_is_known_already():
    source = b"import a\nfrom b import c\nif x:\n    import d\ndef f():\n    from e import (\n        g,\n    )\n"
    assert set(imports_of(source, "pkg", executed=True)) == {"d", "e", "e.g"}


@pytest.mark.parametrize("file", STANDARD, ids=lambda file: file.name)
def test_nothing_is_missed_that_a_parser_finds(file):
    source = file.read_bytes()
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert plain | named <= set(imports_of(source, "pkg"))
