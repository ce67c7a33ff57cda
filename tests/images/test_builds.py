"""Images that real engines build: each step has its effect, and what is there is not built again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import laminar
from laminar import Image
from laminar.errors import FlowError, ImageBuildError, ImageError

ASK = (
    "import json, os, sys, laminar, laminar.testing;"
    "print(json.dumps([laminar.__version__, sys.version_info[:2], os.getcwd(), sys.executable]))"
)


def test_every_builder_gives_an_image_whose_python_has_laminar_and_a_workdir_for_anybody(any_builder, monkeypatch):
    if any_builder.builder != "classic":  # which runs the same steps, in the engine that BuildKit uses
        monkeypatch.setenv("LAMINAR_IMAGE_BASE", any_builder.engine.image)
    [tag] = any_builder.ready(any_builder.image())
    said = any_builder.within(tag, f'python -c "{ASK}" && touch /laminar/mine && echo done', "--user", "1234:1234")
    answer, done = said.splitlines()
    version, python, folder, _ = json.loads(answer)
    assert (version, tuple(python), folder, done) == (laminar.__version__, sys.version_info[:2], "/laminar", "done")
    any_builder.within(tag, "laminar --version")


def test_what_is_there_is_not_built_again(any_builder):
    image = any_builder.image().with_env_vars({"BUILDER": any_builder.folder.name})
    first = any_builder.ready(image, times=3)
    logs = {path: path.read_text() for path in any_builder.logs.iterdir()}
    assert [line for line in any_builder.lines if line.startswith("Building")] == [f"Building the image {first[0]}."]
    assert len(logs) == len(set(first)) == 1
    assert any_builder.ready(image) == first[:1]
    assert any_builder.lines == []
    assert {path: path.read_text() for path in any_builder.logs.iterdir()} == logs


def test_each_step_has_its_effect(any_builder):
    folder = any_builder.folder / "project"
    (folder / "data" / "inner").mkdir(parents=True)
    (folder / "data" / "inner" / "deep.txt").write_text("deep")
    (folder / "data" / "tool.sh").write_text("#!/bin/sh\necho tool\n")
    (folder / "data" / "tool.sh").chmod(0o755)
    (folder / "note.txt").write_text("noted")
    (folder / "more.txt").write_text("toolz==1.0.0\n")
    (folder / "requirements.txt").write_text("-c more.txt\ntoolz\n")
    image = (
        any_builder.image()
        .with_pip_packages("six==1.16.0", extra_args="--no-deps")
        .with_requirements(folder / "requirements.txt")
        .with_env_vars({"PLAIN": "yes", "HARD": "a \"b\" $HOME \\ 'c' #d"})
        .with_commands("echo one > /one", ["cat > /two <<'END'\nline $X\n\nEND", "echo \"$PLAIN\" > '/three 3'"])
        .with_workdir("/work place")
        .with_source_file(folder / "note.txt")
        .with_source_file(folder / "note.txt", "renamed/n $1.txt")
        .with_source_folder(folder / "data")
        .with_source_folder(folder / "data", "/only", copy_contents_only=True)
    )
    [tag] = any_builder.ready(image)
    said = any_builder.within(
        tag,
        "pwd; python -c 'import six, toolz; print(six.__version__, toolz.__version__)'; "
        'printf "%s\\n" "$PLAIN" "$HARD"; cat /one /two "/three 3" note.txt "renamed/n \\$1.txt"; echo; '
        "cat data/inner/deep.txt /only/inner/deep.txt; echo; data/tool.sh; ls /opt/laminar/ca.crt 2>&1 | wc -l; id -u",
    )
    assert said.splitlines() == [
        "/work place",
        "1.16.0 1.0.0",
        "yes",
        "a \"b\" $HOME \\ 'c' #d",
        "one",
        "line $X",
        "",
        "yes",
        "notednoted",
        "deepdeep",
        "tool",
        "1",
        "0",
    ]


def test_debian_packages_are_installed(workshop):
    [tag] = workshop.ready(workshop.image().with_apt_packages("hello"))
    assert workshop.within(tag, "hello; ls /var/lib/apt/lists /tmp") == "Hello, world!\n/tmp:\n\n/var/lib/apt/lists:"


def test_a_uv_project_brings_what_its_lock_pins(docker_workshop):
    folder = docker_workshop.folder / "project"
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "src" / "mine" / "__init__.py").write_text("from six import __version__\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    (folder / "uv.lock").write_text(LOCK)
    alone = docker_workshop.image().with_uv_project(folder / "pyproject.toml")
    whole = alone.with_uv_project(folder / "pyproject.toml", project_install_mode="install_project")
    [tag] = docker_workshop.ready(alone)
    assert docker_workshop.within(tag, "python -c 'import six; print(six.__version__)'; ls /tmp") == "1.16.0"
    [tag] = docker_workshop.ready(whole)
    assert docker_workshop.within(tag, "python -c 'import mine; print(mine.__version__)'; ls /tmp") == "1.16.0"


LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "mine"
version = "1"
source = { editable = "." }
dependencies = [
    { name = "six" },
]

[package.metadata]
requires-dist = [{ name = "six" }]

[[package]]
name = "six"
version = "1.16.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/packages/71/39/171f1c67cd00715f190ba0b100d606d440a28c93c7714febeca8b79af85e/six-1.16.0.tar.gz", hash = "sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926" }
wheels = [
    { url = "https://files.pythonhosted.org/packages/d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/six-1.16.0-py2.py3-none-any.whl", hash = "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26d0254" },
]
"""  # noqa: E501 - as uv writes it


def test_a_script_with_metadata_runs_in_its_image(docker_workshop):
    path = docker_workshop.folder / "main.py"
    path.write_text('# /// script\n# dependencies = ["six==1.16.0"]\n# ///\nimport six\nprint(six.__version__)\n')
    [tag] = docker_workshop.ready(Image.from_uv_script(path, name=docker_workshop.name).with_source_file(path))
    assert docker_workshop.within(tag, "python main.py") == "1.16.0"


def test_a_dockerfile_is_built_as_it_is_and_gets_laminar_and_keeps_its_user(any_builder):
    folder = any_builder.folder / "own"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "a.txt").write_text("mine")
    (folder / ".dockerignore").write_text("code/ignored\n")
    (folder / "code" / "ignored").write_text("never")
    (folder / "Dockerfile").write_text(
        f"ARG FROM={any_builder.base}\nFROM $FROM AS first\nRUN echo made > /made\n"
        "FROM first\nCOPY code /code\nUSER nobody\n"
    )
    [tag] = any_builder.ready(Image.from_dockerfile(folder / "Dockerfile", name=any_builder.name))
    said = any_builder.within(tag, f'cat /made /code/a.txt; echo; ls /code; id -un; python -c "{ASK}"')
    assert said.splitlines()[:4] == ["made", "mine", "a.txt", "nobody"]
    assert json.loads(said.splitlines()[4])[0] == laminar.__version__


def test_a_base_that_has_the_same_laminar_gets_it_not_again(docker_workshop):
    [base] = docker_workshop.ready(docker_workshop.image())
    [tag] = docker_workshop.ready(Image.from_registry(base, name=docker_workshop.name))
    log = "\n".join(docker_workshop.lines)
    assert "Successfully installed" not in log
    assert json.loads(docker_workshop.within(tag, f'python -c "{ASK}"'))[3] == "/opt/venv/bin/python"


def test_a_build_that_fails_tells_the_step_its_last_lines_and_where_the_rest_is(any_builder):
    image = any_builder.image().with_commands("true", "echo before; echo is wrong here >&2; exit 7")
    with pytest.raises(ImageBuildError) as caught:
        any_builder.ready(image)
    error = caught.value
    assert "exit 7" in error.step
    assert "is wrong here" in "\n".join(error.__notes__)
    assert error.step in str(error)
    assert error.log in str(error)
    assert "is wrong here" in Path(error.log).read_text()
    assert any("is wrong here" in line for line in any_builder.lines)


def test_a_dockerfile_that_makes_no_sense_tells_so(any_builder):
    (any_builder.folder / "Dockerfile").write_text(f"FROM {any_builder.base}\nRNU true\n")
    with pytest.raises(ImageBuildError, match="RNU"):
        any_builder.ready(Image.from_dockerfile(any_builder.folder / "Dockerfile"))


def test_a_package_that_does_not_exist_fails_the_build_in_pips_words(workshop):
    with pytest.raises(ImageBuildError, match=r"No matching distribution found for six==999"):
        workshop.ready(workshop.image().with_pip_packages("six==999"))


def test_a_base_with_another_python_than_the_wanted_is_refused(docker_workshop):
    with pytest.raises(ImageBuildError, match=r"has Python 3\.11\.\d+, and 3\.13 is wanted"):
        docker_workshop.ready(docker_workshop.image(python_version="3.13"))


def test_certificates_are_trusted_by_pip_apt_and_ssl_in_build_and_run(docker_workshop, monkeypatch):
    path = docker_workshop.folder / "ca.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-out",
            path,
            "-subj",
            "/CN=x",
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("LAMINAR_IMAGE_CA_CERTS", str(path))
    image = docker_workshop.image().with_commands("echo $PIP_CERT $SSL_CERT_FILE > /seen").with_pip_packages("six")
    [tag] = docker_workshop.ready(image)
    bundle = "/opt/laminar/bundle.crt"
    program = (
        "import ssl; known = ssl.create_default_context().get_ca_certs();"
        "print(any(('commonName', 'x') in part for ca in known for part in ca['subject']), len(known) > 50)"
    )
    said = docker_workshop.within(
        tag,
        f'cat /seen; echo $REQUESTS_CA_BUNDLE $CURL_CA_BUNDLE; apt-config dump | grep CAInfo; python -c "{program}"',
    )
    assert said.splitlines() == [
        f"{bundle} {bundle}",
        f"{bundle} {bundle}",
        f'Acquire::https::CAInfo "{bundle}";',
        "True True",
    ]


def test_proxies_reach_the_build_and_are_not_kept_in_the_image(any_builder, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://someone:secret@proxy.invalid:1")
    monkeypatch.setenv("NO_PROXY", "*")
    image = any_builder.image().with_commands('test "${HTTP_PROXY#*@}" = proxy.invalid:1 && test "$NO_PROXY" = "*"')
    [tag] = any_builder.ready(image)
    assert "secret" not in any_builder.engine.docker("inspect", tag)
    assert "secret" not in any_builder.engine.docker("history", "--no-trunc", tag)


def test_a_package_index_and_a_mirror_are_used_in_the_build(docker_workshop, monkeypatch):
    monkeypatch.setenv("LAMINAR_IMAGE_INDEX_URL", "http://index.invalid/simple")
    with pytest.raises(ImageBuildError, match=r"index\.invalid"):
        docker_workshop.ready(docker_workshop.image().with_pip_packages("six", extra_args="--retries 0"))
    monkeypatch.delenv("LAMINAR_IMAGE_INDEX_URL")
    monkeypatch.setenv("LAMINAR_IMAGE_APT_MIRROR", "http://mirror.invalid/debian")
    with pytest.raises(ImageBuildError, match=r"mirror\.invalid"):
        docker_workshop.ready(docker_workshop.image().with_apt_packages("hello", "hello-traditional"))


def test_two_processes_that_build_the_same_image_at_once_both_get_it(docker_workshop):
    program = (
        "import asyncio, os, aiodocker\n"
        "from laminar import Image\n"
        "from laminar.packaging.images import Images\n"
        "async def main():\n"
        "    async with aiodocker.Docker(os.environ['DOCKER_HOST']) as engine:\n"
        f"        image = Image.from_debian_base(name={docker_workshop.name!r}).with_commands('echo {{}} > /both')\n"
        "        print(await Images(engine, lambda line: None, 'logs').ready(image))\n"
        "asyncio.run(main())\n"
    ).format(docker_workshop.folder.name)
    both = [
        subprocess.Popen([sys.executable, "-c", program], cwd=docker_workshop.folder, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=100)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    docker_workshop.within(answers[0].strip(), "cat /both")


def test_buildkit_where_it_cannot_be_is_told(engine_named, made, monkeypatch):
    monkeypatch.setenv("LAMINAR_IMAGE_BUILDER", "buildkit")
    workshop = made(engine_named("podman"), "none")
    with pytest.raises(ImageError, match=r"BuildKit cannot be used.*LAMINAR_IMAGE_BUILDER=classic"):
        workshop.ready(workshop.image())


def test_who_gives_up_waiting_does_not_stop_the_build_for_the_others(docker_workshop):
    image = docker_workshop.image().with_env_vars({"WAITED": "for"})

    async def give_up(made):
        hasty = asyncio.ensure_future(made.ready(image))
        patient = asyncio.ensure_future(made.ready(image))
        while not docker_workshop.lines:
            await asyncio.sleep(0)
        hasty.cancel()
        return await patient

    tag = docker_workshop.work(give_up)
    assert docker_workshop.within(tag, "printenv WAITED") == "for"


def test_a_setting_that_is_unknown_is_told_before_anything_is_asked(monkeypatch, docker_workshop):
    monkeypatch.setenv("LAMINAR_IMAGE_BAES", "x")
    with pytest.raises(FlowError, match="LAMINAR_IMAGE_BASE"):
        docker_workshop.ready(docker_workshop.image())
