"""The settings of a server: the command line before the environment before the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from laminar.errors import ConfigurationError
from laminar.server.settings import Settings, load


def written(folder: Path, text: str) -> str:
    path = folder / "server.yaml"
    path.write_text(text)
    return os.fspath(path)


def test_each_place_counts_before_the_next(tmp_path: Path) -> None:
    file = written(tmp_path, "serve:\n  port: 1\n  executor: docker\n  auth: yes\n  rate: 7\n")
    found = load({"port": 3, "rate": None}, file, {"LAMINAR_SERVE_PORT": "2", "LAMINAR_SERVE_EXECUTOR": "process"})
    assert (found.port, found.executor, found.auth, found.rate) == (3, "process", True, 7)
    assert found.grace == Settings().grace


def test_what_is_not_given_is_in_the_servers_folder(tmp_path: Path) -> None:
    found = load({"state": os.fspath(tmp_path)}, None, {})
    assert found.database_url == f"sqlite:///{tmp_path}/server.db"
    assert found.store_url == f"{tmp_path}/store"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serve:\n  prot: 1\n", r"server.yaml:2: serve.prot is unknown. Did you mean 'serve.port'"),
        ("server:\n  port: 1\n", r"server.yaml:1: the section 'server' is unknown. Did you mean 'serve'"),
        ("serve:\n  port: many\n", r"server.yaml:2: serve.port expects a whole number, got 'many'"),
        ("serve:\n  auth: maybe\n", r"server.yaml:2: serve.auth expects true or false, got 'maybe'"),
        ("serve:\n  host: 1\n", r"server.yaml:2: serve.host expects text"),
        ("- serve\n", r"server.yaml:1: expects sections: serve"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load({}, written(tmp_path, text), {})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LAMINAR_SERVE_PROT": "1"}, "LAMINAR_SERVE_PROT is no setting. Did you mean 'LAMINAR_SERVE_PORT'"),
        ({"LAMINAR_SERVE_PORT": "x"}, "LAMINAR_SERVE_PORT='x': expects a whole number"),
        ({"LAMINAR_SERVE_AUTH": "x"}, "LAMINAR_SERVE_AUTH='x': expects true or false"),
    ],
)
def test_a_mistake_in_the_environment_is_told_with_its_name(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load({}, None, variables)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({}, None, {"LAMINAR_SERVE_PORT": ""}).port == 8080


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"port": 70000}, "70000 is no port"),
        ({"executor": "dokcer"}, "'dokcer' is unknown. Did you mean 'docker'"),
        ({"rate": 0}, "serve.rate: 0 makes no sense"),
        ({"concurrency": -1}, "serve.concurrency: -1 makes no sense"),
        ({"log": "xml"}, "serve.log: 'xml' is unknown"),
    ],
)
def test_nonsense_is_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Settings(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org", ""])
def test_a_server_that_others_can_reach_needs_tokens(host: str) -> None:
    with pytest.raises(ConfigurationError, match="--auth"):
        Settings(host=host)
    assert Settings(host=host, auth=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
def test_a_server_on_this_machines_loop_needs_none(host: str) -> None:
    assert not Settings(host=host).auth
