"""Tokens of people and programs."""

from __future__ import annotations

import faces
import pytest

from laminar.errors import AuthenticationError
from laminar.server.identity import Role
from laminar.server.tokens import FRESH, NOTED, Tokens

PATH = "/api/v1/tokens"


def test_a_token_is_shown_once_and_kept_as_a_hash(guarded: faces.Face) -> None:
    guarded.token = guarded.token_for(Role.ADMIN)
    made = guarded.ask("POST", PATH, {"name": "ann", "role": "viewer"})
    secret = made.json["token"].rpartition("_")[2]
    assert made.status == 201
    assert guarded.ask("GET", "/api/v1/me", token=made.json["token"]).json["name"] == "ann"
    listed = guarded.ask("GET", PATH)
    assert [token["name"] for token in listed.json["tokens"]] == ["somebody", "ann"]
    assert secret.encode() not in listed.data
    assert secret not in repr(guarded.services.tokens.all())


def test_a_revoked_token_counts_no_more_from_the_next_request_on(guarded: faces.Face) -> None:
    admin = guarded.token_for(Role.ADMIN)
    row, text = guarded.services.tokens.create("ann", Role.EDITOR)
    assert guarded.ask("GET", "/api/v1/me", token=text).status == 200
    assert guarded.ask("DELETE", f"{PATH}/{row.id}", token=admin).json["revoked"]
    refused = guarded.ask("GET", "/api/v1/me", token=text)
    assert (refused.status, refused.kind) == (401, "authentication-error")
    assert "was revoked" in refused.json["detail"]
    assert "www-authenticate" in refused.headers


def test_a_clock_that_was_set_back_lets_no_revoked_token_in() -> None:
    table, clock = faces.Table(), [1_000_000.0]
    one, other = Tokens(table, lambda: clock[0]), Tokens(table, lambda: clock[0])
    row, text = one.create("ann", Role.VIEWER)
    assert one.authenticate(text).name == "ann"
    other.revoke(row.id)
    clock[0] -= 3600
    assert not one.remembers(text)
    with pytest.raises(AuthenticationError, match="was revoked"):
        one.authenticate(text)


def test_revoking_again_changes_nothing(guarded: faces.Face) -> None:
    guarded.token = guarded.token_for(Role.ADMIN)
    row, _ = guarded.services.tokens.create("ann", Role.EDITOR)
    first = guarded.ask("DELETE", f"{PATH}/{row.id}")
    assert guarded.ask("DELETE", f"{PATH}/{row.id}").json == first.json


def test_a_token_that_does_not_exist_cannot_be_revoked(face: faces.Face) -> None:
    answer = face.ask("DELETE", f"{PATH}/0123456789ab")
    assert (answer.status, answer.kind) == (404, "unknown-token-error")


def test_a_token_expires(face: faces.Face) -> None:
    made = face.ask("POST", PATH, {"name": "ann", "role": "viewer", "days": 30}).json
    assert made["expires"] - made["created"] == pytest.approx(30 * 86400)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "ann"},
        {"name": "ann", "role": "attempt"},
        {"name": "", "role": "viewer"},
        {"name": "a\nb", "role": "viewer"},
        {"name": "ann", "role": "viewer", "days": -1},
        {"name": "ann", "role": "viewer", "days": "9"},
        {"name": "ann", "role": "viewer", "expires": 9},
    ],
)
def test_nonsense_makes_no_token(face: faces.Face, body: object) -> None:
    answer = face.ask("POST", PATH, body)
    assert (answer.status, answer.kind) == (422, "request-error")
    assert face.ask("GET", PATH).json["tokens"] == []


def test_another_servers_revocation_counts_within_two_seconds() -> None:
    table, clock = faces.Table(), [1000.0]
    here, there = (Tokens(table, lambda: clock[0]) for _ in range(2))
    row, text = here.create("ann", Role.VIEWER)
    assert here.authenticate(text).name == "ann"
    there.revoke(row.id)
    clock[0] += FRESH
    with pytest.raises(AuthenticationError, match="was revoked"):
        here.authenticate(text)


def test_use_of_a_token_is_noted_once_a_minute_and_only_if_its_secret_is_right() -> None:
    table, clock = faces.Table(), [1000.0]
    tokens = Tokens(table, lambda: clock[0])
    row, text = tokens.create("ann", Role.VIEWER)
    with pytest.raises(AuthenticationError):
        tokens.authenticate(text[:-1])
    assert table.rows[row.id].last_used is None
    tokens.authenticate(text)
    clock[0] += 1
    tokens.authenticate(text)
    assert table.rows[row.id].last_used == 1000.0
    clock[0] += NOTED
    tokens.authenticate(text)
    assert table.rows[row.id].last_used == clock[0]
