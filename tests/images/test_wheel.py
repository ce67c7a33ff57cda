"""laminar makes a wheel of itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import laminar
from laminar.packaging import wheel

SOURCE = Path(laminar.__file__).parent


def test_pip_installs_the_wheel_and_it_is_the_same_laminar(tmp_path):
    path = tmp_path / wheel.file_name()
    path.write_bytes(wheel.build())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "lib", path]
    subprocess.run(command, check=True)
    program = (
        "import importlib.metadata as m, laminar; from laminar.packaging import wheel;"
        "print(laminar.__file__, wheel.digest(), m.version('laminar'), len(m.requires('laminar')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )
    place, digest, version, requirements = done.stdout.split()
    assert Path(place).is_relative_to(tmp_path)
    assert (digest, version) == (wheel.digest(), laminar.__version__)
    assert int(requirements) > 0
    assert (tmp_path / "lib" / "bin" / "laminar").exists()


def test_the_wheel_holds_all_modules_and_no_caches():
    names = {name for name in zipfile.ZipFile(BytesIO(wheel.build())).namelist() if ".dist-info/" not in name}
    modules = {f"laminar/{path.relative_to(SOURCE)}" for path in SOURCE.rglob("*.py")}
    assert names == modules | {"laminar/py.typed"}


def test_equal_sources_make_equal_wheels_wherever_they_lie(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "laminar", ignore=shutil.ignore_patterns("__pycache__"))
    program = "import hashlib; from laminar.packaging import wheel; print(hashlib.sha256(wheel.build()).hexdigest())"
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(place), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for place, seed in ((SOURCE.parent, "1"), (tmp_path, "2"))
    ]
    assert answers[0] == answers[1]
