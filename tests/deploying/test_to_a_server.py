"""Deploying to a real server."""

from __future__ import annotations

import json
import sys
import zlib

import pytest
from plans import Project, serving

MAIN = """
import laminar
from laminar import Flow, Layer

inner = laminar.TaskEnvironment("{name}-inner")
env = laminar.TaskEnvironment("{name}", depends_on=[inner])

@inner.task
def deep(x: int) -> int:
    return x

@env.task
def work(x: int) -> int:
    return deep(x)

class Train(Flow): ...

@Train.register
class Fit(Layer):
    def __call__(self) -> None:
        self.x = work(1)

if __name__ == "__main__":
    for deployment in laminar.deploy(env):
        print(deployment.summary_repr())
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def project(tmp_path, request, address):
    """A project of names of its own, for which the server is configured."""
    made = Project(tmp_path / "project")
    name = f"n{zlib.crc32(request.node.name.encode())}"
    made.write("main.py", MAIN.format(name=name).replace("Train", f"Train{name}"))
    made.write("config.yaml", f"server:\n  endpoint: {address}\n")
    made.name = name
    return made


def deployed(project, *words, code=0):
    done = project.laminar("deploy", "main.py", *words, "-o", "json", code=code)
    return json.loads(done.stdout)["deployments"] if code == 0 else None, done.stderr


def test_what_is_deployed_is_there_and_is_not_sent_again(project, address):
    made, said = deployed(project, "env")
    assert "Sent 2 files of " in said
    assert [(one["name"], one["existed"]) for one in made] == [(project.name, False), (f"{project.name}-inner", False)]
    assert made[0]["place"] == f"default/development at {address}"

    again, said = deployed(project, "env")
    assert said == ""
    assert [one["existed"] for one in again] == [True, True]
    assert [one["version"] for one in again] == [one["version"] for one in made]


def test_a_script_deploys_itself(project, address):
    done = project.run(sys.executable, "main.py", LAMINAR_SERVER_ENDPOINT=address)

    outer, inner = done.stdout.splitlines()
    assert outer.startswith(f"Environment {project.name}, version ")
    assert outer.endswith(f"Deployed to default/development at {address}.")
    assert inner.startswith(f"Environment {project.name}-inner, version ")


def test_flows_are_deployed_with_their_layers_and_the_tasks_that_these_call(project):
    made, _ = deployed(project, f"Train{project.name}")

    assert [(one["kind"], one["name"]) for one in made] == [
        ("flow", f"Train{project.name}"),
        ("environment", project.name),
        ("environment", f"{project.name}-inner"),
    ]


def test_a_dry_run_compares_with_what_the_server_has(project, address):
    first, _ = deployed(project, "env", "--dryrun")
    assert first[0]["differs"] == [f"new: nothing of that name is in default/development at {address}"]

    made, _ = deployed(project, "env")
    same, _ = deployed(project, "env", "--dryrun")
    assert same[0]["differs"] == []

    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("def deep(x: int)", "def deep(x: float)"))
    other, _ = deployed(project, "env", "--dryrun")
    assert other[1]["differs"] == [f"changed since version {made[0]['version']}: {project.name}-inner.deep (interface)"]
    assert other[1]["existed"] is False


def test_a_version_that_is_there_with_other_content_is_refused(project):
    deployed(project, "env", "--version", "1")
    deployed(project, "env", "--version", "1")
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("return deep(x)", "return deep(x) + 1"))

    _, said = deployed(project, "env", "--version", "1", code=1)

    assert f"{project.name}-inner" in said
    assert "version" in said


def test_projects_and_domains_are_apart(project, address):
    deployed(project, "env")

    other, _ = deployed(project, "env", "--domain", "production")

    assert other[0]["place"] == f"default/production at {address}"
    assert other[0]["existed"] is False
