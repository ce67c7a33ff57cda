"""What a plan says is done: images first, then the bundle, then what needs both; and nothing twice."""

from __future__ import annotations

import json
import os
import sys
import tarfile

import pytest
from plans import Project

MAIN = """
import laminar
inner = laminar.TaskEnvironment("inner")
env = laminar.TaskEnvironment("outer", depends_on=[inner])

@inner.task
def deep(x: int = 1) -> int:
    return x

@env.task
def work(x: int) -> int:
    return deep(x)
"""

#: A place that is a folder: what was sent lies in it, and ``log`` lists what was asked of it.
FOLDER = """
import json, os, shutil
import msgspec
from laminar.errors import VersionConflictError
from laminar.runs.registering import Deployer
from laminar.wire.deployments import DeploymentView, DeployRequest

class Folder(Deployer):
    def __init__(self, path, containers=False, near=True):
        self.place = "a folder"
        self.path, self.containers, self.near, self.log = path, containers, near, []
        os.makedirs(path, exist_ok=True)

    def runs_containers(self):
        return self.containers

    def shares_engine(self):
        return self.near

    def upload(self, bundle):
        name = os.path.join(self.path, bundle.md5.replace("/", "_"))
        if os.path.exists(name):
            self.log.append("bundle is there")
            return False
        bundle.write(name)
        self.log.append("bundle sent")
        return True

    def known(self, name):
        path = os.path.join(self.path, name + ".json")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=DeployRequest)

    def register(self, request):
        before = self.known(f"{request.name}-{request.version}")
        self.log.append(request.name)
        if before is not None and before.content != request.content:
            raise VersionConflictError(f"{request.name} {request.version} is there with other content.")
        for name in (f"{request.name}-{request.version}", request.name):
            with open(os.path.join(self.path, name + ".json"), "wb") as file:
                file.write(msgspec.json.encode(request))
        return self.view(request, before is not None)

    def view(self, request, existed=False):
        return DeploymentView(
            space="p/d", kind=request.kind, name=request.name, version=request.version, content=request.content,
            bundle=request.bundle, entities=tuple(spec.name for spec in request.entities), created=0.0, existed=existed,
        )

    def newest(self, kind, name):
        known = self.known(name)
        return None if known is None else self.view(known)

    def entity(self, name, version):
        known = self.known(name.partition(".")[0] + "-" + version)
        return {spec.name: spec for spec in known.entities}.get(name)
"""
APPLY = """
import main
from folder import Folder
from laminar.runs.deploying import apply, compared
from laminar.runs.planning import plan

def applied(to, *things, **how):
    to.log.clear()
    try:
        made = apply(plan(things, **how), to, to.log.append)
    except LaminarError as error:
        return {"refused": type(error).__name__, "says": str(error), "log": [*to.log]}
    return {"log": [*to.log], "existed": [one.existed for one in made], "says": [one.summary_repr() for one in made]}

def differing(to, *things):
    return [one.differs for one in compared(plan(things), to)]
"""


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path / "project")
    made.write("main.py", MAIN)
    made.write("folder.py", FOLDER)
    made.write("pyproject.toml")
    return made


def test_the_bundle_is_sent_before_what_needs_it_and_what_is_called_before_who_calls_it(project):
    found = project.plan(f"{APPLY}\nto = Folder('there')\napplied(to, main.env)")

    assert found["log"][0] == "bundle sent"
    assert found["log"][1].startswith("Sent 3 files of ")  # with the module that the program itself has loaded
    assert found["log"][2:] == ["inner", "outer"]
    assert found["existed"] == [False, False]
    assert found["says"][0].endswith("Deployed to a folder.")


def test_what_is_deployed_again_unchanged_is_not_sent_again(project):
    first = project.plan(f"{APPLY}\nto = Folder('there')\napplied(to, main.env)")
    again = project.plan(f"{APPLY}\nto = Folder('there')\napplied(to, main.env)", PYTHONHASHSEED="9")

    assert "bundle sent" in first["log"]
    assert again["log"] == ["bundle is there", "inner", "outer"]
    assert again["existed"] == [True, True]
    assert again["says"][0].endswith("It was in a folder already.")


def test_a_version_by_hand_that_is_there_with_other_content_is_a_conflict(project):
    deploy = f"{APPLY}\nto = Folder('there')\napplied(to, main.inner, version='1')"
    project.plan(deploy)
    assert project.plan(deploy)["existed"] == [True]

    project.write("main.py", MAIN.replace("return x", "return x + 1"))

    assert project.plan(deploy)["refused"] == "VersionConflictError"


def test_a_dry_run_says_how_the_plan_differs_from_what_was_deployed_last(project):
    compare = f"{APPLY}\nto = Folder('there')\ndiffering(to, main.env)"
    assert project.plan(compare) == [["new: nothing of that name is in a folder"]] * 2
    made = project.plan(f"{APPLY}\nto = Folder('there')\n[applied(to, main.env), plan([main.env]).version]")[1]
    assert project.plan(compare) == [[], []]

    more = "\n@inner.task\ndef more() -> None: ...\n"
    changed = MAIN.replace("x: int = 1", "x: int = 2").replace("def work", "def works")
    project.write("main.py", changed + more)
    outer, inner = project.plan(compare)

    assert outer == [f"removed since version {made}: outer.work", f"new since version {made}: outer.works"]
    assert inner == [f"changed since version {made}: inner.deep (interface)", f"new since version {made}: inner.more"]

    project.write("main.py", MAIN.replace("return deep(x)", "return deep(x) + 1"))
    assert project.plan(compare)[0] == [f"changed since version {made}: the files"]


def test_images_without_a_registry_are_refused_where_the_server_is_on_another_machine(project):
    project.write(
        "main.py", MAIN.replace('"inner"', '"inner", image=laminar.Image.from_debian_base().with_apt_packages("git")')
    )

    found = project.plan(f"{APPLY}\napplied(Folder('there', containers=True, near=False), main.env)")

    assert found["refused"] == "DeploymentError"
    assert "names no registry" in found["says"]
    assert found["log"] == []


def test_where_tasks_run_in_processes_no_image_is_built(project):
    project.write("main.py", MAIN.replace('"inner"', '"inner", image=laminar.Image.from_debian_base()'))

    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:1", "CONTAINER_HOST": ""}
    found = project.plan(f"{APPLY}\napplied(Folder('there'), main.env)", **nowhere)
    refused = project.plan(f"{APPLY}\napplied(Folder('other', containers=True), main.env)", **nowhere)

    assert found["log"][-1] == "outer"
    assert refused["refused"] == "EngineNotReachableError"
    assert refused["log"] == []


def test_what_arrives_says_how_it_is_loaded(project):
    project.plan(f"{APPLY}\napplied(Folder('there'), main.env)")
    (archive,) = [path for path in (project.folder / "there").iterdir() if path.suffix != ".json"]

    with tarfile.open(archive) as opened:
        said = json.load(opened.extractfile(".laminar/code.json"))

    assert (said["imports"], said["path"], said["argv"]) == (["main"], [""], ["main.py"])


def test_a_script_that_deploys_itself_is_loaded_up_to_there_where_it_runs(project):
    project.write(
        "script.py",
        MAIN
        + """
def marked() -> str:
    return "all is defined"

if __name__ == "__main__":
    from folder import Folder
    from laminar.runs import registering
    registering.server = lambda: Folder("there")
    print(laminar.deploy(env)[0].summary_repr())
    print("behind")
""",
    )
    done = project.run(sys.executable, "script.py")
    assert done.stdout.splitlines()[-1] == "behind"
    (archive,) = [path for path in (project.folder / "there").iterdir() if path.suffix != ".json"]
    placed = project.folder / "placed"
    placed.mkdir()
    with tarfile.open(archive) as opened:
        opened.extractall(placed, filter="data")
    program = f"""
import sys
from laminar.model.action import EntryRef
from laminar.packaging.record import code_of
from laminar.worker import assignment, loading
code = code_of({str(placed)!r})
assignment.assign(assignment.Assignment("outer", "run", stops=True))
loading.load(code.replace(path=(*code.path, *sys.path)), EntryRef("builtins:str", ""))
print(sys.modules["__main__"].marked())
"""

    assert project.run(sys.executable, "-c", program, cwd="..").stdout == "all is defined\n"


def test_an_image_is_built_once_where_tasks_run_in_containers(project, engine_named):
    engine = engine_named("docker")
    name = f"{engine.prefix.removeprefix('laminar-')}-deployed"
    image = f'laminar.Image.from_debian_base(name="{name}").with_env_vars({{"MADE": "by deploying"}})'
    project.write("main.py", MAIN.replace('"inner"', f'"inner", image={image}'))
    variables = {name: os.environ[name] for name in engine.variables}
    deploy = f"{APPLY}\nto = Folder('there', containers=True)\n[applied(to, main.env), *plan([main.env]).images]"

    first, tag = project.plan(deploy, **variables)
    again, _ = project.plan(deploy, **variables)

    assert engine.docker("run", "--rm", tag, "printenv", "MADE") == "by deploying"
    building = [line for line in first["log"] if line.startswith("Building the image ")]
    assert building == [f"Building the image {tag}."]
    assert first["log"].index(building[0]) < first["log"].index("bundle sent")
    assert again["log"] == ["bundle is there", "inner", "outer"]
