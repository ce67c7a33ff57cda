"""What is built and installed is small, typed and complete."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import laminar

ROOT = Path(__file__).resolve().parents[2]
MOST_PACKAGES = 25
MOST_MEGABYTES = 60


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_module_the_mark_of_types_the_licence_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    information = {name for name in names if ".dist-info/" in name}
    assert names - information == modules | {"laminar/py.typed"}
    assert any(name.endswith("/licenses/LICENSE") for name in information)


def test_the_version_is_the_same_everywhere(wheel):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("METADATA")]
        built = Parser().parsestr(archive.read(name).decode())["Version"]
    assert laminar.__version__ == declared == built
    assert f"## {declared}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("versions", ["newest", "lowest"])
def test_a_default_installation_is_small_and_works(wheel, tmp_path, needs, versions):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    target = tmp_path / "packages"
    bounds = tmp_path / "bounds.txt"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds.write_text("\n".join(declared if versions == "newest" else [line.replace(">=", "==") for line in declared]))
    command = [python, "-m", "pip", "install", "--quiet", "--target", target, "--constraint", bounds, wheel]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    needs(installed.returncode == 0, f"a package index from which to install: {installed.stderr[-500:]}")
    assert len(list(target.glob("*.dist-info"))) <= MOST_PACKAGES
    assert sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) <= MOST_MEGABYTES * 1e6
    (tmp_path / "main.py").write_text(
        "from laminar import Flow, Layer\n"
        "class F(Flow): ...\n"
        "@F.register\n"
        "class A(Layer):\n"
        "    def __call__(self) -> None:\n"
        "        self.b = 'installed'\n"
        "if flow := F():\n"
        "    print(flow().layer(A).b)\n"
    )
    done = subprocess.run(
        [python, "main.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "installed\n", done.stderr


def test_make_lists_every_target():
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    [phony] = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY")]
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == phony.partition(":")[2].split()
