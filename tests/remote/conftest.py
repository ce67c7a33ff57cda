"""What tests of the remote API share: a server, and a project of the user."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

MODULE = '''
import asyncio
import pathlib

import laminar
from laminar import Dir, File, Flow, Layer, Parameters
from laminar.configurations.layers import ForEach, Parameter

env = laminar.TaskEnvironment("distant")


@env.task
def square(n: int) -> int:
    print(f"square of {n}")
    return n * n


@env.task
async def total(count: int = 3, word: str = "none") -> int:
    """Add up squares.

    Args:
        count: How many.
    """
    print(f"the word is {word}")
    return sum([await square(n) for n in range(count)])


@env.task
def several() -> tuple[int, str]:
    return 1, "two"


@env.task
def large(n: int) -> list[int]:
    return list(range(n))


@env.task
def upper(file: File) -> File:
    with file.open_sync("rt") as source:
        text = source.read().upper()
    made = File.new_remote("upper.txt")
    with made.open_sync("wt") as target:
        target.write(text)
    return made


@env.task
def fails(word: str) -> int:
    print("before the end")
    raise KeyError(word)


@env.task
def variable(name: str) -> str | None:
    import os

    return os.environ.get(name)


@env.task
def waits_for(path: str) -> int:
    import time

    pathlib.Path(f"{path}.reached").touch()
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    return 7


@env.task(cache="auto")
def counted(journal: str, n: int) -> int:
    with open(journal, "a") as lines:
        lines.write(f"{n}\\\\n")
    return n


@env.task
def fails_once(path: str) -> int:
    if not pathlib.Path(path).exists():
        pathlib.Path(path).touch()
        raise OSError("the first time")
    return 3


@env.task
async def awaits_by_name() -> list[int]:
    square = laminar.remote.Task.get("distant.square", auto_version="current")
    return await asyncio.gather(*(square(n=n) for n in range(3)))


@env.task
async def calls_wrongly() -> str:
    square = laminar.remote.Task.get("distant.square", auto_version="current")
    try:
        await square(n="x")
    except TypeError as error:
        return str(error)
    return "it was accepted"


stray = laminar.TaskEnvironment("distant-stray")


@stray.task
def strays() -> int:
    return square(2)


class Distant(Flow):
    """Doubles numbers."""


@Distant.register
class First(Layer):
    def __call__(self, parameters: Parameters) -> None:
        print(f"first has {parameters.factor}")
        self.shard(number=[1, 2, 3])
        self.factor = parameters.factor


@Distant.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="number")]))
class Second(Layer):
    def __call__(self, first: First) -> None:
        self.product = first.number * first.factor


@Distant.register
class Third(Layer):
    def __call__(self, second: Second) -> None:
        self.sum = sum(second.product)
'''

#: Apart from the others: to import pandas takes longer than any other task does.
FRAMES = """
import pandas as pd

import laminar

env = laminar.TaskEnvironment("frames")


@env.task
def table(n: int) -> pd.DataFrame:
    return pd.DataFrame({"x": range(n)})


@env.task
def column(rows: pd.DataFrame) -> int:
    return int(rows.x.sum())


@env.task
def calls_by_name(version: str) -> int:
    column = laminar.remote.Task.get("frames.column", auto_version=version)
    return column(rows=pd.DataFrame({"x": [1, 2, 3]}))
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The project of a user, from which modules are imported."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "distant_code.py").write_text(MODULE.replace("\\\\n", "\\n"))
    (folder / "distant_frames.py").write_text(FRAMES)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def distant(project: None) -> ModuleType:
    """The module of a user, which is imported here and deployed from here."""
    return importlib.import_module("distant_code")


@pytest.fixture(scope="session")
def frames(project: None) -> ModuleType:
    """Another one, whose tasks take and give frames."""
    return importlib.import_module("distant_frames")


@pytest.fixture(autouse=True)
def _configured(server_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is configured, and what is kept here lies in a folder of the test's own."""
    monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", server_address)
    monkeypatch.setenv("LAMINAR_LOCAL_ROOT", str(tmp_path / "laminar"))
    monkeypatch.chdir(tmp_path)
