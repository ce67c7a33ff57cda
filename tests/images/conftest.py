"""Images on real engines."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from workshop import Workshop


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Makes workshops, in which images stand upon a base that has what laminar needs."""

    def make(engine, builder=""):
        monkeypatch.setenv("LAMINAR_IMAGE_BASE", engine.prepared())
        return Workshop(engine, tmp_path, builder)

    return make


@pytest.fixture
def workshop(container_engine, made):
    """Each engine in turn, with the builder that it has of its own choice."""
    return made(container_engine)


@pytest.fixture
def docker_workshop(engine_named, made):
    return made(engine_named("docker"))


@pytest.fixture(params=["buildkit", "classic", "podman"])
def any_builder(request, engine_named, made, monkeypatch, needs):
    """Each builder in turn."""
    engine = engine_named("podman" if request.param == "podman" else "docker")
    if request.param == "buildkit":
        needs(_has_buildkit(), "a docker command that builds with BuildKit")
    if request.param != "podman":
        monkeypatch.setenv("LAMINAR_IMAGE_BUILDER", request.param)
    return made(engine, request.param)


def _has_buildkit() -> bool:
    return any(
        subprocess.run(
            [program, "build", "--help"], capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "1"}
        ).stdout.find(b"--secret")
        > 0
        for folder in os.get_exec_path()
        if (program := shutil.which("docker", path=folder))
    )
