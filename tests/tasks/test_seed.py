"""Every snippet of the page that tasks are modelled on runs by one changed line: ``import laminar as flyte``.

On the command line, ``laminar`` stands for ``flyte``. The snippets are in ``seed/snippets.md``, word for word; what
surrounds them is in ``seed/surroundings.py``. Those that need no server run without one; all run where a server is
configured, a real ``laminar serve`` with real containers.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from seed.backend import Backend
from seed.surroundings import AROUND, OF_A_SERVER, Around

import engines

PAGE = Path(__file__).parent / "seed" / "snippets.md"
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


@pytest.fixture(scope="module")
def backend(container_engines, needs, tmp_path_factory):
    """A server whose tasks run in containers."""
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    engine = container_engines["docker"]
    needs(engines.is_local(engine.gateway()), "an engine whose bridge is on it")
    with Backend(tmp_path_factory.mktemp("backend"), engine) as found:
        yield found


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


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name not in OF_A_SERVER])
def test_a_snippet_runs_by_one_changed_line(name, tmp_path):
    succeeds(name, tmp_path, {})


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_runs_by_one_changed_line_where_a_server_is_configured(name, tmp_path, backend):
    succeeds(name, tmp_path, backend.project(name))


@pytest.mark.parametrize("name", sorted(OF_A_SERVER))
def test_a_snippet_for_a_server_says_so_where_none_answers(name, tmp_path):
    language, text = SNIPPETS[name]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = carry_out(tmp_path, language, text, AROUND[name], {"LAMINAR_SERVER_ENDPOINT": endpoint})
    assert done.returncode != 0
    assert "laminar serve" in done.stderr.splitlines()[-1], done.stderr


def succeeds(name, folder, variables):
    """Run a snippet, and see what it says and does."""
    language, text = SNIPPETS[name]
    done = carry_out(folder, language, text, AROUND[name], variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert AROUND[name].prints in done.stdout


def test_every_snippet_is_surrounded_and_nothing_else_is():
    assert list(AROUND) == list(SNIPPETS)
    assert SNIPPETS.keys() >= OF_A_SERVER
    assert len(SNIPPETS) == PAGE.read_text().count("\n## ")
