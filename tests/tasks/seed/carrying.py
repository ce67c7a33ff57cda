"""Runs snippets of the page that tasks are modelled on, by one changed line: ``import laminar as flyte``.

On the command line, ``laminar`` stands for ``flyte``. The snippets are in ``snippets.md``, word for word; what
surrounds them is in ``surroundings.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from seed.surroundings import AROUND, Around

PAGE = Path(__file__).with_name("snippets.md")
#: Name, language and text of each snippet.
SNIPPETS = {
    name: (language, text)
    for name, language, text in re.findall(r"^## (\S+)\n\n```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
}
OWN = "LAMINAR_"
#: What ``laminar run`` prints of a run that goes on at a server: its name. What it returns is asked for then.
NAMES = re.compile(r"^\w{27}$", re.MULTILINE)
RESULTS = """
import sys
import laminar
laminar.init_from_config()
for name in sys.argv[1:]:
    print(laminar.Run.get(name).result())
"""


def carry_out(
    folder: Path, language: str, text: str, around: Around, more: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a snippet with what surrounds it, in a folder of its own."""
    home, folder = folder / "home", folder / "project"
    folder.mkdir()
    for name, content in around.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for place, filled in around.filled.items():
        assert place in text, f"the snippet has no {place!r}"
        text = text.replace(place, filled)
    if language == "bash":
        command = ["bash", "-ec", re.sub(r"^flyte\b", "laminar", text, flags=re.M)]
    else:
        text = re.sub(r"^import flyte$", "import laminar as flyte", text, flags=re.M)
        (folder / "main.py").write_text(f"{around.before}\n{text}\n{around.after}")
        command = [sys.executable, "main.py"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables["HOME"] = str(home)
    variables |= more
    if around.first and more:
        subprocess.run(["bash", "-ec", around.first], cwd=folder, env=variables, check=False)
    done = run(command, folder, variables)
    if more and done.returncode == 0 and (runs := NAMES.findall(done.stdout)):
        done.stdout += run([sys.executable, "-c", RESULTS, *runs], folder, variables).stdout
    return done


def run(command: list[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def succeeds(name: str, folder: Path, variables: Mapping[str, str]) -> None:
    """Run a snippet, and see what it says and does."""
    language, text = SNIPPETS[name]
    done = carry_out(folder, language, text, AROUND[name], variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert AROUND[name].prints in done.stdout, done.stdout
