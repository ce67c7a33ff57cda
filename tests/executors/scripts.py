"""Scripts as users write them, run as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

#: A flow of one layer whose body is put in; tells how the run ended as one line of JSON.
ONE_LAYER = """
    import json, os, signal, subprocess, sys, threading, time
    from laminar import Flow, Layer
    from laminar.configurations import datastores, executors
    from laminar.configurations.layers import Catch, ForEach, Parameter, Retry, Timeout
    from laminar.configurations.schedulers import Scheduler

    {top}

    class OneFlow(Flow): ...

    @OneFlow.register({registration})
    class Only(Layer):
        def __call__(self):
            {body}

    EXECUTORS = {{
        "fork": lambda: executors.Process(method="fork"),
        "spawn": lambda: executors.Process(method="spawn"),
        "thread": lambda: executors.Thread(),
    }}
    flow = OneFlow(
        datastore=datastores.Local(root=sys.argv[1]),
        executor=EXECUTORS[sys.argv[2]](),
        scheduler=Scheduler(quiet=True, grace=0.5),
    )
    if flow:
        told = {{}}
        try:
            execution = flow(execution="run")
        except BaseException as error:
            told["type"] = type(error).__name__
            told["types"] = [kind.__name__ for kind in type(error).__mro__]
            told["text"] = str(error)
            told["notes"] = getattr(error, "__notes__", [])
            told["attributes"] = {{name: value for name, value in vars(error).items() if isinstance(value, (int, str))}}
        else:
            told["artifacts"] = {{name: getattr(execution.layer(Only), name) for name in {artifacts!r}}}
        print("TOLD", json.dumps(told))
"""


def one_layer(
    folder: Path, body: str, *, top: str = "", registration: str = "", artifacts: tuple[str, ...] = ()
) -> Path:
    """Write a script of one layer."""
    script = folder / "main.py"
    text = textwrap.dedent(ONE_LAYER).format(
        top=textwrap.dedent(top),
        registration=registration,
        body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8).strip(),
        artifacts=artifacts,
    )
    script.write_text(text)
    return script


def run(script: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=options.pop("cwd", script.parent),
        env={**os.environ, **options.pop("env", {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def told(script: Path, executor: str, **options: Any) -> dict[str, Any]:
    """Run a script of one layer and read what it tells of its end."""
    done = run(script, str(script.parent / "root"), executor, **options)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert lines, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(lines[0].removeprefix("TOLD "))
    return found


def log_of(script: Path) -> str:
    """Read what the layer has printed."""
    return "".join(path.read_text() for path in sorted((script.parent / "root" / "logs").rglob("*.log")))
