"""The deployment pages, followed: laminar's own image, a project's image, and a scheduler in a container."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines import DOCKER, Engine

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)

DOCKERFILE = """\
FROM rchui/laminar

WORKDIR /laminar

COPY . ./
RUN pip install --requirement requirements.txt
"""
MAIN = """\
import os
import sys
import time

import humanize

from laminar import Flow, Layer


class HelloFlow(Flow): ...


@HelloFlow.register
class A(Layer):
    def __call__(self) -> None:
        self.host = os.uname().nodename
        self.user = os.getuid()
        self.words = humanize.intword(1_200_000)
        while os.path.exists("/laminar/.laminar/wait"):
            time.sleep(0.01)


@HelloFlow.register
class B(Layer):
    def __call__(self, a: A) -> None:
        self.host = os.uname().nodename
        with open("/laminar/.laminar/ran", "a") as file:
            file.write("B ")


if flow := HelloFlow():
    execution = flow.execution("today")
    if execution.status is None:
        flow(execution="today")
    elif not execution.finished:
        execution.resume()
    a, b = execution.layer(A), execution.layer(B)
    print("TOLD", a.host, b.host, a.user, a.words)
"""


@pytest.fixture(scope="module")
def engine(container_engines: dict[str, Engine], needs: Callable[[object, str], None]) -> Engine:
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    return container_engines["docker"]


@pytest.fixture(scope="module")
def own_image(engine: Engine) -> str:
    """laminar's own image, built from this repository."""
    base = f"BASE={engine.image}"
    engine.docker("build", "--quiet", "--network", "host", "--build-arg", base, "-t", "rchui/laminar", str(ROOT))
    return "rchui/laminar"  # it stays, since tests of another worker may use it


@pytest.fixture(scope="module")
def image(engine: Engine, own_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project's image, made as the page says."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text("humanize\n")
    (folder / "main.py").write_text(MAIN)
    engine.docker("build", "--quiet", "--network", "host", "-t", "my/laminar/image", str(folder))
    return "my/laminar/image"


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    name = f"{engine.prefix}-{time.time_ns()}"
    engine.docker("volume", "create", name)
    yield name
    for container in engine.docker("ps", "--all", "--quiet", "--filter", f"volume={name}").split():
        engine.docker("rm", "--force", container)
    engine.docker("volume", "rm", name)


def scheduler(engine: Engine, *mounts: str) -> list[str]:
    """Give the options by which a scheduler in a container reaches the engine."""
    socket = engine.address.removeprefix("unix://")
    options = [f"--volume={mount}" for mount in (f"{socket}:/var/run/docker.sock", *mounts)]
    return [*options, f"--group-add={os.stat(socket).st_gid}", "--env=LAMINAR_EXECUTOR=docker"]


def told(output: str) -> list[str]:
    return output.partition("TOLD ")[2].split(maxsplit=3)


def test_the_image_says_hello(engine: Engine, image: str) -> None:
    assert engine.docker("run", "--rm", image, "echo", "hello world") == "hello world"


def test_a_scheduler_in_the_image_runs_its_layers_beside_it(engine: Engine, image: str) -> None:
    first, second, user, words = told(engine.docker("run", "--rm", image, "python", "main.py"))
    assert first == second
    assert (user, words.strip()) == ("1000", "1.2 million")


def test_laminars_own_image_is_healthy_labelled_and_not_root(engine: Engine, own_image: str) -> None:
    about = json.loads(engine.docker("inspect", "--type", "image", own_image))[0]["Config"]
    assert about["User"] == "laminar"
    assert about["Labels"]["org.opencontainers.image.title"] == "laminar"
    engine.docker("run", "--rm", own_image, *about["Healthcheck"]["Test"][1:])


@pytest.mark.parametrize("kind", ["volume", "folder"])
def test_with_the_socket_each_layer_has_a_container_of_the_schedulers_image(
    engine: Engine, image: str, volume: str, tmp_path: Path, kind: str
) -> None:
    tmp_path.chmod(0o777)
    mount = volume if kind == "volume" else str(tmp_path)
    output = engine.docker("run", "--rm", *scheduler(engine, f"{mount}:/laminar/.laminar"), image, "python", "main.py")
    first, second, user, words = told(output)
    assert first != second
    assert (user, words.strip()) == ("1000", "1.2 million")
    if kind == "folder":
        assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {1000}


def test_without_a_volume_the_run_is_refused_with_the_remedy(engine: Engine, image: str) -> None:
    with pytest.raises(RuntimeError, match=r"docker run -v laminar:/laminar/.laminar"):
        engine.docker("run", "--rm", *scheduler(engine), image, "python", "main.py")


def test_a_scheduler_whose_container_was_killed_takes_its_layers_back(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "wait").touch()
    command = ["run", *scheduler(engine, f"{tmp_path}:/laminar/.laminar"), image, "python", "main.py"]
    name = f"{engine.prefix}-scheduler"
    engine.docker("run", "--detach", "--rm", f"--name={name}", *command[1:])
    layers = ["ps", "--quiet", "--filter", "label=laminar.action=A[0]", "--filter", f"volume={tmp_path}"]
    deadline = time.monotonic() + 60
    while not (before := engine.docker(*layers)):
        assert time.monotonic() < deadline, engine.docker("logs", name)
        time.sleep(0.05)
    engine.docker("kill", name)
    again = subprocess.Popen(
        [DOCKER, "--host", engine.address, "run", "--rm", *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert again.stdout is not None
    lines = []
    while not lines or ("resumes" not in lines[-1] and lines[-1]):
        lines.append(again.stdout.readline())
    assert engine.docker(*layers) == before
    (tmp_path / "wait").unlink()
    output, _ = again.communicate(timeout=60)
    first, _, _, _ = told(output)
    assert before.startswith(first)
    assert (tmp_path / "ran").read_text() == "B "


def test_schedulers_in_containers_leave_the_layers_of_others_alone(engine: Engine, image: str, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        folder.chmod(0o777)
    (mine / "wait").touch()

    def command(folder: Path) -> list[str]:
        return [*scheduler(engine, f"{folder}:/laminar/.laminar"), image, "python", "main.py"]

    name = f"{engine.prefix}-first"
    engine.docker("run", "--detach", f"--name={name}", *command(mine))
    layers = ["ps", "--quiet", "--filter", "label=laminar.action=A[0]", "--filter", f"volume={mine}"]
    deadline = time.monotonic() + 60
    while not (before := engine.docker(*layers)):
        assert time.monotonic() < deadline, engine.docker("logs", name)
        time.sleep(0.05)
    engine.docker("run", "--rm", *command(other))
    assert engine.docker(*layers) == before
    (mine / "wait").unlink()
    assert engine.docker("wait", name) == "0"


def test_a_scheduler_in_a_virtual_environment(tmp_path: Path) -> None:
    def do(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    do(sys.executable, "-m", "venv", "first")
    do("first/bin/python", "-m", "pip", "install", "--quiet", "virtualenv")
    do("first/bin/python", "-m", "virtualenv", "--quiet", ".venv")
    do(".venv/bin/python", "-m", "pip", "install", "--quiet", str(ROOT), "humanize")
    main = MAIN.replace("/laminar/.laminar", str(tmp_path))
    (tmp_path / "main.py").write_text(main)
    output = do("bash", "-c", ". .venv/bin/activate && python main.py")
    assert told(output)[3].strip() == "1.2 million"
