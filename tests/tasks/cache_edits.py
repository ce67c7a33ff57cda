"""Edits of a project, and whether a cached result survives them.

Each is data: the files of a project before and after, what its task ``main`` is given, and whether the second call
finds the first one's result. ``task`` is the decorator that makes a cached task; whoever runs the table writes it, in
``door.py`` of the project. Inputs are Python expressions, read where the project is. The second call is always made in
another process, with another seed of hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HIT = True
MISS = False


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        name: What is edited.
        expected: Whether the second call is a hit.
        before: Files of the project: text by path; ``pipeline.py`` defines the task ``main``.
        after: Files that differ after the edit.
        given: The inputs, as expressions.
        then: The inputs that differ after the edit.
        folder: Folder of the project after the edit, if it has moved.
        touched: Files whose time of modification is another, though nothing else is.
    """

    name: str
    expected: bool
    before: dict[str, str]
    after: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=lambda: {"x": "1"})
    then: dict[str, str] = field(default_factory=dict)
    folder: str | None = None
    touched: tuple[str, ...] = ()


def pipeline(body: str, *, above: str = "", head: str = "def main(x):", decorator: str = "@task") -> dict[str, str]:
    """Give a project of one file with a task."""
    lines = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    return {"pipeline.py": f"from door import task\n{above}\n\n{decorator}\n{head}\n{lines}\n"}


def above(text: str, other: str, expected: bool, name: str, body: str, **files: str) -> Edit:
    """Make an edit of what stands above the task."""
    extra = {f"{module}.py": source for module, source in files.items()}
    return Edit(name, expected, pipeline(body, above=text) | extra, pipeline(body, above=other))


def of_input(name: str, expected: bool, given: str, then: str, imports: str = "", **files: str) -> Edit:
    """Make an edit of an input."""
    extra = {path.replace("_txt", ".txt"): text for path, text in files.items()}
    return Edit(name, expected, pipeline("return repr(x)", above=imports) | extra, given={"x": given}, then={"x": then})


HELPER = "def helper(x):\n    return x + {}\n"
CHAIN = "def deep(x):\n    return x + {}\n\ndef helper(x):\n    return deep(x)\n"
FACTORY = "def factory(n):\n    def inner(x):\n        return x + n\n    return inner\n\nadd = factory({})\n"
TWICE = "def double(x):\n    return x * {}\n\ndef factory(f):\n    return lambda x: f(x)\n\nadd = factory(double)\n"
WRAPPER = (
    "import functools\n\ndef times(n):\n    def outer(f):\n        @functools.wraps(f)\n        def inner(x):\n"
    "            return f(x) * n {}\n        return inner\n    return outer\n\n"
    "@times({})\ndef helper(x):\n    return x\n"
)
METHOD = "class Model:\n    def fit(self, x):\n        return x + {}\n"
BASE = "class Base:\n    def fit(self, x):\n        return x + {}\n\nclass Model(Base):\n    pass\n"
ATTRIBUTE = "class Model:\n    rate = {}\n\n    def fit(self, x):\n        return x * self.rate\n"
SET_LATER = "class Model:\n    rate = 1\n\nModel.rate = {}\n"
REGISTRY = (
    "class Steps:\n    known = {{}}\n\ndef step(f):\n    Steps.known[f.__name__] = f\n\n"
    "@step\ndef first(x):\n    return x + {}\n"
)
RECORD = "from dataclasses import dataclass\n\n@dataclass\nclass Row:\n    n: int = {}\n"
COLORS = "import enum\n\nclass Color(enum.Enum):\n    RED = {}\n"
INSTANCE = "class Config:\n    def __init__(self, n):\n        self.n = n\n\nCONFIG = Config({})\n"
OTHERS = "def helper(x):\n    return x + 1\n\ndef {}(x):\n    return x + {}\n"
PARTIAL = "from functools import partial\n\ndef scale(n, x):\n    return n * x\n\nscaled = partial(scale, {})\n"
CACHED = "import functools\n\n@functools.lru_cache\ndef helper(x):\n    return x + {}\n"
TASKS = "from door import task\n\n@task\ndef child(x):\n    return x + {}\n"
FRAME = "import pandas as pd"
ARRAY = "import numpy as np"
POLICY = "@task(cache=laminar.Cache({}))"
STAMP = "from datetime import datetime, timedelta, timezone\nfrom zoneinfo import ZoneInfo"


def two(template: str, name: str, body: str, *, first: str = "1", second: str = "2", expected: bool = MISS) -> Edit:
    """Make an edit that puts one thing in the place of another above the task."""
    return above(template.format(first), template.format(second), expected, name, body)


def module(name: str, body: str, before: str, after: str, expected: bool = MISS, imports: str = "") -> Edit:
    """Make an edit of another module of the project."""
    return Edit(name, expected, {**pipeline(body, above=imports), "helpers.py": before}, {"helpers.py": after})


CODE = [
    Edit("body", MISS, pipeline("return x + 1"), pipeline("return x + 2")),
    Edit("type of a constant in the body", MISS, pipeline("return x + 1"), pipeline("return x + 1.0")),
    two(HELPER, "helper", "return helper(x)"),
    two(CHAIN, "helper of a helper", "return helper(x)"),
    two("LIMIT = {}", "global constant", "return x + LIMIT"),
    two("LIMITS = {{'a': [1, {}]}}", "inside of a global collection", "return x + LIMITS['a'][1]"),
    Edit(
        "default",
        MISS,
        pipeline("return x + y", head="def main(x, y=1):"),
        pipeline("return x + y", head="def main(x, y=2):"),
    ),
    two("def helper(x, y={}):\n    return x + y\n", "default of a helper", "return helper(x)"),
    two("def helper(x, *, y={}):\n    return x + y\n", "default of a keyword of a helper", "return helper(x)"),
    two(FACTORY, "value in a closure", "return add(x)"),
    two(TWICE, "function in a closure", "return add(x)"),
    above(WRAPPER.format("", 2), WRAPPER.format("+ 1", 2), MISS, "decorator of a helper", "return helper(x)"),
    above(WRAPPER.format("", 2), WRAPPER.format("", 3), MISS, "argument of a decorator", "return helper(x)"),
    two(METHOD, "method of a class", "return Model().fit(x)"),
    two(BASE, "method of a base class", "return Model().fit(x)"),
    two(ATTRIBUTE, "class attribute", "return Model().fit(x)"),
    two(SET_LATER, "class attribute that is set from outside", "return Model.rate * x"),
    two(REGISTRY, "function that has registered itself in a class", "return Steps.known['first'](x)"),
    two(RECORD, "field of a dataclass", "return Row().n + x"),
    two(COLORS, "member of an enum", "return Color.RED.value + x"),
    two(INSTANCE, "attribute of a global object", "return CONFIG.n + x"),
    two(PARTIAL, "argument of a partial", "return scaled(x)"),
    two(CACHED, "helper behind lru_cache", "return helper(x)"),
    module("attribute of an imported module", "return helpers.N + x", "N = 1\n", "N = 2\n", imports="import helpers"),
    module(
        "function of an imported module",
        "return load(x)",
        HELPER.format(1).replace("helper", "load"),
        HELPER.format(2).replace("helper", "load"),
        imports="from helpers import load",
    ),
    module(
        "function that is imported late",
        "from helpers import helper\nreturn helper(x)",
        HELPER.format(1),
        HELPER.format(2),
    ),
    module(
        "module that is imported late", "import helpers as h\nreturn h.helper(x)", HELPER.format(1), HELPER.format(2)
    ),
    module(
        "module that cannot be imported here",
        "try:\n    from helpers import helper\nexcept ImportError:\n    return x\nreturn helper(x)",
        "import not_installed_here\n" + HELPER.format(1),
        "import not_installed_here\n" + HELPER.format(2),
    ),
    two(HELPER, "helper that is found by globals()", "return globals()['helper'](x)"),
    module("attribute by getattr", "return getattr(helpers, 'N') + x", "N = 1\n", "N = 2\n", imports="import helpers"),
    two("pick = lambda x: x + {}", "lambda", "return pick(x)"),
    Edit(
        "constant of a comprehension",
        MISS,
        pipeline("return [i + 1 for i in (x,)]"),
        pipeline("return [i + 2 for i in (x,)]"),
    ),
    above(
        "from math import floor as f",
        "from math import ceil as f",
        MISS,
        "another function under a name",
        "return f(x)",
    ),
    Edit(
        "annotation",
        MISS,
        pipeline("return x", head="def main(x: int) -> int:"),
        pipeline("return x", head="def main(x: float) -> float:"),
        given={"x": "1"},
    ),
    Edit(
        "name of a parameter",
        MISS,
        pipeline("return x"),
        pipeline("return y", head="def main(y):"),
        then={"x": "", "y": "1"},
    ),
    Edit(
        "what the docstring says, where it is read",
        MISS,
        pipeline("return helper.__doc__", above='def helper():\n    """One."""'),
        pipeline("return helper.__doc__", above='def helper():\n    """Two."""'),
    ),
    Edit("comment", HIT, pipeline("return x + 1"), pipeline("# Adds.\nreturn x + 1  # one")),
    Edit("docstring", HIT, pipeline('"""One."""\nreturn x'), pipeline('"""Two.\n\nAnd more.\n"""\nreturn x')),
    Edit(
        "formatting",
        HIT,
        pipeline("if x and True: pass\nreturn [x, 'a' 'b', 1]"),
        pipeline('if (\n    x\n    and True\n):\n    pass\nreturn [\n    x,\n    "ab",\n    1,\n]'),
    ),
    Edit("blank lines", HIT, pipeline("y = 1\nreturn x + y"), pipeline("\n\ny = 1\n\n\nreturn x + y", above="\n\n\n")),
    above(
        "import json\nimport math",
        "import math\nimport json",
        HIT,
        "order of imports",
        "return json.dumps(math.floor(x))",
    ),
    above(OTHERS.format("other", 1), OTHERS.format("other", 2), HIT, "function that is not used", "return helper(x)"),
    above("import math", "import math\nimport json", HIT, "import that is not used", "return math.floor(x)"),
    above(
        OTHERS.format("other", 1),
        OTHERS.format("another", 1),
        HIT,
        "name of a function that is not used",
        "return helper(x)",
    ),
    two("import laminar\n\n@laminar.trace\n" + HELPER, "helper that is traced", "return helper(x)"),
    Edit(
        "seed of hashes, with the environment at hand",
        HIT,
        pipeline("return environ.get('HOME')", above="from os import environ"),
    ),
    two(TASKS, "body of another task that is called", "return child(x)", expected=MISS),
    Edit("moved to another folder", HIT, pipeline("return CONFIG.n + x", above=INSTANCE.format(1)), folder="elsewhere"),
    Edit(
        "seed of hashes",
        HIT,
        pipeline("return x in {'a', 'b'} or S", above="S = {'c', 'd'}"),
    ),
    Edit(
        "version of an installed package",
        MISS,
        {
            **pipeline("return vendored.f(x)", above="import vendored"),
            "site-packages/vendored.py": "def f(x):\n    return x\n",
            "site-packages/vendored-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendored\nVersion: 1.0\n",
        },
        {"site-packages/vendored-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendored\nVersion: 1.1\n"},
    ),
]
INPUTS = [
    Edit(
        "method of the class of an input",
        MISS,
        pipeline("return x.fit(1)", above=METHOD.format(1)),
        pipeline("return x.fit(1)", above=METHOD.format(2)),
        given={"x": "Model()"},
    ),
    of_input("dtype", MISS, "np.array([1, 2], dtype='i4')", "np.array([1, 2], dtype='i8')", ARRAY),
    of_input(
        "layout of an array in memory",
        HIT,
        "np.arange(6).reshape(2, 3)",
        "np.arange(6).reshape(2, 3).copy(order='F')",
        ARRAY,
    ),
    of_input("index of a frame", MISS, "pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [1]}, index=[5])", FRAME),
    of_input(
        "the same frame",
        HIT,
        "pd.DataFrame({'a': [1], 'b': ['x']})",
        "pd.DataFrame({'b': ['x'], 'a': [1]})[['a', 'b']]",
        FRAME,
    ),
    of_input("order of a dictionary", MISS, "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    of_input("negative zero", MISS, "0.0", "-0.0"),
    of_input("not a number", HIT, "float('nan')", "float('nan')"),
    of_input(
        "zone of a time",
        MISS,
        "datetime(2026, 1, 1, tzinfo=timezone.utc)",
        "datetime(2026, 1, 1, tzinfo=ZoneInfo('Europe/London'))",
        STAMP,
    ),
    of_input("order of a set", HIT, "{'a', 'b', 'c'}", "{'c', 'b', 'a'}"),
    of_input("int in place of a float", MISS, "1.0", "1"),
    of_input("bool in place of an int", MISS, "1", "True"),
    of_input("tuple in place of a list", MISS, "[1, 2]", "(1, 2)"),
    of_input("str in place of bytes", MISS, "b'a'", "'a'"),
]
POLICIES = [
    Edit(
        "body under a version that stays",
        HIT,
        pipeline("return x", above="import laminar", decorator=POLICY.format("'override', version_override='1'")),
        pipeline("return x + 1", above="import laminar", decorator=POLICY.format("'override', version_override='1'")),
    ),
    Edit(
        "version",
        MISS,
        pipeline("return x", above="import laminar", decorator=POLICY.format("'override', version_override='1'")),
        pipeline("return x", above="import laminar", decorator=POLICY.format("'override', version_override='2'")),
    ),
    Edit(
        "salt",
        MISS,
        pipeline("return x", above="import laminar", decorator=POLICY.format("salt='a'")),
        pipeline("return x", above="import laminar", decorator=POLICY.format("salt='b'")),
    ),
    Edit(
        "input that is ignored",
        HIT,
        pipeline(
            "return x", head="def main(x, y):", above="import laminar", decorator=POLICY.format("ignored_inputs=('y',)")
        ),
        given={"x": "1", "y": "1"},
        then={"y": "2"},
    ),
    Edit(
        "retries",
        HIT,
        pipeline("return x", decorator="@task(retries=1)"),
        pipeline("return x", decorator="@task(retries=2)"),
    ),
]
FILES = [
    Edit(
        "content of a file",
        MISS,
        {
            **pipeline(
                "with x.open_sync() as file:\n    return file.read()",
                above="from laminar.tasks.files import File",
                head="def main(x: File):",
            ),
            "a.txt": "one",
        },
        {"a.txt": "two"},
        given={"x": "File.from_local_sync('a.txt')"},
    ),
    Edit(
        "time of a file",
        HIT,
        {
            **pipeline(
                "with x.open_sync() as file:\n    return file.read()",
                above="from laminar.tasks.files import File",
                head="def main(x: File):",
            ),
            "a.txt": "one",
        },
        given={"x": "File.from_local_sync('a.txt')"},
        touched=("a.txt",),
    ),
]
