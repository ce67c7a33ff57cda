"""The tag of an image is a function of its content, and of nothing else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from laminar import Image
from laminar.errors import FlowError, ImageError
from laminar.packaging import context
from laminar.packaging.images import automatic
from laminar.packaging.recipe import recipe
from laminar.packaging.settings import ImageSettings, from_environment

SOURCE = Path(__file__).resolve().parents[2] / "src"
PLAIN = ImageSettings()


def tag(image, settings=PLAIN):
    return recipe(image, settings).tag


def project(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "code").mkdir()
    (folder / "code" / "a.py").write_text("a = 1\n")
    (folder / "requirements.txt").write_text("six\n")
    (folder / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY code /code\n")
    return folder


def images(folder):
    return {
        "folder": Image.from_debian_base().with_source_folder(folder / "code"),
        "file": Image.from_debian_base().with_source_file(folder / "code" / "a.py"),
        "requirements": Image.from_debian_base().with_requirements(folder / "requirements.txt"),
        "dockerfile": Image.from_dockerfile(folder / "Dockerfile"),
    }


def test_paths_and_times_do_not_change_a_tag(tmp_path):
    here, there = project(tmp_path / "here"), project(tmp_path / "far" / "there")
    os.utime(there / "code" / "a.py", (1, 1))
    assert {name: tag(image) for name, image in images(here).items()} == {
        name: tag(image) for name, image in images(there).items()
    }


@pytest.mark.parametrize(
    ("what", "name"),
    [("folder", "code/a.py"), ("file", "code/a.py"), ("requirements", "requirements.txt"), ("dockerfile", "code/a.py")],
)
def test_content_changes_a_tag(tmp_path, what, name):
    image = images(project(tmp_path / "here"))[what]
    before = tag(image)
    path = tmp_path / "here" / name
    path.write_text(path.read_text() + "# more\n")
    assert tag(image) != before


def test_permission_to_execute_changes_a_tag_and_other_permissions_do_not(tmp_path):
    image = images(project(tmp_path / "here"))["folder"]
    before = tag(image)
    path = tmp_path / "here" / "code" / "a.py"
    path.chmod(0o640)
    assert tag(image) == before
    path.chmod(0o755)
    assert tag(image) != before


def test_caches_and_what_dockerignore_names_do_not_change_a_tag(tmp_path):
    folder = project(tmp_path / "here")
    (folder / ".dockerignore").write_text("notes\n*.log\n")
    before = {name: tag(image) for name, image in images(folder).items()}
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "a.pyc").write_bytes(b"x")
    (folder / ".laminar").mkdir()
    (folder / ".laminar" / "ledger.db").write_bytes(b"x")
    (folder / "notes").mkdir()
    (folder / "notes" / "today").write_text("x")
    (folder / "x.log").write_text("x")
    assert {name: tag(image) for name, image in images(folder).items()} == before


@pytest.mark.parametrize("seed", ["0", "1"])
def test_another_process_with_another_copy_of_laminar_gives_the_same_tag(tmp_path, seed):
    shutil.copytree(SOURCE, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "from laminar import Image; from laminar.packaging.recipe import recipe; import laminar\n"
        "from laminar.packaging.settings import ImageSettings\n"
        "image = Image.from_debian_base('3.12').with_env_vars({'B': '1', 'A': '2'}).with_pip_packages('a', pre=True)\n"
        "print(recipe(image, ImageSettings()).tag, laminar.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere"), "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    image = Image.from_debian_base("3.12").with_env_vars({"A": "2", "B": "1"}).with_pip_packages("a", pre=True)
    assert done.stdout.split() == [tag(image), str(tmp_path / "elsewhere" / "laminar" / "__init__.py")]


def test_settings_that_change_the_result_change_the_tag_and_others_do_not(tmp_path):
    certificates = tmp_path / "ca.crt"
    certificates.write_text("one")
    image = Image.from_debian_base().with_apt_packages("jq")
    before = tag(image)
    for other in (
        {"network": "host"},
        {"index_url": "http://mirror/simple"},
        {"apt_mirror": "http://mirror/debian"},
        {"builder": "classic"},
        {"proxies": (("HTTP_PROXY", "http://proxy"),)},
    ):
        assert tag(image, ImageSettings(**other)) == before
    with_certificates = tag(image, ImageSettings(ca_certs=str(certificates)))
    certificates.write_text("two")
    assert len({before, with_certificates, tag(image, ImageSettings(ca_certs=str(certificates)))}) == 3
    assert tag(image, ImageSettings(base="debian:12")) != before


def test_names_follow_from_registry_and_name():
    def repository(image, **settings):
        return tag(image, ImageSettings(**settings)).rpartition(":")[0]

    assert repository(Image.from_debian_base()) == "laminar-debian"
    assert repository(Image.from_debian_base(name="train")) == "laminar-train"
    assert repository(Image.from_debian_base(registry="ghcr.io/me", name="train")) == "ghcr.io/me/train"
    assert repository(Image.from_debian_base(), registry="localhost:5000") == "localhost:5000/laminar-debian"
    assert repository(Image.from_registry("pytorch/pytorch:2.0-cuda11.7")) == "laminar-pytorch"


def test_the_version_of_python_picks_the_base():
    assert recipe(Image.from_debian_base("3.13"), PLAIN).base == "python:3.13-slim-bookworm"
    assert recipe(Image.from_debian_base("3.13"), ImageSettings(base="mirror/py:{python}")).base == "mirror/py:3.13"


def test_extras_of_laminar_are_installed_when_they_are_needed():
    image = Image.from_debian_base()
    assert "obstore" not in recipe(image, PLAIN).dockerfile
    assert "obstore" in recipe(image, PLAIN, ("cloud",)).dockerfile


def test_what_changes_seldom_comes_first(tmp_path):
    (tmp_path / "a.py").write_text("")
    image = Image.from_debian_base().with_pip_packages("numpy").with_source_file(tmp_path / "a.py")
    text = recipe(image, PLAIN).dockerfile
    places = [text.index(word) for word in ("FROM", "cloudpickle", "numpy", "steps/2", "laminar-20")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: Image.from_dockerfile(path / "Dockerfile"), "from_dockerfile: .*Dockerfile cannot be read"),
        (lambda path: Image.from_debian_base().with_requirements(path / "r.txt"), "with_requirements: .*r.txt"),
        (lambda path: Image.from_debian_base().with_source_file(path / "a.py"), "with_source_file: .*a.py"),
        (lambda path: Image.from_debian_base().with_source_folder(path / "code"), "there is no folder .*code"),
        (lambda path: Image.from_debian_base().with_source_folder(path), "has no files"),
        (lambda path: Image.from_debian_base().with_uv_project(path / "pyproject.toml"), "uv.lock. Make it: uv lock"),
        (lambda path: Image.from_uv_script(path / "main.py"), "main.py cannot be read"),
    ],
)
def test_a_file_that_is_missing_is_told_when_the_image_is_needed(tmp_path, make, words):
    image = make(tmp_path)
    with pytest.raises(FlowError, match=words):
        recipe(image, PLAIN)


def test_a_file_that_changes_between_hash_and_build_is_noticed(tmp_path):
    (tmp_path / "a.py").write_text("1")
    wanted = recipe(Image.from_debian_base().with_source_file(tmp_path / "a.py"), PLAIN)
    (tmp_path / "a.py").write_text("2")
    with pytest.raises(ImageError, match=r"a\.py changed"):
        context.pack(io.BytesIO(), wanted.dockerfile, wanted.items)


def test_equal_contents_are_packed_into_equal_bytes(tmp_path):
    packed = []
    for name in ("here", "there"):
        wanted = recipe(images(project(tmp_path / name))["folder"], PLAIN)
        buffer = io.BytesIO()
        context.pack(buffer, wanted.dockerfile, wanted.items)
        packed.append(buffer.getvalue())
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(packed[0])) as archive:
        names = archive.getnames()
    assert "Dockerfile" in names
    assert "steps/1/a.py" in names


SCRIPT = """\
# /// script
# requires-python = "{python}"
# dependencies = [
#   "six",
#   "numpy>=2",
# ]
# [tool.uv]
# prerelease = "allow"
# index-url = "http://mirror/simple"
# ///
"""


def script(folder, python):
    path = folder / "my_train.py"
    path.write_text(SCRIPT.format(python=python))
    return path


def test_a_script_with_metadata_gets_its_packages(tmp_path):
    path = script(tmp_path, ">=3.11")
    wanted = recipe(Image.from_uv_script(path), PLAIN)
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert wanted.base == f"python:{running}-slim-bookworm"
    assert wanted.tag.startswith("laminar-my-train:")
    assert "pip --index-url http://mirror/simple --pre six 'numpy>=2'" in wanted.dockerfile
    assert automatic(str(path)) == Image.from_uv_script(path)


@pytest.mark.parametrize(
    ("wanted", "python"),
    [
        ("==3.13.*", "3.13"),
        ("==3.12.4", "3.12.4"),
        ("~=3.12", "3.14"),
        (">=3.12,!=3.14.*", "3.13"),
        (">3.12,<3.14", "3.13"),
        (">=3.13.2,<4", "3.14"),
        ("<=3.13,>3.11.99999", "3.13"),
    ],
)
def test_a_script_gets_the_python_that_it_requires(tmp_path, wanted, python, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    assert recipe(Image.from_uv_script(script(tmp_path, wanted)), PLAIN).base == f"python:{python}-slim-bookworm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print(1)\n", "has no block of metadata"),
        ("# /// script\n# dependencies = 3\n# ///\n", "expects a list of strings, got 3"),
        ("# /// script\n# dependencies = [\n# ///\n", "is no TOML"),
        ("# /// script\n# requires-python = '<3'\n# ///\n", "no Python that laminar runs on"),
        ("# /// script\n# requires-python = 'new'\n# ///\n", "is no condition"),
        ("# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", "has 2 blocks"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(tmp_path, text, words):
    (tmp_path / "main.py").write_text(text)
    with pytest.raises(FlowError, match=words):
        recipe(Image.from_uv_script(tmp_path / "main.py"), PLAIN)


def test_a_script_without_metadata_gets_debian_and_python(tmp_path):
    (tmp_path / "main.py").write_text("print(1)\n")
    assert automatic(str(tmp_path / "main.py")) == automatic(None) == Image.from_debian_base()


def test_settings_are_read_from_the_environment(tmp_path):
    (tmp_path / "ca.crt").write_text("x")
    settings = from_environment(
        {
            "LAMINAR_IMAGE_BASE": "debian:12",
            "LAMINAR_IMAGE_CA_CERTS": str(tmp_path / "ca.crt"),
            "LAMINAR_IMAGE_INDEX_URL": "http://mirror/simple",
            "LAMINAR_IMAGE_NETWORK": "",
            "https_proxy": "http://proxy",
            "NO_PROXY": "localhost",
            "LAMINAR_QUIET": "1",
        }
    )
    assert (settings.base, settings.network, settings.ca_certs) == ("debian:12", None, str(tmp_path / "ca.crt"))
    assert settings.arguments == {
        "https_proxy": "http://proxy",
        "NO_PROXY": "localhost",
        "PIP_INDEX_URL": "http://mirror/simple",
    }


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LAMINAR_IMAGE_NETWROK": "host"}, "LAMINAR_IMAGE_NETWROK is no setting.*'LAMINAR_IMAGE_NETWORK'"),
        ({"LAMINAR_IMAGE_BUILDER": "buildkitt"}, "no builder.*'buildkit'"),
        ({"LAMINAR_IMAGE_CA_CERTS": "/nowhere/ca.crt"}, "there is no file /nowhere/ca.crt"),
    ],
)
def test_settings_that_make_no_sense_are_refused(variables, words):
    with pytest.raises(FlowError, match=words):
        from_environment(variables)
