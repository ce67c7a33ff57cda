"""Where the values of secrets come from, and what is said when one is missing."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from laminar import Secret
from laminar.exceptions import SecretError, SecretNotFoundError
from laminar.host.secrets import resolve

VALUE = "correct horse"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
    path.chmod(mode)
    return path


@pytest.fixture
def everywhere(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A root and variables in which two secrets of one key are in every place, each with the name of its place."""
    root = tmp_path / ".laminar"
    write(root / "secrets" / "api-key", "file\n")
    write(root / "secrets" / "db" / "api-key", "file of db\n")
    dotenv = write(tmp_path / "mine.env", "API_KEY=dotenv\nLAMINAR_SECRET_DB_API_KEY='dotenv of db'\n")
    return root, {
        "LAMINAR_SECRET_API_KEY": "own variable",
        "LAMINAR_SECRET_DB_API_KEY": "own variable of db",
        "API_KEY": "plain variable",
        "DB_API_KEY": "plain variable of db",
        "TOKEN": "named variable",
        "LAMINAR_SECRETS_FILE": str(dotenv),
    }


@pytest.mark.parametrize(
    ("secret", "order"),
    [
        (
            Secret("api-key", as_env_var="TOKEN"),
            [
                ("LAMINAR_SECRET_API_KEY", "own variable"),
                ("API_KEY", "plain variable"),
                ("TOKEN", "named variable"),
                ("api-key", "file"),
                ("LAMINAR_SECRETS_FILE", "dotenv"),
            ],
        ),
        (
            Secret("api-key", group="db"),
            [
                ("LAMINAR_SECRET_DB_API_KEY", "own variable of db"),
                ("DB_API_KEY", "plain variable of db"),
                ("db/api-key", "file of db"),
                ("LAMINAR_SECRETS_FILE", "dotenv of db"),
            ],
        ),
    ],
)
def test_the_first_place_that_has_it_counts(
    everywhere: tuple[Path, dict[str, str]], secret: Secret, order: list[tuple[str, str]]
) -> None:
    root, variables = everywhere
    for place, value in order:
        assert resolve([secret], root, variables) == {secret: value}
        if place in variables:
            del variables[place]
        else:
            (root / "secrets" / place).unlink()
    with pytest.raises(SecretNotFoundError):
        resolve([secret], root, variables)


def test_by_default_the_variables_are_those_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINAR_SECRET_API_KEY", VALUE)
    assert resolve([Secret("api-key")], tmp_path) == {Secret("api-key"): VALUE}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_may_have_several_lines_and_one_line_break_at_its_end_does_not_count(tmp_path: Path, end: str) -> None:
    write(tmp_path / "secrets" / "key", f"line one\n\nline two\n{end}")
    expected = "line one\n\nline two\n" if end else "line one\n\nline two"
    assert resolve([Secret("key")], tmp_path, {}) == {Secret("key"): expected}


def test_a_dotenv_file_may_quote_and_span_lines_and_nothing_in_it_is_replaced(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.env", "# mine\nexport ONE='a b c d'\nTWO=\"line one\nline two\"\nTHREE=${HOME}/x # no\n"
    )
    found = resolve([Secret("one"), Secret("two"), Secret("three")], tmp_path, {"LAMINAR_SECRETS_FILE": str(path)})
    assert list(found.values()) == ["a b c d", "line one\nline two", "${HOME}/x"]


def test_a_missing_secret_is_told_with_every_place_that_was_looked_at_and_with_no_value(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.env", f"OTHER={VALUE}\n")
    variables = {"OTHER": VALUE, "LAMINAR_SECRETS_FILE": str(path)}
    with pytest.raises(SecretNotFoundError) as told:
        resolve([Secret("pass-word", group="db", as_env_var="PGPASSWORD")], tmp_path, variables)
    message = str(told.value)
    places = ["LAMINAR_SECRET_DB_PASS_WORD", "DB_PASS_WORD", "PGPASSWORD", str(tmp_path / "secrets/db/pass-word")]
    assert [place for place in (*places, str(path), "'db/pass-word'") if place not in message] == []
    assert VALUE not in message
    with pytest.raises(SecretNotFoundError, match="in no dotenv file, since LAMINAR_SECRETS_FILE is not set"):
        resolve([Secret("key")], tmp_path, {"KEY": ""})


@pytest.mark.parametrize("value", ["abc", "  ab  \n", "\n\n\n\n\n"])
def test_a_value_too_short_to_be_hidden_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SecretError, match="'key' has fewer than 4 characters"):
        resolve([Secret("key")], tmp_path, {"KEY": value})


def test_a_value_that_no_variable_can_hold_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "secrets" / "key", "zero\0byte")
    with pytest.raises(SecretError, match="'key' holds a null byte"):
        resolve([Secret("key")], tmp_path, {})


def test_a_file_that_others_may_read_gives_a_warning_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "secrets" / "key", VALUE, mode=0o644)
    with pytest.warns(UserWarning, match=f"chmod 600 {path}"):
        assert resolve([Secret("key")], tmp_path, {}) == {Secret("key"): VALUE}
    path.chmod(0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resolve([Secret("key")], tmp_path, {})


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "key").mkdir(parents=True)
    with pytest.raises(SecretError, match=r"'key' cannot be read from .*secrets/key: Is a directory\."):
        resolve([Secret("key")], tmp_path, {})
    (tmp_path / "secrets" / "binary").write_bytes(b"\xff\xfe\xff\xfe")
    (tmp_path / "secrets" / "binary").chmod(0o600)
    with pytest.raises(SecretError, match=r"'binary' in .*secrets/binary is no text in UTF-8"):
        resolve([Secret("binary")], tmp_path, {})
    with pytest.raises(SecretError, match=r"LAMINAR_SECRETS_FILE names .*none\.env, which cannot be read"):
        resolve([Secret("other")], tmp_path, {"LAMINAR_SECRETS_FILE": str(tmp_path / "none.env")})


def test_without_secrets_nothing_is_opened(tmp_path: Path) -> None:
    assert resolve([], tmp_path, {"LAMINAR_SECRETS_FILE": str(tmp_path / "none.env")}) == {}
