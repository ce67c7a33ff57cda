"""A server's database: opened by its URL, made by several at once, refused where it is newer or cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from laminar.errors import ConfigurationError, LedgerError, NewerSchemaError
from laminar.ledger import server_tables, tables
from laminar.ledger.database import Database
from laminar.ledger.opening import open_database
from laminar.ledger.postgres import Postgres
from laminar.ledger.schema import Component, set_up
from laminar.ledger.submissions import Submissions

COMPONENTS = [tables.COMPONENT, server_tables.COMPONENT]
OPEN = "import sys; from laminar.ledger.opening import open_database as o; sys.stdin.read(); o(sys.argv[1]).close()"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_tables_of_a_newer_laminar_are_refused(database: Database, component: Component) -> None:
    newer = component.version + 1
    database.transact(lambda connection: connection.set_version(component.name, newer))
    with pytest.raises(NewerSchemaError, match=rf"has schema {newer} of '{component.name}'; .*Upgrade laminar"):
        set_up(database, component)
    assert database.version(component.name) == newer


@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
def test_servers_that_start_at_once_on_an_empty_database_all_find_its_tables(url: str) -> None:
    command = [sys.executable, "-c", OPEN, url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for server in started:
        assert server.stdin is not None
        server.stdin.close()
    assert [(server.stderr.read() if server.stderr else "", server.wait()) for server in started] == [("", 0)] * 4
    database = open_database(url)
    assert [database.version(component.name) for component in COMPONENTS] == [one.version for one in COMPONENTS]
    assert Submissions(database).claimable(1) == []
    database.close()


def test_a_database_is_found_again_by_its_url(tmp_path: Path) -> None:
    for _ in range(2):
        database = open_database(f"sqlite:///{tmp_path}/folder/server.db")
        assert Submissions(database).claimable(1) == []
        database.close()
    assert (tmp_path / "folder" / "server.db").exists()


@pytest.mark.parametrize("url", ["mysql://host/name", "server.db", "sqlite:///", "sqlite:server.db", ""])
def test_a_url_of_another_kind_is_refused_with_those_that_are_known(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///PATH or postgresql://"):
        open_database(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:s3cret@[::1/name", "cannot be read.*postgresql://user:password@host"),
        ("postgresql://ann:s3cret@127.0.0.1:1/name", r"The ledger at postgresql://127.0.0.1:1/name .*did not answer"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_without_its_password(url: str, said: str) -> None:
    with pytest.raises(LedgerError, match=said) as raised:
        Postgres(url, patience=0.0)
    assert "s3cret" not in str(raised.value)


def test_a_database_that_does_not_exist_is_told_at_once(postgres: str) -> None:
    with pytest.raises(LedgerError, match=r'database "missing" does not exist.*Check the URL'):
        open_database(postgres.replace(postgres.partition("@/")[2].partition("?")[0], "missing"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path}/file/server.db")
