"""Signed claims, and the key that signs them."""

from __future__ import annotations

import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.errors import AuthenticationError, ConfigurationError
from laminar.server import signing
from laminar.server.signing import Signer

SIGNER = Signer(b"k" * 32)
CLAIMS = {"space": "default/development", "run": "r1", "index": 3, "none": None}


def test_claims_come_back_as_they_were_signed() -> None:
    assert SIGNER.verify(SIGNER.sign("attempt", CLAIMS, 60), "attempt") == CLAIMS


def test_claims_count_for_their_use_and_their_time_alone() -> None:
    clock = [1000.0]
    signer = Signer(b"k" * 32, lambda: clock[0])
    text = signer.sign("attempt", CLAIMS, 60)
    with pytest.raises(AuthenticationError, match="not one of this server's"):
        signer.verify(text, "agent")
    clock[0] = 1060.0
    with pytest.raises(AuthenticationError, match="is over"):
        signer.verify(text, "attempt")


@given(st.integers(0, 400), st.characters(codec="utf-8"))
def test_claims_that_were_changed_anywhere_are_refused(place: int, character: str) -> None:
    text = SIGNER.sign("attempt", CLAIMS, 60)
    place %= len(text)
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(AuthenticationError):
            SIGNER.verify(changed, "attempt")


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AuthenticationError):
        SIGNER.verify(text, "attempt")


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(Signer(b"k" * 32))


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: os.PathLike[str]) -> None:
    folder = os.path.join(tmp_path, "state")
    made = signing.key(folder)
    assert signing.key(folder) == made
    assert len(made) >= signing.LENGTH
    assert stat.S_IMODE(os.stat(os.path.join(folder, signing.FILE)).st_mode) == 0o600
    assert os.listdir(folder) == [signing.FILE]


def test_servers_that_start_at_once_have_one_key(tmp_path: os.PathLike[str]) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(signing.key(os.fspath(tmp_path)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1


def test_servers_that_share_a_database_are_given_their_key(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signing.VARIABLE, "a key that several servers have")
    assert signing.key(os.fspath(tmp_path)) == b"a key that several servers have"
    monkeypatch.setenv(signing.VARIABLE, "short")
    with pytest.raises(ConfigurationError, match="LAMINAR_SIGNING_KEY holds 5 bytes"):
        signing.key(os.fspath(tmp_path))
