"""A program that is changed between a run and its resume: its calls are fresh, or have the values they had."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, json, os, sys
import laminar

env = laminar.TaskEnvironment("changed")

def fresh(name, x):
    with open("ran", "a") as file:
        file.write(f"{{name}} {{x}}\\n")
    return f"{{name}} {{x}} {{os.urandom(8).hex()}}"

{tasks}

async def helper(x: int) -> str:
    return await one(x)

@env.task
async def main() -> dict:
    found = {{}}
{body}
    if not os.path.exists("go on"):
        raise RuntimeError("stop here")
    return found

def keep(found):
    name = "second" if os.path.exists("go on") else "first"
    with open(name, "w") as file:
        json.dump(found, file)

if __name__ == "__main__":
    runner = laminar.with_runcontext(name="r", root="state", quiet=True)
    run = runner.resume("r") if os.path.exists("go on") else runner.run(main)
    try:
        run.result()
    except RuntimeError as error:
        assert str(error) == "stop here", error
"""
TASKS = """
@env.task
async def one(x: int) -> str:
    return fresh("one", x)

@env.task
async def two(x: int) -> str:
    return fresh("two", x)
"""
BODY = """
found["a"] = await one(1)
found["b"] = await one(2)
found["c"] = await two(1)
found["d"], found["e"] = await asyncio.gather(one(3), one(3))
keep(found)
"""
ALL = set("abcde")

#: What is changed: its name, what replaces what, and which calls keep their values.
CASES: list[tuple[str, dict[str, str], set[str]]] = [
    ("nothing", {}, ALL),
    ("order", {'found["a"] = await one(1)\n': "", "keep(found)": 'found["a"] = await one(1)\nkeep(found)'}, ALL),
    ("a call before", {'found["a"] =': 'found["new"] = await one(7)\nfound["a"] ='}, ALL),
    ("an equal call after", {"keep(found)": 'found["new"] = await one(3)\nkeep(found)'}, ALL),
    ("a call less", {'found["b"] = await one(2)\n': ""}, ALL - {"b"}),
    ("name of a task", {"async def two": "async def three", "await two": "await three"}, ALL - {"c"}),
    ("inputs", {"one(2)": "one(20)"}, ALL - {"b"}),
    ("an argument by name", {"one(2)": "one(x=2)"}, ALL),
    ("a parameter with a default", {"two(x: int)": "two(x: int, y: int = 0)"}, ALL - {"c"}),
    ("name of a parameter", {"two(x: int) -> str:\n": "two(y: int) -> str:\n    x = y\n"}, ALL - {"c"}),
    ("type of a parameter, other value", {"two(x: int)": "two(x: float)"}, ALL - {"c"}),
    ("type of a parameter, same value", {"two(x: int)": "two(x: int | None)"}, ALL),
    ("type of the result", {"two(x: int) -> str": "two(x: int) -> str | None"}, ALL - {"c"}),
    ("text of a task", {'return fresh("two", x)': 'return fresh("two", x).upper()'}, ALL),
    ("a task's settings", {"@env.task\nasync def two": "@env.task(retries=2, timeout=60)\nasync def two"}, ALL),
    ("an override", {"await two(1)": "await two.override(retries=3)(1)"}, ALL),
    ("a group", {'found["b"] =': 'with laminar.group("g"):\n  found["b"] ='}, ALL),
    ("a gather", {'found["b"] = await one(2)': 'found["b"] = (await asyncio.gather(one(2)))[0]'}, ALL),
    ("a time limit", {'found["b"] = await one(2)': 'found["b"] = await asyncio.wait_for(one(2), 60)'}, ALL),
    ("a map", {'found["b"] = await one(2)': 'found["b"] = (await laminar.map(one, [2]))[0]'}, ALL),
    ("the other way to call", {'await one(2)': 'await one.aio(2)'}, ALL),
    ("a part of its own", {"await one(2)": "await asyncio.create_task(helper(2))"}, ALL - {"b"}),
    ("a helper in place", {"await one(2)": "await helper(2)"}, ALL),
]  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which the program has run as it was at first."""
    folder = tmp_path_factory.mktemp("begun")
    run(folder, TASKS, BODY)
    return folder


@pytest.mark.parametrize(("changes", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_calls_keep_their_own_values_or_are_fresh(
    begun: Path, tmp_path: Path, changes: dict[str, str], kept: set[str]
) -> None:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    (tmp_path / "go on").touch()
    run(tmp_path, *[changed(text, changes) for text in (TASKS, BODY)])
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("first", "second"))
    assert {name for name in first if second.get(name) == first[name]} == kept
    fresh = [value for name, value in second.items() if name not in kept]
    assert not {str(value) for value in fresh} & {str(value) for value in first.values()}
    assert len((tmp_path / "ran").read_text().splitlines()) == len(first) + len(fresh)


def changed(text: str, changes: dict[str, str]) -> str:
    """Replace all at once, so that two can be swapped."""
    for number, old in enumerate(changes):
        text = text.replace(old, f"<{number}>")
    for number, new in enumerate(changes.values()):
        text = text.replace(f"<{number}>", new)
    return text


def run(folder: Path, tasks: str, body: str) -> None:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(tasks=tasks, body=textwrap.indent(body.strip(), "    ")))
    done = subprocess.run(
        [sys.executable, program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
