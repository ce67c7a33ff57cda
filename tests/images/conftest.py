"""Images on real engines."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from workshop import Workshop


@pytest.fixture
def workshop(container_engine, tmp_path):
    """Each engine in turn, with the builder that it has of its own choice."""
    return Workshop(container_engine, tmp_path)


@pytest.fixture
def docker_workshop(engine_named, tmp_path):
    return Workshop(engine_named("docker"), tmp_path)


@pytest.fixture(params=["buildkit", "classic", "podman"])
def any_builder(request, engine_named, monkeypatch, tmp_path, needs):
    """Each builder in turn."""
    engine = engine_named("podman" if request.param == "podman" else "docker")
    if request.param == "buildkit":
        needs(_has_buildkit(), "a docker command that builds with BuildKit")
    if request.param != "podman":
        monkeypatch.setenv("LAMINAR_IMAGE_BUILDER", request.param)
    return Workshop(engine, tmp_path, request.param)


def _has_buildkit() -> bool:
    return any(
        subprocess.run(
            [program, "build", "--help"], capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "1"}
        ).stdout.find(b"--secret")
        > 0
        for folder in os.get_exec_path()
        if (program := shutil.which("docker", path=folder))
    )
