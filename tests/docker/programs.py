"""Programs as users write them, run as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engines import Engine

BEGINNING = """
    import json, os, signal, subprocess, sys, time
    from laminar import Flow, Image, Layer
    from laminar.configurations import datastores, executors, hooks
    from laminar.configurations.layers import (
        Catch, Configuration, Container, ForEach, Parameter, Resources, Retry, ReusePolicy, Timeout,
    )
    from laminar.configurations.schedulers import Scheduler
"""
#: How a program runs a flow in the end, and what it tells on one line of what came of it.
TELLING = """
    def outcome(flow, artifacts):
        try:
            execution = flow(execution="run")
        except Exception as error:
            return {"type": type(error).__name__, "text": str(error), "notes": getattr(error, "__notes__", [])}
        return {"artifacts": artifacts(execution)}
"""
ENDING = """
    flow = OneFlow(datastore={datastore}, executor={executor}, scheduler=Scheduler(quiet=True, grace=0.5))
    if flow:
        print("TOLD", json.dumps(outcome(flow, lambda execution: {artifacts})))
"""
#: The same for several flows, each with words by which it is known; what came of one is no matter to the others.
SEVERAL = """
    for words, make in FLOWS.items():
        if flow := make():
            told = outcome(flow, lambda execution: getattr(execution.layer("Only"), "told", None))
            print("TOLD", json.dumps([words, flow.name, told]))
"""
ROOT = "datastores.Local(root='root')"


def write(folder: Path, *bodies: str, **ending: str) -> Path:
    """Write a program, whose flow is ``OneFlow``.

    Args:
        folder: Where it is written.
        *bodies: Its layers, and what they need.
        **ending: Python for ``datastore``, ``executor`` and ``artifacts``.
    """
    ending = {"datastore": ROOT, "executor": "executors.Docker()", "artifacts": "None", **ending}
    parts = (BEGINNING, *bodies, TELLING, ENDING.format(**ending))
    script = folder / "main.py"
    script.write_text("\n".join(textwrap.dedent(part) for part in parts))
    return script


def one_layer(folder: Path, body: str, *, registration: str = "", top: str = "", **ending: str) -> Path:
    """Write a program of one layer, ``Only``."""
    layer = (
        f"class OneFlow(Flow): ...\n\n@OneFlow.register({registration})\nclass Only(Layer):\n    def __call__(self):\n"
    )
    inner = textwrap.indent(textwrap.dedent(body).strip(), "        ")
    ending.setdefault("artifacts", "vars(execution.layer(Only)).get('none')")
    return write(folder, top, f"{layer}{inner}\n", **ending)


def several(folder: Path, cases: Mapping[str, Mapping[str, str]], *, top: str = "") -> Path:
    """Write a program of several flows, one after the other, each of one layer, ``Only``.

    Args:
        folder: Where it is written.
        cases: By words: Python for ``body``, and for ``registration``, ``executor`` and ``datastore`` where it matters.
        top: What all have above them.
    """
    parts, flows = [], []
    for number, (words, case) in enumerate(cases.items()):
        name = f"Flow{number}"
        head = f"class {name}(Flow): ...\n\n@{name}.register({case.get('registration', '')})\nclass Only(Layer):\n"
        body = textwrap.indent(textwrap.dedent(case["body"]).strip(), "        ")
        parts.append(f"{head}    def __call__(self):\n{body}\n")
        datastore, executor = case.get("datastore", ROOT), case.get("executor", "executors.Docker()")
        arguments = f"datastore={datastore}, executor={executor}, scheduler=Scheduler(quiet=True, grace=0.5)"
        flows.append(f"    {words!r}: lambda: {name}({arguments}),")
    script = folder / "main.py"
    whole = (BEGINNING, top, *parts, "\n".join(["FLOWS = {", *flows, "}"]), TELLING, SEVERAL)
    script.write_text("\n".join(textwrap.dedent(part) for part in whole))
    return script


def all_told(script: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """Run a program of several flows, and read what it tells of the end of each; ``flow`` is its name."""
    done = run(script, **{"timeout": 110, **options})
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("TOLD ") for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    return {words: {"flow": flow, **told} for words, flow, told in map(json.loads, lines)}


def run(script: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [*options.pop("before", ()), sys.executable, *options.pop("flags", ()), str(script), *arguments],
        cwd=options.pop("cwd", script.parent),
        env={**os.environ, **options.pop("env", {})},
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 60),
        check=False,
        **options,
    )


def told(script: Path, *arguments: str, **options: Any) -> dict[str, Any]:
    """Run a program, and read what it tells of its end."""
    done = run(script, *arguments, **options)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert lines, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(lines[0].removeprefix("TOLD "))
    return found


def artifacts(script: Path, *arguments: str, **options: Any) -> Any:
    """Run a program that succeeds, and give the artifacts that it tells."""
    found = told(script, *arguments, **options)
    assert "artifacts" in found, json.dumps(found, indent=1)
    return found["artifacts"]


#: A function of programs by which a layer waits amid its work, having told the name of its machine.
HOLD = """
    def hold(folder):
        with open(f"{folder}/told", "w") as file:
            file.write(os.uname().nodename)
        os.rename(f"{folder}/told", f"{folder}/held")
        while not os.path.exists(f"{folder}/go"):
            time.sleep(0.005)
"""


def inspected(engine: Engine, script: Path, folder: Path, **options: Any) -> tuple[str, Any]:
    """Run a program of which a layer holds, and ask the engine about the container where it does.

    Args:
        engine: The engine.
        script: The program.
        folder: Where the layer holds.
        **options: More for :func:`artifacts`.

    Returns:
        What the engine tells, and what the program tells in the end.
    """
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(artifacts, script, **options)
        try:
            while not (folder / "held").exists():
                assert not ending.done(), ending.result()
                time.sleep(0.005)
            text = engine.docker("inspect", "--type", "container", (folder / "held").read_text())
        finally:
            folder.mkdir(exist_ok=True)
            (folder / "go").touch()
        return text, ending.result()
