"""``laminar token``: on the server's machine, and at a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import faces
import pytest

from laminar.server.identity import Role
from shells import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.close()


def test_the_first_token_is_made_in_the_servers_database(shell: Shell) -> None:
    made = shell.laminar("token", "create", "ann", "--role", "admin", "--expires", "30")
    assert made.code == 0
    assert made.out.startswith("lam_")
    assert "Keep it" in made.err
    listed = shell.laminar("token", "list", "-o", "json").plain["tokens"]
    assert [(token["name"], token["role"]) for token in listed] == [("ann", "admin")]
    assert made.out.strip().rpartition("_")[2] not in str(listed)
    assert shell.laminar("token", "revoke", listed[0]["id"]).code == 0
    assert shell.laminar("token", "list", "-o", "json").plain["tokens"][0]["revoked"]


def test_tokens_are_made_at_the_server_that_is_configured(shell: Shell, guarded: faces.Face) -> None:
    admin = guarded.token_for(Role.ADMIN)
    at = {"LAMINAR_SERVER_ENDPOINT": f"http://127.0.0.1:{guarded.port}", "LAMINAR_SERVER_API_KEY": admin}
    made = shell.laminar("token", "create", "ann", "--role", "viewer", "-o", "json", **at).plain
    assert guarded.ask("GET", "/api/v1/me", token=made["token"]).json["name"] == "ann"
    listed = shell.laminar("token", "list", **at)
    assert "ann" in listed.out
    assert shell.laminar("token", "revoke", made["id"], **at).code == 0
    assert guarded.ask("GET", "/api/v1/me", token=made["token"]).status == 401


def test_a_place_that_the_system_refuses_is_told_with_what_to_do(shell: Shell) -> None:
    shell.write("file", "")
    refused = shell.laminar("token", "create", "ann", "--role", "admin", "--state", "file/state")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"laminar: {shell.folder}/file/state: Not a directory. Name another place.\n"


def test_a_viewer_makes_no_tokens(shell: Shell, guarded: faces.Face) -> None:
    at = {
        "LAMINAR_SERVER_ENDPOINT": f"http://127.0.0.1:{guarded.port}",
        "LAMINAR_SERVER_API_KEY": guarded.token_for(Role.VIEWER),
    }
    refused = shell.laminar("token", "create", "ann", "--role", "admin", **at)
    assert refused.code == 1
    assert "is for the role admin" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("create", "a/b", "--role", "admin"), 2, "NAME has letters"),
        (("create", "ann"), 2, "--role"),
        (("create", "ann", "--role", "king"), 2, "'king' is not one of"),
        (("create", "ann", "--role", "viewer", "--expires", "-1"), 2, "--expires"),
        (("list",), 1, "There is no database at"),
        (("list", "--database", "mysql://x"), 2, "No database is known by a URL of 'mysql'"),
    ],
)
def test_wrong_use_is_told(shell: Shell, words: tuple[str, ...], code: int, message: str) -> None:
    answer = shell.laminar("token", *words)
    assert answer.code == code
    assert message in answer.err
    assert "Traceback" not in answer.err
