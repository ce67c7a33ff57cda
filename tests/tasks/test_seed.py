"""Every snippet of the page that tasks are modelled on runs by one changed line: ``import laminar as flyte``.

On the command line, ``laminar`` stands for ``flyte``. The snippets are in ``seed/snippets.md``, word for word; what
surrounds them is in ``seed/surroundings.py``, and so is the list of those that wait for a server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from seed.surroundings import AROUND, WAITING, Around

PAGE = Path(__file__).parent / "seed" / "snippets.md"
#: Name, language and text of each snippet.
SNIPPETS = {
    name: (language, text)
    for name, language, text in re.findall(r"^## (\S+)\n\n```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
}
OWN = "LAMINAR_"


def carry_out(folder: Path, language: str, text: str, around: Around) -> subprocess.CompletedProcess[str]:
    """Run a snippet with what surrounds it, in a folder of its own."""
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
    variables["HOME"] = str(folder)
    return subprocess.run(
        command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name not in WAITING])
def test_a_snippet_runs_by_one_changed_line(name, tmp_path):
    language, text = SNIPPETS[name]
    done = carry_out(tmp_path, language, text, AROUND[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert AROUND[name].prints in done.stdout


@pytest.mark.parametrize("name", WAITING)
def test_a_snippet_that_waits_for_a_server_fails_for_the_lack_of_it_alone(name, tmp_path):
    language, text = SNIPPETS[name]
    done = carry_out(tmp_path, language, text, AROUND[name])
    assert done.returncode != 0, f"{name} runs now: take it off the list"
    assert WAITING[name][1] in done.stderr.splitlines()[-1], done.stderr


def test_every_snippet_is_surrounded_and_nothing_else_is():
    assert list(AROUND) == list(SNIPPETS)
    assert WAITING.keys() <= SNIPPETS.keys()
    assert len(SNIPPETS) == PAGE.read_text().count("\n## ")
