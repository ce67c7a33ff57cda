"""What cannot be done is told at once, with the remedy; once that is mended, the run goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiodocker
import pytest

import moto_process
from engines import Engine
from laminar import Flow, Image
from laminar.configurations import datastores, executors
from laminar.configurations.layers import Container, ReusePolicy
from laminar.errors import FlowError
from laminar.packaging.images import Images
from programs import all_told, artifacts, one_layer, run, several, told, write
from shells import PROGRAM

#: A flow whose disk fills up just before its attempt is handed to a container, or amid its work.
FILLING = """
    class OneFlow(Flow): ...

    @OneFlow.register
    class Only(Layer):
        def __call__(self):
            self.large = os.urandom({size})

        @hooks.submission
        def fill(self):
            if {fills} and not self.execution.retry:
                os.mkdir("root/filling")
                for number in range(1000):
                    try:
                        open("root/filling/" + str(number), "w").close()
                    except OSError:
                        break
"""
#: By name: what is registered, or the executor; type of the error; words that must be in it.
MISTAKES = {
    "an image that does not exist": (
        "container=Container(image='no-such/image:1')",
        "ImagePullError",
        ["no image no-such/image:1", "docker.io", "docker load"],
    ),
    "a build that fails": (
        "container=Container(image=Image.from_registry('{prepared}').with_commands('echo last words; exit 9'))",
        "ImageBuildError",
        ["RUN echo last words; exit 9", "last words\n", "root/logs/images/", "Mend the step"],
    ),
    "a Dockerfile that fails": (
        "container=Container(image=Image.from_dockerfile('Failing'))",
        "ImageBuildError",
        ["RUN echo seen && exit 7", "seen\n"],
    ),
    "a Dockerfile that is missing": (
        "container=Container(image=Image.from_dockerfile('Missing'))",
        "FlowError",
        ["Image.from_dockerfile", "/Missing cannot be read"],
    ),
    "more processors than there are": ("container=Container(cpu=999)", "PlacementError", ["cpu=999", "Ask for less"]),
    "more memory than there is": (
        "resources=Resources(memory='900Gi')",
        "PlacementError",
        ["memory='900Gi'", "Ask for less"],
    ),
    "more disk than there is": (
        "container=Container(disk='900Ti')",
        "PlacementError",
        ["disk='900Ti'", "MB that are free", "Ask for less"],
    ),
    "less memory than the engine grants": ("container=Container(memory=1)", "EngineError", ["memory limit"]),
    "a GPU where there is none": (
        "container=Container(gpu=1)",
        "PlacementError",
        ["gpu=1", "NVIDIA Container Toolkit"],
    ),
    "a GPU of a kind": ("container=Container(gpu='A100:2')", "PlacementError", ["gpu='A100:2'", "NVIDIA"]),
    "a network that does not exist": (
        "executors.Docker(network='nosuch')",
        "PlacementError",
        ["no network 'nosuch'", "docker network create nosuch"],
    ),
    "a mount of nothing": (
        "executors.Docker(mounts={'/no/such': '/there'})",
        "PlacementError",
        ["Docker(mounts={'/no/such': …})", "no such file or folder"],
    ),
    "an image without python": ("container=Container(image='{bare}')", "PlacementError", ["no python on its PATH"]),
    "an image without laminar": (
        "container=Container(image='{without}')",
        "PlacementError",
        ["Image {without} cannot run layers", "Image.from_registry('{without}')"],
    ),
    "an image with another laminar": (
        "container=Container(image='{other}')",
        "PlacementError",
        ["Image {other} cannot run layers", "laminar 1999.1", "Image.from_registry('{other}')"],
    ),
}
ON_PODMAN = ["an image that does not exist", "a build that fails", "a GPU where there is none"]
ON_PODMAN += ["more processors than there are", "a network that does not exist", "an image without python"]
#: Those that are found out in different places; the others differ in words alone.
RESUMED = ["an image that does not exist", "a network that does not exist", "an image without laminar"]


@pytest.fixture
def place(tmp_path: Path) -> Callable[[Engine, str], str]:
    """Put the names of images into a text; those that laminar cannot use are made, each with a name of the tests."""

    def bare(engine: Engine) -> str:
        return engine.image

    def prepared(engine: Engine) -> str:
        return engine.prepared()

    def without(engine: Engine) -> str:
        return built(engine, "without", f"FROM {engine.image}\nRUN ln -s python3 /usr/bin/python\n")

    def other(engine: Engine) -> str:
        older = "RUN echo 'VERSION = \"1999.1\"' > $(python -c 'import laminar.version as v; print(v.__file__)')"
        return built(engine, "other", f"FROM {asyncio.run(_automatic(tmp_path))}\nUSER root\n{older}\n")

    def built(engine: Engine, name: str, dockerfile: str) -> str:
        engine.docker("build", "--tag", f"{engine.prefix}-{name}", "-", stdin=dockerfile)
        return f"{engine.prefix}-{name}"

    def put(engine: Engine, text: str) -> str:
        for make in (bare, prepared, without, other):
            word = f"{{{make.__name__}}}"
            text = text.replace(word, make(engine)) if word in text else text
        return text

    return put


async def _automatic(folder: Path) -> str:
    async with aiodocker.Docker(os.environ["DOCKER_HOST"]) as client:
        return await Images(client, lambda line: None, str(folder / "logs")).ready(Image.from_debian_base())


def mistaken(code: str) -> dict[str, str]:
    """Give the case of a program that makes a mistake, unless ``MENDED`` is in its environment."""
    where, good = ("executor", "executors.Docker()") if code.startswith("executors") else ("registration", "None")
    return {"body": "self.told = 'done'", where: f"{code} if 'MENDED' not in os.environ else {good}"}


def see(found: dict[str, Any], kind: str, words: list[str]) -> None:
    """See that an error was told, with all words."""
    assert found.get("type") == kind, found
    said = "\n".join([found["text"], *found["notes"]])
    for word in words:
        assert word in said, found


@pytest.mark.parametrize(
    ("engine", "mistakes"),
    [("docker", [name for name in MISTAKES if name not in RESUMED]), ("podman", ON_PODMAN)],
    ids=["docker", "podman"],
)
def test_mistakes_are_told_with_the_remedy(
    engine_named: Callable[[str], Engine],
    place: Callable[[Engine, str], str],
    tmp_path: Path,
    engine: str,
    mistakes: list[str],
) -> None:
    made = engine_named(engine)
    (tmp_path / "Failing").write_text(f"FROM {made.image}\nRUN echo seen && exit 7\n")
    script = several(tmp_path, {name: mistaken(place(made, MISTAKES[name][0])) for name in mistakes})
    found = all_told(script)
    for name in mistakes:
        _, kind, words = MISTAKES[name]
        see(found[name], kind, [place(made, word) for word in words])


@pytest.mark.parametrize("mistake", RESUMED)
def test_a_run_goes_on_once_its_mistake_is_mended(
    engine_named: Callable[[str], Engine], place: Callable[[Engine, str], str], tmp_path: Path, mistake: str
) -> None:
    made = engine_named("docker")
    code, kind, words = MISTAKES[mistake]
    case = mistaken(place(made, code))
    body = case.pop("body")
    script = one_layer(tmp_path, body, **case)
    words = [*(place(made, word) for word in words), "Resume with: laminar resume main.py run"]
    see(told(script, timeout=40), kind, words)
    done = resumed(script, MENDED="1")
    assert done.returncode == 0, done.stderr


def resumed(script: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "resume", script.name, "run"]
    environment = {**os.environ, **env}
    return subprocess.run(
        command, cwd=script.parent, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def closed_socket(folder: Path) -> str:
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(folder / "closed"))
    return f"unix://{folder}/closed"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (lambda folder: f"unix://{folder}/none", "No such file or directory. Start Docker"),
        (closed_socket, "Connection refused. Start Docker"),
        (lambda folder: "tcp://127.0.0.1:9", "at tcp://127.0.0.1:9: "),
        (lambda folder: "banana", "at banana: "),
    ],
    ids=["no socket", "nobody listens", "nobody answers", "nonsense"],
)
def test_an_engine_that_is_not_there_is_told_and_its_absence_ends_the_program(
    tmp_path: Path, address: Callable[[Path], str], words: str
) -> None:
    script = one_layer(tmp_path, "self.done = 'done'")
    script.write_text(script.read_text().replace("except Exception", "except KeyError"))
    done = run(script, env={"DOCKER_HOST": address(tmp_path)}, timeout=40)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()
    assert [line for line in last if "EngineNotReachableError: No container engine answers" in line and words in line]
    assert last[-1] == "Resume with: laminar resume main.py run"


def test_a_machine_without_an_engine_is_told(tmp_path: Path, needs: Callable[[object, str], None]) -> None:
    needs(os.geteuid() == 0, "the right to hide the sockets of its engines")
    script = one_layer(tmp_path, "self.done = 'done'")
    env = {"DOCKER_HOST": "", "CONTAINER_HOST": "", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    found = told(script, env=env, before=hiding("/run"))
    assert found["type"] == "EngineNotReachableError"
    assert "There is no container engine: no DOCKER_HOST" in found["text"]


def hiding(folder: object) -> list[str]:
    """Begin a command that sees an empty folder in place of what others see."""
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(folder)]


def someone_else() -> list[str]:
    """Begin a command that is another user, who may read what root may read: Python may lie in root's folders."""
    reading = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", "1234", "--regid", "1235", "--clear-groups", *reading]


def test_a_socket_that_is_closed_to_the_user_is_told(tmp_path: Path, needs: Callable[[object, str], None]) -> None:
    needs(os.geteuid() == 0, "the right to be another user")
    script = one_layer(tmp_path, "self.done = 'done'", datastore="datastores.Local(root='state')")
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 1234, 1235)
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o600)
        found = told(script, env={"DOCKER_HOST": f"unix://{path}"}, before=someone_else())
    assert found["type"] == "EngineNotReachableError"
    assert f"This user may not use the container engine at unix://{path}. Add the user to the group" in found["text"]


def test_a_missing_client_is_told_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    script = one_layer(tmp_path, "self.done = 'done'")
    blocked = tmp_path / "blocked.py"
    blocked.write_text(
        "import runpy, sys\nsys.modules['aiodocker'] = None\nrunpy.run_path('main.py', run_name='__main__')"
    )
    found = told(blocked)
    assert found["type"] == "FlowError"
    assert "pip install 'laminar[docker]'" in found["text"]
    assert script.exists()


def test_a_folder_that_the_engine_does_not_see_is_told(
    container_engine: Engine, tmp_path: Path, needs: Callable[[object, str], None]
) -> None:
    needs(os.geteuid() == 0, "the right to hide a folder from an engine")
    (tmp_path / "root").mkdir()
    script = one_layer(tmp_path, "self.done = 'done'")
    found = told(script, before=hiding(tmp_path / "root"))
    assert found["type"] == "PlacementError"
    assert f"engine at {container_engine.address}" in found["text"]
    assert "another machine" in found["text"]


@pytest.mark.parametrize(
    ("executor", "server", "kind", "words"),
    [
        (
            "executors.Docker()",
            "http://127.0.0.1:{port}",
            "PlacementError",
            ["127.0.0.1 is the container itself", "Docker(network='host')", "host.docker.internal"],
        ),
        ("executors.Docker()", "http://localhost:{port}", "PlacementError", ["localhost is the container itself"]),
        ("executors.Docker(network='none')", "http://[::1]:{port}", "StorageError", ["http://[::1]:"]),
        ("executors.Docker()", "silence", "StorageError", ["Could not write 7 bytes at s3://bucket/", "that address"]),
    ],
)
def test_a_bucket_that_cannot_be_reached_is_told_before_anything_runs(
    docker_host: str, own_s3: str, tmp_path: Path, executor: str, server: str, kind: str, words: list[str]
) -> None:
    port = own_s3.rpartition(":")[2]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = server.format(port=port) if port else server
        address = f"http://127.0.0.1:{silent.getsockname()[1]}" if server == "silence" else address
        options = moto_process.options(address)
        root = f"s3://{moto_process.BUCKET}/{tmp_path.name}"
        datastore = f"datastores.S3(root={root!r}, **{options})"
        script = one_layer(tmp_path, "self.done = 'done'", executor=executor, datastore=datastore)
        found = told(script, timeout=40)
    assert found["type"] == kind
    for word in words:
        assert word in found["text"]


def test_containers_without_a_network_cannot_reach_a_bucket(
    docker_host: str, shared_s3: tuple[str, str], tmp_path: Path
) -> None:
    options = moto_process.options(shared_s3[0])
    datastore = f"datastores.S3(root='s3://bucket/without a network', **{options})"
    script = one_layer(tmp_path, "pass", executor="executors.Docker(network='none')", datastore=datastore)
    found = told(script)
    assert found["type"] == "PlacementError"
    assert "containers without a network cannot reach it" in found["text"]


def test_a_server_on_the_loopback_is_reached_over_the_network_of_this_machine(
    container_engine: Engine, own_s3: str, tmp_path: Path
) -> None:
    root = f"s3://bucket/{container_engine.name}"
    script = one_layer(
        tmp_path,
        "self.done = 'done'",
        executor="executors.Docker(network='host')",
        datastore=f"datastores.S3(root={root!r}, **{moto_process.options(own_s3)})",
        artifacts="execution.layer(Only).done",
    )
    assert artifacts(script) == "done"


@pytest.fixture(scope="module")
def own_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on the loopback."""
    with moto_process.serving(str(tmp_path_factory.mktemp("moto") / "log")) as address:
        yield address


#: What goes wrong in a container: layer, more of its flow, type, words in the text or the notes.
INSIDE = {
    "a package that only this machine has": (
        "import numpy",
        {},
        "ModuleNotFoundError",
        ["No module named 'numpy'", "with_pip_packages('numpy')", "# /// script", "copy_style='all'"],
    ),
    "what cannot be pickled": (
        "self.stream = (number for number in range(3))",
        {},
        "UnpicklableArtifactError",
        ["Layer Only cannot save its artifact 'stream'", "local variables"],
    ),
    "too many processes": (
        "family = [subprocess.Popen(['sleep', '60']) for _ in range(30)]",
        {"executor": "executors.Docker(pids_limit=20)"},
        "BlockingIOError",
        ["20 processes and threads at a time", "executors.Docker(pids_limit=…)"],
    ),
    "too many threads": (
        "import threading\nfor _ in range(30): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        {"executor": "executors.Docker(pids_limit=20)"},
        "RuntimeError",
        ["20 processes and threads at a time"],
    ),
}


def test_what_goes_wrong_in_a_container_is_told_with_what_the_container_has_to_do_with_it(
    docker_host: str, tmp_path: Path
) -> None:
    found = all_told(several(tmp_path, {name: {"body": body, **more} for name, (body, more, _, _) in INSIDE.items()}))
    for name, (_, _, kind, words) in INSIDE.items():
        see(found[name], kind, words)


def test_a_package_at_the_top_of_a_program_that_only_this_machine_has_is_told(docker_host: str, tmp_path: Path) -> None:
    found = told(one_layer(tmp_path, "pass", top="import numpy.linalg"))
    see(found, "CodeLoadError", ["main.py", "import numpy.linalg", "with_pip_packages('numpy')"])


def test_a_datastore_in_memory_is_refused_where_the_flow_is_made(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"Memory\(\) cannot be seen from other processes.*Docker\(\) runs layers"):
        type("OneFlow", (Flow,), {})(datastore=datastores.Memory(), executor=executors.Docker())


@pytest.mark.parametrize("when", ["before", "amid"])
def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_room(
    docker_host: str, tmp_path: Path, needs: Callable[[object, str], None], when: str
) -> None:
    needs(os.geteuid() == 0, "the right to mount a small disk")
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=300", "none", str(root)], check=True)
    try:
        body = FILLING.format(size=5_000_000 if when == "amid" else 5, fills=when == "before")
        script = write(tmp_path, body, artifacts="len(execution.layer(Only).large)")
        found = told(script)
        assert found["type"] == "StorageError"
        assert "No space left on device" in found["text"]
        assert str(root) in found["text"]
        shutil.rmtree(root / "filling", ignore_errors=True)
        subprocess.run(["mount", "-o", "remount,size=20m", str(root)], check=True)
        done = resumed(script)
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["umount", str(root)], check=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: executors.Docker(image=3), "expects the name of an image"),
        (lambda: executors.Docker(image=""), "expects the name of an image"),
        (lambda: executors.Docker(copy_style="some"), "expects one of loaded_modules, all, none"),
        (lambda: executors.Docker(reuse=3), r"expects ReusePolicy\(…\)"),
        (lambda: executors.Docker(pids_limit=0), "expects a whole number from 1"),
        (lambda: executors.Docker(pids_limit=True), "expects a whole number from 1"),
        (lambda: executors.Docker(concurrency=0), "expects a whole number from 1"),
        (lambda: executors.Docker(timeout="soon"), "is not a number"),
        (lambda: executors.Docker(network=3), r"Docker\(network=3\): expects"),
        (lambda: executors.Docker(network=""), r"Docker\(network=''\): expects"),
        (lambda: executors.Docker(engine=3), r"Docker\(engine=3\): expects"),
        (lambda: executors.Docker(engine=""), r"Docker\(engine=''\): expects"),
        (lambda: executors.Docker(extra_hosts=["a:b"]), r"Docker\(extra_hosts=\['a:b'\]\): expects"),
        (lambda: executors.Docker(extra_hosts={"a": 3}), r"Docker\(extra_hosts=\{'a': 3\}\): expects"),
        (lambda: executors.Docker(mounts="/data"), r"Docker\(mounts='/data'\): expects"),
        (lambda: executors.Docker(mounts={"/data": None}), r"Docker\(mounts="),
        (lambda: executors.Docker(mounts={"data": "/data"}), "expects absolute paths"),
        (lambda: executors.Docker(mounts={"/data": "data:ro"}), "expects absolute paths"),
        (lambda: Container(image=3), r"Container\(image=3\): expects"),
        (lambda: Container(image=""), r"Container\(image=''\): expects"),
        (lambda: Container(command=""), r"Container\(command=''\): expects"),
        (lambda: Container(command=["python"]), r"Container\(command=\['python'\]\): expects"),
        (lambda: Container(workdir="here"), "absolute path"),
        (lambda: Container(workdir="/"), "absolute path"),
        (lambda: Container(cpu="many"), "cpu='many' is not a number"),
        (lambda: Container(cpu=0), "cpu=0 must be more than 0"),
        (lambda: Container(memory="banana"), "memory='banana' is no amount"),
        (lambda: Container(shm="-1Mi"), "shm='-1Mi'"),
        (lambda: Container(disk=[]), r"disk=\[\] is no amount"),
        (lambda: Container(gpu="A100"), "gpu='A100' is no number of GPUs"),
        (lambda: Container(gpu=-1), "gpu=-1 is no number of GPUs"),
        (lambda: Container(gpu=True), "gpu=True is no number of GPUs"),
        (lambda: Container(gpu=1.5), "gpu=1.5 is no number of GPUs"),
        (lambda: Container(reuse=True), r"Container\(reuse=True\): expects"),
        (lambda: Container(env={"A": 3}), r"Container\(env=…\): expects strings"),
        (lambda: Container(env=["A=3"]), r"Container\(env=…\): expects"),
        (lambda: Container(env={"A=B": "c"}), r"Container\(env=…\): 'A=B' is no name"),
        (lambda: Container(env={"": "c"}), r"Container\(env=…\): '' is no name"),
        (lambda: ReusePolicy(replicas=0), r"ReusePolicy\(replicas=0\): expects"),
        (lambda: ReusePolicy(replicas="two"), r"ReusePolicy\(replicas='two'\): expects"),
        (lambda: ReusePolicy(replicas=None), r"ReusePolicy\(replicas=None\): expects"),
        (lambda: ReusePolicy(replicas=1.5), r"ReusePolicy\(replicas=1.5\): expects"),
        (lambda: ReusePolicy(replicas=(2, 1)), r"ReusePolicy\(replicas=\(2, 1\)\): expects"),
        (lambda: ReusePolicy(replicas=True), r"ReusePolicy\(replicas=True\): expects"),
        (lambda: ReusePolicy(idle_ttl=0), r"ReusePolicy\(idle_ttl\)=0 must be more than 0"),
        (lambda: ReusePolicy(concurrency=1.5), r"ReusePolicy\(concurrency=1.5\): expects"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(make: Callable[[], object], words: str) -> None:
    with pytest.raises(FlowError, match=words):
        make()
