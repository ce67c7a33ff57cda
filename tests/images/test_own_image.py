"""laminar's own image: what ``docker build`` makes of the repository."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import laminar
from engines import DOCKER

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["1", "0"], ids=["buildkit", "classic"])
def own(request, docker_workshop):
    """The image, and the workshop that has it."""
    tag = f"{docker_workshop.engine.prefix}-own-{request.param}:1"
    done = subprocess.run(
        [DOCKER, "build", "--network", "host", "--build-arg", f"BASE={docker_workshop.engine.image}", "-t", tag, ROOT],
        env={**os.environ, "DOCKER_BUILDKIT": request.param},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return docker_workshop, tag


def test_it_runs_flows_as_a_user_who_is_not_root_and_takes_more_packages(own):
    workshop, tag = own
    configuration = json.loads(workshop.engine.docker("inspect", tag))[0]["Config"]
    assert configuration["User"] == "laminar"
    assert configuration["WorkingDir"] == "/laminar"
    assert configuration["Labels"]["laminar.version"] == laminar.__version__
    check = configuration["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    (workshop.folder / "main.py").write_text(
        "from laminar import Flow, Layer\n"
        "class F(Flow): ...\n"
        "@F.register\n"
        "class A(Layer):\n"
        "    def __call__(self) -> None:\n"
        "        import six\n"
        "        self.b = six.__name__\n"
        "if flow := F():\n"
        "    print(flow().layer(A).b)\n"
    )
    (workshop.folder / "requirements.txt").write_text("six\n")
    (workshop.folder / "Dockerfile").write_text(
        f"FROM {tag}\nWORKDIR /laminar\nCOPY . ./\nRUN pip install --requirement requirements.txt\n"
    )
    mine = f"{workshop.engine.prefix}-mine:1"
    workshop.engine.docker("build", "--network", "host", "-t", mine, str(workshop.folder))
    volume = f"{workshop.engine.prefix}-state"
    try:
        said = workshop.engine.docker(
            "run", "--rm", "-e", "LAMINAR_QUIET=1", "-v", f"{volume}:/laminar/.laminar", mine, "python", "main.py"
        )
        assert said == "six"
        assert (
            workshop.within(mine, "stat -c %u .laminar/ledger.db; id -u", "-v", f"{volume}:/laminar/.laminar").split()
            == ["1000"] * 2
        )
    finally:
        workshop.engine.docker("volume", "rm", volume)
    workshop.engine.docker("run", "--rm", mine, *check[1:])
    workshop.within(mine, "python -c 'import aiodocker, laminar.executors.docker'")
    assert workshop.within(mine, "touch /laminar/anybody && echo yes", "--user", "4321") == "yes"
