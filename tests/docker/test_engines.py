"""Programs of all kinds in containers of both engines: how they are started, what travels, and whose the files are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engines import Engine
from programs import HOLD, artifacts, inspected, one_layer, run, write
from shells import PROGRAM

IN_CONTAINER = "any(map(os.path.exists, ('/.dockerenv', '/run/.containerenv')))"


def test_a_container_bears_labels_and_is_as_closed_as_can_be(container_engine: Engine, tmp_path: Path) -> None:
    body = """
        class OneFlow(Flow): ...

        @OneFlow.register(retry=Retry(attempts=2, delay=0.01))
        class Held(Layer):
            def __call__(self):
                if self.attempt == 1:
                    raise ValueError("once")
                hold("root")
    """
    body = body.replace('hold("root")', f"hold({str(tmp_path / 'root')!r})")
    script = write(tmp_path, HOLD, body, executor="executors.Docker(network='none')")
    text, _ = inspected(container_engine, script, tmp_path / "root")
    (found,) = json.loads(text)
    labels = {name: value for name, value in found["Config"]["Labels"].items() if name.startswith("laminar.")}
    assert len(labels.pop("laminar.installation")) >= 8
    labels.pop("laminar.version", None)
    assert labels == {
        "laminar.flow": "OneFlow",
        "laminar.run": "run",
        "laminar.action": "Held[0]",
        "laminar.attempt": "2",
        "laminar.epoch": "1",
    }
    assert found["HostConfig"]["NetworkMode"] == "none"
    assert found["HostConfig"]["PidsLimit"] == 4096
    assert found["HostConfig"]["Init"] is True
    assert not found["HostConfig"]["Privileged"]
    mounts = {mount["Destination"]: mount["RW"] for mount in found["Mounts"] if "shm" not in mount["Destination"]}
    assert mounts == {str(tmp_path / "root"): True, "/laminar": True}
    folders = [mount["Source"] for mount in found["Mounts"] if mount["Destination"] == "/laminar"]
    assert not os.path.exists(folders[0])


def test_files_belong_to_who_started_the_scheduler(
    container_engine: Engine, tmp_path: Path, needs: Callable[[object, str], None]
) -> None:
    needs(os.geteuid() == 0, "the right to be another user")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tmp_path.parent.parent):
            folder.chmod(0o755)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 1234, 1235)
    body = """
        self.who = [os.getuid(), os.getgid(), os.getgroups()]
        with open(f"{os.environ['STATE']}/made", "w") as file:
            file.write("by the layer")
        print("so there is a log")
        self.large = bytes(300_000)
    """
    registration = f"container=Container(env={{'STATE': {str(state)!r}}})"
    script = one_layer(
        tmp_path,
        body,
        registration=registration,
        datastore=f"datastores.Local(root={str(state)!r})",
        artifacts="execution.layer(Only).who",
    )
    # who may read what root may read, since Python may lie in root's folders, and write to the engine's socket
    group = os.stat(container_engine.address.removeprefix("unix://")).st_gid
    allowed = ",".join(f"+{right}" for right in ("dac_read_search", "dac_override"))
    rights = ["--inh-caps", allowed, "--ambient-caps", allowed]
    someone = ["setpriv", "--reuid", "1234", "--regid", "1235", "--groups", str(group), *rights]
    assert artifacts(script, before=someone) == [1234, 1235, [1235]]
    found = {(path.stat().st_uid, path.stat().st_gid) for path in [state, *state.rglob("*")]}
    assert found == {(1234, 1235)}
    assert (state / "made").read_text() == "by the layer"


KINDS = """
    class OneFlow(Flow): ...

    def place():
        return [os.getcwd(), sys.argv[1:], CONTAINED, __name__]

    @OneFlow.register(container=Container(command="python main.py --deeply 'in there'"))
    class Commanded(Layer):
        def __call__(self):
            self.place = place()

    @OneFlow.register(container=Container(command="sh -c 'cd /tmp && cp /laminar/main.py . && exec python main.py'"))
    class Shelled(Layer):
        def __call__(self):
            self.place = place()
""".replace("CONTAINED", IN_CONTAINER)


def test_a_layer_may_have_a_command_of_its_own(docker_host: str, tmp_path: Path) -> None:
    script = write(tmp_path, KINDS, artifacts="[execution.layer('Commanded').place, execution.layer('Shelled').place]")
    assert artifacts(script, "given") == [
        ["/laminar", ["--deeply", "in there"], True, "__main__"],
        ["/tmp", [], True, "__main__"],
    ]


@pytest.mark.parametrize(
    ("reuse", "count"),
    [("None", 6), ("ReusePolicy(replicas=(0, 2), idle_ttl=5, concurrency=2)", 20)],
    ids=["cold", "warm"],
)
def test_many_splits_hooks_and_chains(docker_host: str, tmp_path: Path, reuse: str, count: int) -> None:
    body = """
        class OneFlow(Flow):
            @hooks.execution
            def around(self):
                self.before = os.getpid()
                yield

        @OneFlow.register
        class First(Layer):
            def __call__(self):
                self.shard(number=range(COUNT))

        @OneFlow.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="number")]))
        class Each(Layer):
            def __call__(self, first: First):
                self.square = first.number ** 2

        class Second(Flow): ...

        @Second.register
        class Last(Layer):
            def __call__(self, parameters: "Parameters"):
                self.total = sum(parameters.squares)

        from laminar import Parameters
    """
    body = body.replace("COUNT", str(count))
    total = (
        "execution.next(flow=Second(datastore=flow.configuration.datastore, executor=flow.configuration.executor, "
        "scheduler=flow.configuration.scheduler), "
        "linker=lambda done: Parameters(squares=list(done.layer(Each).square))).layer(Last).total"
    )
    script = write(tmp_path, body, executor=f"executors.Docker(concurrency=4, reuse={reuse})", artifacts=total)
    assert artifacts(script) == sum(number**2 for number in range(count))


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/words.py": "WORD = 'relative'\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/numbers.py": "from ..words import WORD\nNUMBERS = [WORD, 1]\n",
    "pkg/mod.py": """
import json, os, sys
from laminar import Flow, Layer
from laminar.configurations import executors
from .deep.numbers import NUMBERS

class OneFlow(Flow): ...

@OneFlow.register
class Only(Layer):
    def __call__(self):
        self.found = [NUMBERS, __name__, __package__, sys.argv[1:], ISIN]

flow = OneFlow(executor=executors.Docker())
if __name__ == "__main__" and flow:
    print("TOLD", json.dumps({"artifacts": flow().layer(Only).found}))
""".replace("ISIN", IN_CONTAINER),
}


def test_a_package_is_started_as_a_module(docker_host: str, tmp_path: Path) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pkg.mod", "word"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "TOLD " in done.stdout, done.stderr
    found = json.loads(done.stdout.partition("TOLD ")[2])["artifacts"]
    assert found == [["relative", 1], "__main__", "pkg", ["word"], True]


PLAIN = """
import os
from laminar import Flow, Layer

class OneFlow(Flow): ...

@OneFlow.register
class Only(Layer):
    def __call__(self):
        self.inside = ISIN

class OtherFlow(Flow): ...

@OtherFlow.register
class Only(Layer):
    def __call__(self):
        self.inside = [ISIN]
""".replace("ISIN", IN_CONTAINER)


@pytest.mark.parametrize(
    ("flow", "shown", "arguments", "env"),
    [
        ("OneFlow", "True", ["--executor", "docker"], {}),
        ("OtherFlow", "[True]", [], {"LAMINAR_EXECUTOR": "docker"}),
    ],
    ids=["option", "variable"],
)
def test_the_command_line_runs_any_flow_of_a_file_in_containers(
    docker_host: str, tmp_path: Path, flow: str, shown: str, arguments: list[str], env: dict[str, str]
) -> None:
    (tmp_path / "flows.py").write_text(PLAIN)
    done = shell(tmp_path, "run", *arguments, "flows.py", flow, **env)
    assert done.returncode == 0, done.stderr
    shown_by = "import sys; from flows import *; flow = {0}(); print(flow.execution({1!r}).layer('Only').inside)"
    run_id = next(iter((tmp_path / ".laminar" / flow / "archives").iterdir())).name
    code = shown_by.format(flow, run_id)
    read = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert read.stdout.strip() == shown


def shell(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_flow_of_a_notebook_runs_in_containers(docker_host: str, tmp_path: Path) -> None:
    code = one_layer(tmp_path, f"self.inside = {IN_CONTAINER}", artifacts="execution.layer(Only).inside").read_text()
    done = subprocess.run(
        [sys.executable, "-"], input=code, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "TOLD " in done.stdout, done.stderr
    assert json.loads(done.stdout.partition("TOLD ")[2]) == {"artifacts": True}


def test_what_a_script_declares_is_in_its_image_and_layers_may_have_images_of_their_own(
    docker_host: str, base_image: str, tmp_path: Path
) -> None:
    body = f"""
        class OneFlow(Flow): ...

        def versions():
            from importlib.metadata import distributions
            return sorted(one.name for one in distributions() if one.name in ("iniconfig", "toolz"))

        @OneFlow.register
        class Declared(Layer):
            def __call__(self):
                self.packages = versions()

        @OneFlow.register(container=Container(image=Image.from_debian_base().with_pip_packages("toolz")))
        class Own(Layer):
            def __call__(self):
                self.packages = versions()

        @OneFlow.register(container=Container(image=Image.from_registry({base_image!r}).with_env_vars({{"SET": "so"}})))
        class Based(Layer):
            def __call__(self):
                self.packages = [*versions(), os.environ["SET"]]
    """
    script = write(tmp_path, body, artifacts="[execution.layer(n).packages for n in ('Declared', 'Own', 'Based')]")
    header = "# /// script\n# requires-python = '>=3.11'\n# dependencies = ['iniconfig']\n# ///\n"
    script.write_text(header + script.read_text())
    assert artifacts(script) == [["iniconfig"], ["toolz"], ["so"]]


def test_all_files_of_a_project_travel_where_that_is_asked_for_and_its_datastore_does_not(
    docker_host: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("these words")
    script = one_layer(
        tmp_path,
        "self.found = [open('data/words.txt').read(), sorted(os.listdir('.'))]",
        executor="executors.Docker(copy_style='all')",
        artifacts="execution.layer(Only).found",
    )
    assert artifacts(script) == ["these words", ["data", "main.py"]]
    assert run(script).returncode == 0
