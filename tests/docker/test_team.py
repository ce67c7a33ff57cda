"""The server for a team, as README.md says it is started: laminar, PostgreSQL and an S3 store, by compose."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import engines
from engines import Engine

ROOT = Path(__file__).parents[2]
#: What a clone has, as far as images are built from it.
CLONE = ("deploy", "src", "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
PROGRAM = """\
import os
import time

import laminar

env = laminar.TaskEnvironment("team")


@env.task
def seen() -> list[str]:
    return sorted(name for name in os.environ if name.startswith(("AWS_", "LAMINAR_SERVE", "PASSWORD")))


@env.task
def large(size: int) -> bytes:
    print("begins")
    time.sleep(4)
    return os.urandom(size)


@env.task
def twice(size: int) -> bytes:
    return large(size) + large(size + 1)
"""
ASKED = """\
import subprocess
import sys
import time

import laminar
import team

laminar.init_from_config()
print(laminar.run(team.seen).result())
run = laminar.run(team.twice, size=300_000)
while not any("begins" in line for line in run.logs()):
    time.sleep(0.1)
subprocess.run(sys.argv[1:], check=True)
print(len(run.result()), run.status, len(run.actions()))
"""


class Team:
    """A clone, and the commands of its reader."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self.address = engine.gateway()
        self.port, self.store_port = free_port(), free_port()
        self.name = engine.prefix
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_")},
            **engine.variables,
            "DOCKER_SOCKET": engine.address.removeprefix("unix://"),
            "BASE": engine.image,
            "BUILD_NETWORK": "host",
            "HOME": str(folder),
        }
        for name in CLONE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "deploy/.env").unlink(missing_ok=True)

    def run(self, *command: str | Path, code: int = 0, **environment: str) -> str:
        """Run a command; gives what it wrote to standard output."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def configure(self, code: int = 0) -> None:
        """Write the settings."""
        self.run("deploy/configure", self.address, code=code)

    def apart(self) -> None:
        """Let it stand beside others on this machine."""
        with (self.folder / "deploy/.env").open("a") as file:
            file.write(f"COMPOSE_PROJECT_NAME={self.name}\nSERVER_PORT={self.port}\nSTORE_PORT={self.store_port}\n")

    def command(self, *words: str) -> list[str]:
        """Say how compose is called here."""
        folder = self.folder / "deploy"
        files = [folder / "compose.yaml", Path(__file__).with_name("compose.yaml")]
        options = [f"--file={file}" for file in files]
        return [str(shutil.which("docker-compose")), f"--project-directory={folder}", *options, *words]

    def compose(self, *words: str) -> str:
        return self.run(*self.command(*words))

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}:{self.port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def team(tmp_path: Path, container_engines: dict[str, Engine], needs: Callable[[object, str], None]) -> Team:
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    needs(shutil.which("docker-compose"), "docker-compose: see .ci/packages")
    engine = container_engines["docker"]
    needs(engines.is_local(engine.gateway()), "an engine whose bridge is on it")
    return Team(tmp_path, engine)


@pytest.fixture
def started(team: Team) -> Iterator[Team]:
    team.configure()
    team.apart()
    try:
        team.compose("up", "--detach", "--build")
        yield team
    finally:
        print(team.compose("logs"))
        team.compose("down", "--volumes", "--remove-orphans")


def test_the_settings_are_written_once_and_are_for_nobody_else(team: Team) -> None:
    team.run("deploy/configure", code=2)
    team.configure()
    path = team.folder / "deploy/.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    passwords = [line.partition("=")[2] for line in before.splitlines() if "_PASSWORD=" in line]
    assert len(set(passwords)) == 2
    assert min(map(len, passwords)) >= 32
    team.configure(code=1)
    assert path.read_text() == before


@pytest.mark.timeout(600)
def test_two_commands_start_a_server_whose_runs_outlive_kill_9_of_server_and_database(started: Team) -> None:
    first = started.compose("exec", "-T", "server", "laminar", "token", "create", "ada", "--role", "admin").strip()
    assert first.startswith("lam_")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{started.endpoint}/api/v1/me")

    (started.folder / "team.py").write_text(PROGRAM)
    (started.folder / "asked.py").write_text(ASKED)
    killed = started.command("kill", "-s", "KILL", "server", "database")
    kill_and_start = ["bash", "-c", f"{' '.join(killed)} && {' '.join(started.command('up', '--detach'))}"]
    configured = {"LAMINAR_SERVER_ENDPOINT": started.endpoint, "LAMINAR_SERVER_API_KEY": first}
    said = started.run(sys.executable, "asked.py", *kill_and_start, **configured).splitlines()
    assert said[0] == "[]"
    assert said[-1] == "600001 SUCCEEDED 3"
