"""The code of a function as a fingerprint: what counts, and which part an edit has changed."""

from __future__ import annotations

import importlib.util
import linecache
import subprocess
import sys
import textwrap
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from laminar.tasks.fingerprints import code_of, digest

NUMBERS = count()


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load text as a module of its own; each time as another file, in a folder of its own."""

    def loaded(text, name="edited", **others):
        folder = tmp_path / str(next(NUMBERS))
        folder.mkdir()
        for other, source in others.items():
            (folder / f"{other}.py").write_text(textwrap.dedent(source))
            monkeypatch.delitem(sys.modules, other, raising=False)
        file = folder / f"{name}.py"
        file.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.syspath_prepend(folder)
        spec.loader.exec_module(module)
        code_of(module.main)  # as long as it is the module of that name
        return module

    return loaded


def changed(before, after):
    """Give the names of the parts that differ."""
    one, other = code_of(before.main).parts, code_of(after.main).parts
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


PROJECT = """
    import helpers

    LIMIT = {limit}

    def factory(n):
        return lambda x: x + n

    add = factory({added})

    class Model:
        rate = {rate}

        def fit(self, x):
            return x * self.rate

    def main(x, y={default}):
        return helpers.load(x) + add(y) + Model().fit(LIMIT)
"""
PLAIN = {"limit": 1, "added": 1, "rate": 1, "default": 1}
HELPERS = "def load(x):\n    return deep(x)\n\ndef deep(x):\n    return x + {}\n"


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        ({"limit": 2}, ["constant edited.LIMIT"]),
        ({"added": 2}, ["closure n of edited.factory.<locals>.<lambda>"]),
        ({"default": 2}, ["default y of edited.main"]),
        ({"rate": 2}, ["attribute edited.Model.rate", "class edited.Model"]),
    ],
)
def test_the_parts_say_what_has_changed(load, edit, parts):
    helpers = HELPERS.format(1)
    before = load(PROJECT.format(**PLAIN), helpers=helpers)
    after = load(PROJECT.format(**{**PLAIN, **edit}), helpers=helpers)
    assert changed(before, after) == parts
    assert code_of(before.main).digest != code_of(after.main).digest


def test_a_helper_of_a_helper_in_another_module_is_named(load):
    before, after = (load(PROJECT.format(**PLAIN), helpers=HELPERS.format(n)) for n in (1, 2))
    assert changed(before, after) == ["function helpers.deep"]


def test_the_same_text_in_another_file_has_the_same_print(load):
    before, after = (load(PROJECT.format(**PLAIN), helpers=HELPERS.format(1)) for _ in range(2))
    assert before is not after
    assert code_of(before.main) == code_of(after.main)


def test_a_file_of_another_name_has_the_same_digest(load):
    before, after = (load(PROJECT.format(**PLAIN), name, helpers=HELPERS.format(1)) for name in ("edited", "renamed"))
    assert code_of(before.main).digest == code_of(after.main).digest


def test_functions_that_call_one_another_come_to_an_end(load):
    text = "def main(n):\n    return other(n - 1) if n else 0\n\ndef other(n):\n    return main(n - {})\n"
    assert changed(load(text.format(1)), load(text.format(2))) == ["function edited.other"]


def test_a_file_that_was_edited_after_it_was_loaded_does_not_speak_for_what_runs(tmp_path):
    def loaded():
        spec = importlib.util.spec_from_file_location("late", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.main

    file = tmp_path / "late.py"
    file.write_text("def main(x):\n    return x + 1\n")
    running = loaded()
    file.write_text("def main(x):\n    return x * 100\n")
    assert running(1) == 2
    mended = loaded()
    assert mended(1) == 100
    assert code_of(running).digest != code_of(mended).digest


def test_a_function_without_source_counts_by_its_bytecode():
    def made(text):
        scope = {"__name__": "nowhere"}
        exec(text, scope)
        return code_of(scope["f"]).digest

    assert made("def f(x):\n  'One.'\n  return x + 1") == made("\n\ndef f(x):\n  'Two.'\n  # more\n  return x + 1")
    assert made("def f(x): return x + 1") != made("def f(x): return x + 2")
    assert made("def f(x): return [i + 1 for i in x]") != made("def f(x): return [i + 2 for i in x]")


def test_a_cell_of_a_notebook_counts_by_its_source():
    def made(name, text):
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        scope = {"__name__": "notebook"}
        exec(compile(text, name, "exec"), scope)
        return code_of(scope["f"]).digest

    first = made("<cell 1>", "def f(x):\n    if x: pass\n    return (x,\n 1)\n")
    assert first == made("<cell 2>", "def f(x):\n    if x:\n        pass  # nothing\n    return (x, 1)\n")
    assert first != made("<cell 3>", "def f(x):\n    return (x, 1)\n")


def test_two_lambdas_that_change_places_are_a_change(load):
    text = "TABLE = {{'a': {}, 'b': {}}}\n\ndef main(x):\n    return TABLE['a'](x)\n"
    one, other = "(lambda x: 1)", "(lambda x: 2)"
    before, after = load(text.format(one, other)), load(text.format(other, one))
    assert code_of(before.main).digest != code_of(after.main).digest


@pytest.mark.parametrize(
    "wrapper",
    [
        "@contextlib.contextmanager",
        "@functools.lru_cache",
        "@functools.singledispatch",
        "@functools.cache",
        "@staticmethod",
    ],
)
def test_what_the_library_of_python_wraps_is_followed(load, wrapper):
    text = f"import contextlib, functools\n\n{wrapper}\ndef helper(x):\n    yield x + {{}}\n"
    text += "\ndef main(x):\n    return helper(x)\n"
    assert "function edited.helper" in " ".join(changed(load(text.format(1)), load(text.format(2))))


def test_the_class_of_an_object_in_a_global_collection_counts(load):
    text = "class Step:\n    def run(self):\n        return {}\n\nSTEPS = [Step()]\n"
    text += "\ndef main():\n    return STEPS[0].run()\n"
    assert changed(load(text.format(1)), load(text.format(2))) == ["class edited.Step"]


def test_a_class_that_was_made_by_a_call_counts_by_its_members(load):
    text = "from collections import namedtuple\n\nRow = namedtuple('Row', {!r})\n\ndef main(x):\n    return Row(x)\n"
    assert changed(load(text.format("a")), load(text.format("b")))
    text = "import enum\n\nColor = enum.Enum('Color', {!r})\n\ndef main():\n    return Color.RED\n"
    assert changed(load(text.format("RED BLUE")), load(text.format("BLUE RED")))


def test_a_property_and_a_method_of_a_parent_in_another_module_count(load):
    text = "import helpers\n\nclass Own(helpers.Base):\n    pass\n\ndef main():\n    return Own().size\n"
    base = "class Base:\n    @property\n    def size(self):\n        return SIZE\n\nSIZE = {}\n"
    before, after = (load(text, helpers=base.format(n)) for n in (1, 2))
    assert changed(before, after) == ["constant helpers.SIZE"]


def test_a_constant_without_a_digest_counts_by_its_type_and_says_so_once(load):
    text = "ROWS = (n for n in range(3))\n\ndef main():\n    return next(ROWS)\n"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        code_of(load(text).main)
    assert ["edited.ROWS is a builtins.generator" in str(one.message) for one in told] == [True]


def test_locks_and_loggers_are_tools_and_count_by_their_type(load):
    text = "import logging, threading\n\nLOCK = threading.Lock()\nLOG = logging.getLogger({!r})\n\n"
    text += "def main():\n    with LOCK:\n        LOG.info('x')\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before, after = load(text.format("a")), load(text.format("b"))
    assert changed(before, after) == []


def test_a_constant_counts_by_its_value_at_the_first_use_in_a_process(load):
    module = load("SEEN = []\n\ndef main():\n    SEEN.append(1)\n")
    before = code_of(module.main)
    module.main()
    assert code_of(module.main) == before


def test_a_script_and_the_module_of_its_file_have_the_same_print(tmp_path):
    lines = [
        "class Config:",
        "    n = 1",
        "",
        "CONFIG = [Config()]",
        "",
        "def main(x):",
        "    return CONFIG[0].n + x",
        "",
        "if __name__ == '__main__':",
        "    import script",
        "    from laminar.tasks.fingerprints import code_of, digest",
        "    print(code_of(main) == code_of(script.main), digest(CONFIG) == digest(script.CONFIG))",
    ]
    (tmp_path / "script.py").write_text("\n".join(lines))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_threads_that_ask_at_once_are_given_the_same(load):
    text = "def main(x):\n    return " + " + ".join(f"f{n}(x)" for n in range(30)) + "\n"
    text += "".join(f"\ndef f{n}(x):\n    return x + {n}\n" for n in range(30))
    modules = [load(text) for _ in range(4)]
    ready = threading.Barrier(4)

    def asked(module):
        ready.wait()
        return code_of(module.main)

    with ThreadPoolExecutor(4) as pool:
        prints = list(pool.map(asked, modules))
    assert prints.count(prints[0]) == 4


def test_a_class_and_a_module_have_prints_too(load):
    text = "def main():\n    pass\n\nclass Row:\n    n = {}\n"
    before, after = load(text.format(1)), load(text.format(2))
    assert digest(before.Row) != digest(after.Row)
    assert digest(before) != digest(after)
