"""Code that travels: a user's project in one process, and its bundle in another that has nothing else.

The project says ``departure.leave(flow)`` where it would call the flow. That gathers the code, places the bundle, and
asks the project's ``answer()``. Then the project is removed, and a fresh isolated interpreter loads the bundle's code
by laminar's own loader and asks ``answer()`` again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

LAMINAR = str(Path(__file__).resolve().parents[2] / "src")

DEPARTURE = """
    import json, os, pickle, sys

    from laminar.errors import BundleError
    from laminar.flows.source import locate
    from laminar.packaging.bundle import gather


    def leave(flow, style="loaded_modules"):
        code, _ = locate(flow)
        try:
            bundle = gather(code, style)
        except BundleError as error:
            print(json.dumps({"refused": str(error)}))
            return
        placed = bundle.place(os.environ["TO"])
        expected = sys.modules[type(flow).__module__].answer()
        with open(os.environ["TO"] + ".code", "wb") as file:
            pickle.dump((placed, type(flow).__module__), file)
        files = [file.path for file in bundle.files]
        left_out = [one.path for one in bundle.left_out]
        print(json.dumps({"files": files, "digest": bundle.digest, "answer": expected, "left_out": left_out}))


    def arrive():
        from laminar.model.action import EntryRef
        from laminar.worker import assignment, loading

        with open(os.environ["TO"] + ".code", "rb") as file:
            code, module = pickle.load(file)
        assignment.assign(assignment.Assignment("F", "run", stops=True))
        code = code.replace(path=(*code.path, *sys.path))
        answer = loading.load(code, EntryRef("departure:answer", module))
        print(json.dumps([answer, sys.argv, os.getcwd()]))


    def answer(module):
        return sys.modules[module].answer()
"""

FLOW = """
    import departure
    from laminar import Flow, Layer


    class F(Flow): ...


    @F.register
    class A(Layer):
        def __call__(self) -> None: ...
"""

LEAVE = """
    if flow := F():
        departure.leave(flow)
"""


def program(answer: str, imports: str = "") -> str:
    """Write a program with a flow, and an ``answer`` that is the value of an expression or a function's body."""
    body = answer if "return " in answer else f"return {answer}"
    function = f"def answer():\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
    return "\n\n".join([textwrap.dedent(imports), textwrap.dedent(FLOW), function, textwrap.dedent(LEAVE)])


class Left(NamedTuple):
    """What left: the bundle's files and digest, and what the code answered at home; or the words of a refusal."""

    files: list[str]
    digest: str
    answer: object
    left_out: list[str]
    refused: str


class Journey:
    """A folder at home, and one where the bundle arrives."""

    python = sys.executable

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.there = folder / "there" / "bundle"
        self.packages = folder / "packages" / "site-packages"
        self.home.mkdir(parents=True)
        self.there.parent.mkdir()
        self.packages.mkdir(parents=True)
        (self.packages / "departure.py").write_text(textwrap.dedent(DEPARTURE))

    def write(self, name: str, text: str = "") -> Path:
        """Write a file of the user."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def leave(self, *command: str, cwd: str = ".", path: tuple[str, ...] = (), **environment: str) -> Left:
        """Start Python as the user does, and let it leave."""
        folders = [str(self.home / folder) for folder in path] + [str(self.packages)]
        done = subprocess.run(
            [self.python, *command],
            cwd=self.home / cwd,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(folders),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TO": str(self.there),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        return Left(
            said.get("files", []),
            said.get("digest", ""),
            said.get("answer"),
            said.get("left_out", []),
            said.get("refused", ""),
        )

    def arrive(self) -> tuple[object, list[str], str]:
        """Load the code where it arrived, and give what it answers, its arguments and its folder."""
        shutil.rmtree(self.home)
        folders = [str(self.packages), LAMINAR]
        arrival = f"import sys; sys.path[:0] = {folders}; import departure; departure.arrive()"
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", arrival],
            cwd=self.there.parent,
            env={**os.environ, "TO": str(self.there)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer, argv, cwd = json.loads(done.stdout.splitlines()[-1])
        return answer, argv, cwd
