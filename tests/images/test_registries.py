"""Images that come from registries and go there, and what is said when they do not."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tarfile
import textwrap
import urllib.request

import pytest

from laminar import Image
from laminar.errors import FlowError, ImageError, ImageNotFoundError, ImagePullError, ImagePushError
from laminar.packaging.credentials import credentials, registry_of

SECRET = "wort"
#: The user "me" with that password, as htpasswd writes it.
ALLOWED = "me:$2b$04$HsExBP4gg1YZHdldokeBD.JMhoS.4n.tEVRN1XPLI30uTxb7k3QoC"


class Registry:
    """A registry of this machine, which the engine reaches on loopback."""

    def __init__(self, folder, program, allowed="", readonly=False):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.name = f"localhost:{probe.getsockname()[1]}"
        (folder / "htpasswd").write_text(allowed)
        configuration = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "store")},
                "maintenance": {"readonly": {"enabled": readonly}},
            },
            "http": {"addr": self.name.replace("localhost", "127.0.0.1")},
            **({"auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}} if allowed else {}),
        }
        (folder / "registry.yml").write_text(json.dumps(configuration))
        self._process = subprocess.Popen(
            [program, "serve", folder / "registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            assert self._process.poll() is None, "the registry ended"
            try:
                socket.create_connection(("127.0.0.1", int(self.name.partition(":")[2])), 1).close()
                return
            except ConnectionRefusedError:
                continue

    def tags(self, repository):
        with urllib.request.urlopen(f"http://{self.name}/v2/{repository}/tags/list") as answer:
            return json.load(answer)["tags"]

    def close(self):
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture(scope="module")
def registry(tmp_path_factory, needs):
    """Starts registries, and ends them."""
    program = shutil.which("docker-registry")
    needs(program, "docker-registry, the package of Debian")
    started = []

    def start(allowed="", readonly=False):
        started.append(Registry(tmp_path_factory.mktemp("registry"), program, allowed, readonly))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="module")
def open_registry(registry):
    """One that takes what it is given. Layers that it has are not pushed to it again, so tests share it."""
    return registry()


@pytest.fixture
def tiny(docker_workshop, tmp_path):
    """Makes images of one file."""

    def make(name):
        (tmp_path / "file").write_text(name)
        with tarfile.open(tmp_path / "files.tar", "w") as archive:
            archive.add(tmp_path / "file", "file")
        docker_workshop.engine.docker("import", str(tmp_path / "files.tar"), name)
        return name

    return make


@pytest.fixture
def logged_in(tmp_path, monkeypatch):
    """Leaves credentials where ``docker login`` does."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()

    def write(configuration):
        (tmp_path / "docker" / "config.json").write_text(json.dumps(configuration))

    return write


def kept(name, secret=SECRET):
    return {"auths": {name: {"auth": base64.b64encode(f"me:{secret}".encode()).decode()}}}


def test_an_image_for_a_registry_is_built_once_pushed_and_then_pulled(docker_workshop, open_registry):
    place = open_registry.name
    image = docker_workshop.image(registry=place)
    [tag] = docker_workshop.ready(image)
    assert tag.startswith(f"{place}/laminar-{docker_workshop.name}:")
    docker_workshop.engine.docker("rmi", tag)
    assert docker_workshop.ready(image) == [tag]
    assert not any(line.startswith("Building") for line in docker_workshop.lines)
    docker_workshop.engine.docker("rmi", tag)
    assert docker_workshop.ready(tag) == [tag]


def test_push_gives_the_registry_what_the_engine_has_already(docker_workshop, open_registry):
    image = docker_workshop.image().with_env_vars({"FOR": "push"})
    [here] = docker_workshop.ready(image)
    there = f"{open_registry.name}/laminar-{docker_workshop.name}-other:{here.rpartition(':')[2]}"
    docker_workshop.engine.docker("tag", here, there)
    image = image.replace(registry=open_registry.name, name=f"laminar-{docker_workshop.name}-other")
    assert docker_workshop.ready(image) == [there]
    assert docker_workshop.lines == []
    assert docker_workshop.push(image) == there
    assert open_registry.tags(f"laminar-{docker_workshop.name}-other") == [there.rpartition(":")[2]]


def test_a_registry_that_wants_credentials_gets_those_that_docker_login_has_left(
    docker_workshop, registry, logged_in, tiny
):
    place = registry(ALLOWED).name
    logged_in(kept(place))
    name = tiny(f"{place}/laminar-{docker_workshop.name}:1")
    docker_workshop.engine.docker("push", name)
    docker_workshop.engine.docker("rmi", name)
    assert docker_workshop.ready(name) == [name]
    docker_workshop.engine.docker("rmi", name)
    logged_in({})
    with pytest.raises(ImagePullError, match=rf"(?s){place} refuses.*no basic auth credentials.*docker login {place}"):
        docker_workshop.ready(name)


def test_a_push_that_is_refused_is_told_in_the_registrys_words_and_tried_again_next_time(docker_workshop, registry):
    place = registry(readonly=True).name
    image = docker_workshop.image(registry=place)
    for _ in range(2):
        with pytest.raises(ImagePushError, match=rf"(?s){place} did not take the image {place}/.*405"):
            docker_workshop.ready(image)
        assert any(line.startswith("Building") for line in docker_workshop.lines)


def test_a_pull_that_is_refused_is_told_in_the_registrys_words(docker_workshop, registry, logged_in):
    place = registry(ALLOWED).name
    logged_in(kept(place, "wrong"))
    with pytest.raises(ImagePullError, match=rf"(?s){place} refuses.*unauthorized.*docker login {place}"):
        docker_workshop.ready(f"{place}/some/image:1")


def test_an_image_that_a_registry_does_not_have_is_told_in_its_words(docker_workshop, open_registry):
    place = open_registry.name
    with pytest.raises(ImageNotFoundError, match=r"(?s)There is no image .*some/image:1.*not found.*Correct the name"):
        docker_workshop.ready(f"{place}/some/image:1")


@pytest.mark.parametrize("name", ["", "Bad Name", "a/b:"])
def test_what_is_no_name_of_an_image_is_refused(docker_workshop, name):
    with pytest.raises(FlowError, match="makes no sense"):
        docker_workshop.ready(name)


def test_a_registry_that_nobody_answers_for_is_told(workshop):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        name = f"localhost:{probe.getsockname()[1]}/some/image:1"
    with pytest.raises(ImagePullError, match=r"(?s)connection refused.*docker load") as caught:
        workshop.ready(name)
    assert caught.value.image == name


def test_a_registry_that_says_nothing_is_given_up_within_ten_seconds(docker_workshop):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        with pytest.raises(ImagePullError, match="no answer within 8 s"):
            docker_workshop.ready(f"localhost:{silent.getsockname()[1]}/some/image:1")


def test_a_base_that_cannot_be_had_names_the_setting(docker_workshop, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LAMINAR_IMAGE_BASE", f"localhost:{probe.getsockname()[1]}/python:1")
    with pytest.raises(ImagePullError, match="LAMINAR_IMAGE_BASE"):
        docker_workshop.ready(docker_workshop.image())


def test_a_push_without_a_registry_is_refused(docker_workshop):
    with pytest.raises(FlowError, match=r"names no registry.*LAMINAR_IMAGE_REGISTRY"):
        docker_workshop.push(docker_workshop.image())


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("python:3.12", "docker.io"),
        ("me/image", "docker.io"),
        ("ghcr.io/me/image:1", "ghcr.io"),
        ("localhost/image", "localhost"),
        ("host:5000/image@sha256:0", "host:5000"),
    ],
)
def test_the_name_of_an_image_leads_to_its_registry(image, registry):
    assert registry_of(image) == registry


def test_credentials_are_those_of_dockers_own_file(logged_in):
    assert credentials("ghcr.io") is None
    logged_in({"auths": {"https://index.docker.io/v1/": kept("x")["auths"]["x"], "a": {"identitytoken": "t"}}})
    hub = "https://index.docker.io/v1/"
    assert credentials("docker.io") == {"username": "me", "password": SECRET, "serveraddress": hub}
    assert credentials("a") == {"identitytoken": "t", "serveraddress": "a"}


@pytest.mark.parametrize("configuration", [{"credsStore": "tests"}, {"credHelpers": {"ghcr.io": "tests"}}])
def test_credential_helpers_are_asked(logged_in, tmp_path, monkeypatch, configuration):
    helper = tmp_path / "docker-credential-tests"
    helper.write_text(
        textwrap.dedent("""\
        #!/bin/sh
        read -r address
        case $address in
            ghcr.io) echo '{"Username": "me", "Secret": "'"$address $1"'"}' ;;
            token.io) echo '{"Username": "<token>", "Secret": "t"}' ;;
            other.io) echo 'credentials not found in native keychain'; exit 1 ;;
            *) echo 'keychain is locked'; exit 1 ;;
        esac
        """)
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    logged_in(configuration)
    assert credentials("ghcr.io") == {"username": "me", "password": "ghcr.io get", "serveraddress": "ghcr.io"}
    if "credsStore" in configuration:
        assert credentials("token.io") == {"identitytoken": "t", "serveraddress": "token.io"}
        assert credentials("other.io") is None
        with pytest.raises(
            ImageError, match=r"docker-credential-tests gave nothing for locked\.io: keychain is locked"
        ):
            credentials("locked.io")


def test_credentials_that_cannot_be_read_are_told(logged_in, tmp_path):
    (tmp_path / "docker" / "config.json").write_text("{")
    with pytest.raises(ImageError, match=r"config\.json, where docker login keeps credentials, cannot be read"):
        credentials("ghcr.io")
    logged_in({"credsStore": "missing"})
    with pytest.raises(ImageError, match="docker-credential-missing"):
        credentials("ghcr.io")


def test_an_image_by_name_that_the_engine_has_is_taken_as_it_is(workshop):
    assert workshop.ready(workshop.engine.image) == [workshop.engine.image]
    assert workshop.lines == []
    assert Image.from_registry(workshop.engine.image)
