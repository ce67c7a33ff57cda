"""Interfaces: how a call's arguments are arranged and checked, and what is said where they do not fit."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.errors import LaminarError, TaskError, TaskInputError, TaskOutputError
from laminar.tasks.interface import Interface

if TYPE_CHECKING:
    from decimal import Decimal


@dataclasses.dataclass
class Row:
    name: str
    count: int


def load(rows: list[int], /, name: str, ratio: float = 0.5, *, dry: bool = False, note: str | None = None) -> int: ...


def bound(function: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return Interface.of(function).bind("etl.load", args, kwargs)


def refused(function: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(TaskInputError) as caught:
        bound(function, *args, **kwargs)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, LaminarError)
    return str(caught.value)


def test_arguments_are_arranged_by_name_in_the_order_of_the_parameters() -> None:
    values = bound(load, [1], note="n", name="x")
    assert values == {"rows": [1], "name": "x", "ratio": 0.5, "dry": False, "note": "n"}
    assert list(values) == ["rows", "name", "ratio", "dry", "note"]
    assert bound(load, [1], "x", 2)["ratio"] == 2.0
    assert type(bound(load, [1], "x", 2)["ratio"]) is float


def test_values_are_passed_on_as_the_objects_they_are() -> None:
    rows = [1, 2]
    assert bound(load, rows, "x")["rows"] is rows


def signature(a: Any, /, b: Any, c: Any = "c", *, d: Any, e: Any = "e") -> None: ...


@given(st.lists(st.integers(), max_size=5), st.dictionaries(st.sampled_from("abcdef"), st.integers(), max_size=5))
def test_calls_fit_exactly_where_python_says_so(args: list[int], kwargs: dict[str, int]) -> None:
    import inspect

    try:
        arranged = inspect.signature(signature).bind(*args, **kwargs)
    except TypeError:
        refused(signature, *args, **kwargs)
    else:
        arranged.apply_defaults()
        assert bound(signature, *args, **kwargs) == arranged.arguments


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        (
            ([1, 2, "x"], "n"),
            {},
            "Task etl.load: parameter rows expects list[int], got str at [2]: 'x'. There it needs int. Pass a value of",
        ),
        (([1], 5), {}, "parameter name expects str, got int: 5."),
        (([1], "n"), {"note": 5}, "parameter note expects str | None, got int: 5."),
        ((), {}, "Task etl.load needs a value for rows and name."),
        (([1],), {}, "needs a value for name. It takes (rows, name, ratio, dry, note). Pass name=…"),
        (([1], "n"), {"nmae": 1}, "has no parameter 'nmae'. Did you mean 'name'?"),
        (([1], "n"), {"name": "m"}, "got parameter name twice: by position and by name."),
        (([1], "n", 1.0, True), {}, "takes at most 3 arguments by position, got 4."),
        (("n",), {"rows": [1]}, "takes rows by position only"),
    ],
)
def test_a_call_that_does_not_fit_says_why(args: Any, kwargs: Any, said: str) -> None:
    assert said in refused(load, *args, **kwargs)


def test_a_value_is_shown_in_eighty_characters_whatever_its_repr_does() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise ValueError("no")

    class Long:
        def __repr__(self) -> str:
            return "line\n" * 1000

    for value in (Rude(), Long(), b"x" * 10_000, list(range(10**6)), {"a": "b" * 1000}):
        message = refused(load, [1], value)
        assert len(message) < 300
        assert "\n" not in message


def test_arrays_and_values_without_a_truth_pass_where_everything_does() -> None:
    import numpy as np

    array = np.zeros(3)
    assert bound(signature, array, array, d=array)["a"] is array


def test_a_value_nested_too_deeply_is_told() -> None:
    def walk(tree: Tree) -> None: ...

    tree = Tree([])
    for _ in range(100_000):
        tree = Tree([tree])
    assert "parameter tree holds itself, or is nested too deeply" in refused(walk, tree)
    while tree.children:  # taken apart bit by bit: freeing it at once would go as deep
        tree = tree.children.pop()


@dataclasses.dataclass
class Tree:
    children: list[Tree]


def test_a_default_of_none_lets_none_be_given_and_another_default_has_to_fit() -> None:
    def loose(limit: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    def wrong(limit: int = "ten") -> None: ...  # type: ignore[assignment]

    assert bound(loose) == bound(loose, None) == {"limit": None}
    assert "expects int | None, got str" in refused(loose, "x")
    assert "the default of parameter limit expects int, got str: 'ten'. Write a value" in refused(wrong)
    assert bound(wrong, 10) == {"limit": 10}


def test_results_are_checked_and_widened() -> None:
    def count() -> float: ...

    def rows() -> list[Row]: ...

    def free(): ...  # type: ignore[no-untyped-def]

    assert repr(Interface.of(count).check_result("etl.count", 1)) == "1.0"
    assert Interface.of(free).check_result("etl.free", rows) is rows
    with pytest.raises(TaskOutputError, match=r"Task etl\.count returned str, its annotation says float: 'x'"):
        Interface.of(count).check_result("etl.count", "x")
    with pytest.raises(TaskOutputError, match=r"at \[0\]\.count, where int is needed"):
        Interface.of(rows).check_result("etl.rows", [Row("a", "b")])  # type: ignore[arg-type]


def test_a_coroutine_gives_what_is_awaited() -> None:
    async def later(x: int) -> str: ...

    interface = Interface.of(later)
    assert interface.check_result("etl.later", "x") == "x"
    with pytest.raises(TaskOutputError):
        interface.check_result("etl.later", 1)


def test_what_has_no_names_or_cannot_be_stored_is_refused_at_declaration() -> None:
    def starred(*numbers: int) -> None: ...

    def keyed(**options: str) -> None: ...

    def yields():  # type: ignore[no-untyped-def]
        yield 1

    async def yields_later():  # type: ignore[no-untyped-def]
        yield 1

    for function, said in [
        (starred, r"\*numbers"),
        (keyed, r"\*\*options"),
        (yields, "yields"),
        (yields_later, "yields"),
    ]:
        with pytest.raises(TaskError, match=said):
            Interface.of(function)


def test_annotations_are_resolved_when_they_are_first_used() -> None:
    def early(row: Later) -> Later: ...

    interface = Interface.of(early)
    row = Later(1)
    assert interface.bind("etl.early", (row,), {}) == {"row": row}
    assert interface.check_result("etl.early", row) is row


@dataclasses.dataclass
class Later:
    number: int


def test_names_of_enclosing_functions_are_found() -> None:
    @dataclasses.dataclass
    class Inner:
        number: int

    def task(inner: Inner) -> Inner:
        return Inner(inner.number)

    assert bound(task, Inner(1)) == {"inner": Inner(1)}
    assert "expects" in refused(task, 1)


def test_what_cannot_be_resolved_is_told_with_task_parameter_and_annotation() -> None:
    def total(amount: Decimal) -> None: ...

    def given() -> list[Decimal]: ...

    with pytest.raises(
        TaskError, match=r"total: the annotation of parameter amount, 'Decimal', cannot be resolved.*TYPE_CHECKING"
    ):
        bound(total, 1)
    with pytest.raises(TaskError, match=r"the annotation of the result, 'list\[Decimal\]'"):
        Interface.of(given).check_result("etl.given", [])

    def odd(x: 5) -> None: ...  # type: ignore[valid-type]

    with pytest.raises(TaskError, match="it is no type"):
        bound(odd, 1)


GOOGLE = """Load rows
    from a file.

    More words.

    Args:
        path: Where it
            is.
        limit (int, optional): How many: at most.

    Returns:
        The rows.
    """
NUMPY = """Load rows from a file.

    Parameters
    ----------
    path : str
        Where it is.
    limit : int, optional
        How many: at most.

    Returns
    -------
    list
        The rows.
    """
SPHINX = """Load rows from a file.

    :param str path: Where it
        is.
    :param limit: How many: at most.
    :returns: The rows.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["Google", "NumPy", "Sphinx"])
def test_docstrings_describe_the_task_and_its_parameters(docstring: str) -> None:
    def task(path: str, limit: int = 1, other: int = 2) -> None: ...

    task.__doc__ = docstring
    interface = Interface.of(task)
    assert interface.doc == "Load rows from a file."
    assert {each.name: each.doc for each in interface.parameters} == {
        "path": "Where it is.",
        "limit": "How many: at most.",
        "other": "",
    }


def test_a_function_without_a_docstring_has_no_description() -> None:
    assert Interface.of(load).doc == ""
    assert [(each.name, each.required, each.default) for each in Interface.of(load).parameters] == [
        ("rows", True, None),
        ("name", True, None),
        ("ratio", False, 0.5),
        ("dry", False, False),
        ("note", False, None),
    ]


BASE = "def task(a: int, b: Row = None) -> str: 'words'"
CHANGES = {
    "another name": "def task(c: int, b: Row = None) -> str: ...",
    "another type": "def task(a: float, b: Row = None) -> str: ...",
    "another result": "def task(a: int, b: Row = None) -> bytes: ...",
    "a default more": "def task(a: int = 1, b: Row = None) -> str: ...",
    "another order": "def task(b: Row = None, *, a: int) -> str: ...",
    "a parameter more": "def task(a: int, b: Row = None, c: int = 1) -> str: ...",
    "another field": "def task(a: int, b: Wider = None) -> str: ...",
}


def digest(source: str) -> str:
    wider = dataclasses.make_dataclass("Row", [("name", str), ("count", int), ("more", int)])
    namespace: dict[str, Any] = {"Row": Row, "Wider": wider}
    exec(source, namespace)
    return Interface.of(namespace["task"]).digest()


@pytest.mark.parametrize("source", CHANGES.values(), ids=CHANGES.keys())
def test_a_digest_changes_with_the_interface(source: str) -> None:
    assert digest(source) != digest(BASE)


def test_a_digest_does_not_change_with_what_is_no_interface() -> None:
    assert digest("async def task(a: int, b: Row = None) -> str: return 1 + 1") == digest(BASE)
    assert digest("def task(a: 'int', b: 'Row' = None) -> 'str': ...") == digest(BASE)
    assert digest("def task(a: int = 1) -> str: ...") == digest("def task(a: int = 2) -> str: ...")


def test_a_digest_is_the_same_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent("""
        from __future__ import annotations
        import dataclasses, enum
        from laminar.tasks.interface import Interface

        class Color(enum.Enum):
            RED = 1

        @dataclasses.dataclass
        class Row:
            colors: set[Color]
            next: Row | None = None

        def task(rows: list[Row], color: Color = Color.RED) -> dict[str, Row]: ...

        if __name__ == "__main__":
            print(Interface.of(task).digest())
        """)
    )
    said = {
        subprocess.run(
            [sys.executable, path], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    spec = importlib.util.spec_from_file_location("another_name", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["another_name"] = module
    spec.loader.exec_module(module)
    assert said == {Interface.of(module.task).digest()}


def test_tasks_of_plain_types_load_no_library_for_types() -> None:
    program = """
        import asyncio, sys
        before = set(sys.modules)
        from laminar.tasks.interface import Interface
        def task(x: int, y: str = "a", z: list[int] | None = None) -> dict[str, float]: ...
        interface = Interface.of(task)
        interface.bind("t", (5,), {"z": [1]})
        interface.check_result("t", {"a": 1})
        heavy = {"numpy", "pandas", "pydantic", "msgspec", "dataclasses", "json", "datetime", "decimal", "pathlib"}
        print(sorted(heavy & (set(sys.modules) - before)))
    """
    said = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
