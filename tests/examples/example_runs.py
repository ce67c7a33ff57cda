"""Examples run as a user runs them: as scripts, in a folder of their own."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from laminar import Flow, Layer
from laminar.configurations import datastores

EXAMPLES = Path(__file__).parents[2] / "examples"


def command(example: str, *arguments: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / example), *arguments]


def environment() -> dict[str, str]:
    """Give what examples find; threads of linear algebra would only wait for each other, as small as all is here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_")}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(folder: Path, example: str, *arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an example to its end, in a folder that its runs are kept in."""
    ended = subprocess.run(command(example, *arguments), cwd=folder, env=environment(), capture_output=True, text=True)
    assert ended.returncode == expected, ended.stdout + ended.stderr
    return ended


def store(folder: Path) -> datastores.Local:
    return datastores.Local(folder / ".laminar")


def reader(folder: Path, flow: str, *layers: str) -> Flow:
    """Give a flow that reads what the flow of that name has left in a folder; names are all that it takes."""
    kind = type(flow, (Flow,), {})
    for layer in layers:
        kind.register(type(layer, (Layer,), {}))
    return kind(datastore=store(folder))


def newest(flow: Flow) -> Any:
    """Give the newest execution of a flow."""
    return flow.configuration.datastore.list_executions(flow=flow)[-1]


def definitions(example: str) -> dict[str, Any]:
    """Load what an example defines, without running it."""
    folder = str((EXAMPLES / example).parent)
    sys.path.insert(0, folder)
    try:
        return runpy.run_path(str(EXAMPLES / example), run_name="example")
    finally:
        sys.path.remove(folder)
