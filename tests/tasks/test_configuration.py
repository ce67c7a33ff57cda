"""Where configuration comes from, what wins, and how each mistake is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import laminar
from laminar.exceptions import ConfigurationError
from laminar.packaging import settings
from laminar.packaging.settings import from_environment
from laminar.runs import configuration

FULL = """\
server:
  endpoint: https://laminar.example.com
  api_key: not-to-be-shown
task:
  project: flights
  domain: production
local:
  root: state
  concurrency: 3
image:
  base: mirror.example.com/python:{python}
"""


#: How the names of variables begin that configure.
CONFIGURE = ("LAMINAR_CONFIG", *(f"LAMINAR_{section.upper()}_" for section in configuration.SECTIONS))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in an empty home, with nothing configured."""
    for name in [name for name in os.environ if name.startswith(CONFIGURE)]:
        monkeypatch.delenv(name)
    home, project = tmp_path / "home", tmp_path / "project"
    for folder in (home, project / ".git"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(project)
    monkeypatch.setattr(configuration, "_current", None)
    monkeypatch.setattr(settings, "_configured", {})
    return project


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def named(path: Path) -> Path:
    return write(path, f"task: {{project: {path.parent.name.strip('.')}}}\n")


def test_without_a_configuration_there_is_a_project_a_domain_and_no_server() -> None:
    assert (laminar.current_project(), laminar.current_domain()) == ("default", "development")
    assert configuration.current().endpoint is None


def test_a_file_is_read_and_its_paths_start_at_the_project(place: Path) -> None:
    write(place / ".laminar" / "config.yaml", FULL)
    found = laminar.init_from_config()
    assert found is configuration.current()
    assert (found.endpoint, found.project, found.domain) == ("https://laminar.example.com", "flights", "production")
    assert (found.root, found.concurrency) == (str(place / "state"), 3)
    assert found.file == str(place / ".laminar" / "config.yaml")
    assert (laminar.current_project(), laminar.current_domain()) == ("flights", "production")


def test_a_file_also_says_how_images_are_built_and_variables_say_it_louder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place / "config.yaml", FULL + "  network: host\n")
    laminar.init_from_config()
    assert from_environment().base == "mirror.example.com/python:{python}"
    monkeypatch.setenv("LAMINAR_IMAGE_BASE", "other:{python}")
    assert (from_environment().base, from_environment().network) == ("other:{python}", "host")
    laminar.init()
    assert from_environment().network is None


def test_the_first_file_that_exists_counts(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = place / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    monkeypatch.setenv("LAMINAR_CONFIG", str(named(tmp_path / "variable" / "laminar.yaml")))
    write(tmp_path / "home" / ".laminar" / "config.yaml", "task: {project: of-home}\n")
    order = [
        (inner / "config.yaml", "here"),
        (inner / ".laminar" / "config.yaml", "folder"),
        (place / ".laminar" / "config.yaml", "root"),
    ]
    for path, project in order:
        write(path, f"task: {{project: {project}}}\n")
    for path, project in order:
        assert laminar.init_from_config().project == project
        path.unlink()
    assert laminar.init_from_config().project == "variable"
    monkeypatch.delenv("LAMINAR_CONFIG")
    assert laminar.init_from_config().project == "of-home"
    (tmp_path / "home" / ".laminar" / "config.yaml").unlink()
    assert laminar.init_from_config() == laminar.init()


def test_arguments_come_before_variables_and_variables_before_the_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(place / "mine.yaml", FULL)
    monkeypatch.setenv("LAMINAR_TASK_DOMAIN", "staging")
    monkeypatch.setenv("LAMINAR_LOCAL_CONCURRENCY", "7")
    monkeypatch.setenv("LAMINAR_TASK_PROJECT", "")
    found = laminar.init_from_config(path, project="argument")
    assert (found.project, found.domain, found.concurrency) == ("argument", "staging", 7)
    assert laminar.init_from_config(path).project == "flights"
    assert laminar.init(domain="mine").domain == "mine"
    assert laminar.init().domain == "staging"


def test_variables_count_without_any_initialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINAR_TASK_DOMAIN", "production")
    monkeypatch.setenv("LAMINAR_TASK_NAME", "what a running task is told of itself")
    program = "import laminar; print(laminar.current_domain(), laminar.current_project())"
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert done.stdout == "production default\n"


def test_the_key_to_the_server_is_kept_and_never_printed(place: Path) -> None:
    write(place / "config.yaml", FULL)
    found = laminar.init_from_config()
    assert found.api_key == "not-to-be-shown"
    assert "not-to-be-shown" not in f"{found!r}{found}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task:\n  project: a\n  domian: b\n", ":3: task.domian is unknown. Did you mean 'task.domain'"),
        ("# mine\ntsak:\n  project: a\n", ":2: the section 'tsak' is unknown. Did you mean 'task'?"),
        ("task:\n  project: 7\n", ":2: task.project expects text; put quotes around it"),
        ("task:\n  domain: no\n", ":2: task.domain expects text; put quotes around it"),
        ("task:\n  domain: ''\n", ":2: task.domain expects text"),
        ("local:\n  concurrency: three\n", ":2: local.concurrency expects a whole number, got 'three'."),
        ("local:\n  concurrency: 1.5\n", ":2: local.concurrency expects a whole number, got '1.5'."),
        ("local:\n  concurrency: 0x10\n", ":2: local.concurrency expects a whole number, got '0x10'."),
        ("local:\n  concurrency: 0\n", "local.concurrency is 0, and must be 1 or more."),
        (
            "task:\n  project: [a]\n",
            ":2: task.project expects text; put quotes around it if it looks like something else, got a sequence.",
        ),
        ("task:\n  project: a\n  project: b\n", ":3: task.project stands in line 2 already. Keep one."),
        ("task: production\n", ":1: expects keys of task."),
        ("- task\n", ":1: expects sections: image, local, server, task."),
        ("task:\n  project: 'a\n", "this is no YAML: found unexpected end of stream."),
        ("task:\n\tproject: a\n", ":2: this is no YAML: found character '\\t' that cannot start any token."),
        ("task: \x01\n", "this is no YAML: it holds a character that YAML does not allow."),
        ("image:\n  proxies: a\n", ":2: image.proxies is unknown."),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(place: Path, text: str, message: str) -> None:
    path = write(place / "mine.yaml", text)
    with pytest.raises(ConfigurationError) as told:
        laminar.init_from_config(path)
    assert message in str(told.value)
    assert str(told.value).startswith((str(path), "local.concurrency"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "task:\n", "task:\n  project:\n", "~\n"])
def test_what_is_left_empty_counts_as_not_said(place: Path, text: str) -> None:
    assert laminar.init_from_config(write(place / "mine.yaml", text)).project == "default"


def test_a_file_that_is_not_there_or_no_text_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file or directory"):
        laminar.init_from_config("none.yaml")
    (place / "binary.yaml").write_bytes(b"task: \xff\n")
    with pytest.raises(ConfigurationError, match=r"binary\.yaml is no text in UTF-8: byte 6"):
        laminar.init_from_config("binary.yaml")
    monkeypatch.setenv("LAMINAR_CONFIG", "gone.yaml")
    with pytest.raises(ConfigurationError, match=r"LAMINAR_CONFIG names gone\.yaml, and there is no such file"):
        laminar.init_from_config()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LAMINAR_TASK_DOMIAN", "a", "LAMINAR_TASK_DOMIAN is no setting. Did you mean 'LAMINAR_TASK_DOMAIN'"),
        ("LAMINAR_LOCAL_CONCURRENCY", "many", "LAMINAR_LOCAL_CONCURRENCY='many': expects a whole number."),
    ],
)
def test_a_mistake_in_a_variable_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as told:
        laminar.init()
    assert message in str(told.value)


def test_a_mistake_in_an_argument_is_told_without_its_value() -> None:
    with pytest.raises(ConfigurationError, match=r"init\(api_key=…\): expects text, got a value of type bytes\."):
        laminar.init(api_key=b"hidden")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"init\(project=…\): expects text, got nothing\."):
        laminar.init(project="")
    with pytest.raises(ConfigurationError, match=r"init\(concurrency=…\): expects a whole number"):
        laminar.init(concurrency=True)


def test_what_was_configured_stays_when_a_new_configuration_is_refused() -> None:
    laminar.init(project="kept")
    with pytest.raises(ConfigurationError):
        laminar.init(project="", domain="lost")
    assert (laminar.current_project(), laminar.current_domain()) == ("kept", "development")
