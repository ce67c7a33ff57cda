"""A folder of the user, and programs that plan in it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

PROGRAM = str(Path(sys.executable).parent / "laminar")
#: Begins a program that plans: ``planned(things)`` prints what would be deployed, or why it is refused.
PLANNED = """
import json, sys
import laminar
from laminar.errors import LaminarError

def planned(*things, **how):
    try:
        made = laminar.deploy(*things, dryrun=True, **how)
    except LaminarError as error:
        return {"refused": type(error).__name__, "says": str(error)}
    return {
        "version": made[0].version,
        "files": [path for path, _ in made[0].files],
        "names": [one.name for one in made],
        "images": {spec.name: spec.image for one in made for spec in one.entities},
        "calls": {spec.name: list(spec.calls) for one in made for spec in one.entities},
        "differs": [one.differs for one in made],
        "summaries": [one.summary_repr() for one in made],
    }
"""


class Project:
    """A folder of the user."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, text=""):
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, *command, cwd=".", code=0, **environment):
        """Run a program, and give what it wrote."""
        done = subprocess.run(
            command,
            cwd=self.folder / cwd,
            env={
                **os.environ,
                "HOME": str(self.folder.parent / "home"),
                "PYTHONPATH": str(self.folder),
                "PYTHONDONTWRITEBYTECODE": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def laminar(self, *words, code=0, **how):
        """Run the command line."""
        return self.run(PROGRAM, *words, code=code, **how)

    def plan(self, program, **how):
        """Run a program that ends with a call of ``planned``, and give what it found."""
        text = f"{PLANNED}\n{textwrap.dedent(program)}"
        head, _, call = text.rstrip().rpartition("\n")
        done = self.run(sys.executable, "-c", f"{head}\nprint(json.dumps({call}))", **how)
        return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def serving(folder):
    """Run ``laminar serve``, and give its address."""
    command = [PROGRAM, "serve", "--port", "0", "--state", str(folder / "state")]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    reading = threading.Thread(target=server.stdout.read, daemon=True)
    try:
        address = _address(server)
        reading.start()
        yield address
    finally:
        server.terminate()
        server.wait(30)
        if reading.is_alive():
            reading.join(30)
        server.stdout.close()


def _address(server):
    """Read on until the server listens."""
    lines = []
    for line in server.stdout:
        lines.append(line)
        if '"listening"' in line:
            return json.loads(line)["url"]
    raise AssertionError("".join(lines))
