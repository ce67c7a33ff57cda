"""``laminar serve``: a server as its user has it, from start to end."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faces
import pytest

from shells import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.close()


class Served:
    """A server that runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.port = int(self.until("listening")["url"].rpartition(":")[2])

    def until(self, message: str) -> dict[str, Any]:
        """Wait for a line of the log."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["message"] == message:
                return self.log[-1]
        raise AssertionError(f"The server ended without {message!r}: {self.log}")

    def ask(
        self, method: str, path: str, token: str = "", body: object = None, patience: float = faces.PATIENCE
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, f"/api/v1{path}", data, {**headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def half(self) -> tuple[socket.socket, bytes]:
        """Send half of a request, and give the rest of it; it is under way once the server asks for its body."""
        body = b'{"name": "ann", "role": "viewer"}'
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=faces.PATIENCE)
        head = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"POST /api/v1/tokens HTTP/1.1\r\n{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[:10])
        return connection, body[10:]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(faces.PATIENCE)


def serve(shell: Shell, *options: str, **environment: str) -> Served:
    return Served(shell.start("serve", "--port", "0", *options, **environment))


def test_a_server_starts_with_nothing_but_its_name(shell: Shell) -> None:
    server = serve(shell)
    assert server.ask("GET", "/health")[1]["status"] == "ok"
    assert server.ask("GET", "/me")[1]["role"] == "admin"
    folder = shell.folder / ".laminar" / "server"
    assert stat.S_IMODE(os.stat(folder / "signing.key").st_mode) == 0o600
    assert (folder / "server.db").exists()
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_before_the_server_stops(shell: Shell, number: signal.Signals) -> None:
    server = serve(shell)
    connection, rest = server.half()
    server.process.send_signal(number)
    server.until("stopping")
    connection.sendall(rest)
    assert b"HTTP/1.1 201 " in faces.read_all(connection)
    assert server.process.wait(faces.PATIENCE) == 0


def test_a_request_that_never_ends_does_not_hold_the_server(shell: Shell) -> None:
    shell.write("server.yaml", "serve:\n  grace: 1\n  patience: 1000\n")
    server = serve(shell, "--config", "server.yaml")
    connection, _ = server.half()
    assert server.stop() == 0
    connection.close()


def test_a_part_that_never_stops_does_not_hold_the_process(shell: Shell) -> None:
    shell.write("server.yaml", "serve:\n  grace: 1\n")
    server = serve(shell, "--config", "server.yaml")
    with contextlib.closing(sqlite3.connect(shell.folder / ".laminar" / "server" / "server.db")) as other:
        other.execute("BEGIN IMMEDIATE")  # the server waits for who writes, longer than it may take to stop
        connection, rest = server.half()
        connection.sendall(rest)
        assert server.stop() == 1
        connection.close()
    assert server.process.stderr is not None
    assert " in transact\n" in server.process.stderr.read()


def test_a_signal_that_comes_while_a_line_is_written_is_heard(shell: Shell) -> None:
    server = serve(shell, PYTHONUNBUFFERED="")
    assert server.process.stderr is not None
    fcntl.fcntl(server.process.stderr.fileno(), fcntl.F_SETPIPE_SZ, 4096)
    with contextlib.suppress(TimeoutError):  # nobody reads the log, so that in the end the server waits for room
        while True:
            server.ask("GET", "/health", patience=1.0)
    server.process.send_signal(signal.SIGTERM)
    server.until("stopping")
    server.until("stopped")
    assert server.process.wait(faces.PATIENCE) == 0


def test_what_a_server_keeps_outlives_its_death(shell: Shell) -> None:
    first = serve(shell, "--auth")
    token = shell.laminar("token", "create", "ann", "--role", "admin").out.strip()
    assert first.ask("GET", "/tokens")[0] == 401
    assert first.ask("GET", "/tokens", token)[0] == 200
    first.stop(signal.SIGKILL)
    again = serve(shell, "--auth")
    assert [row["name"] for row in again.ask("GET", "/tokens", token)[1]["tokens"]] == ["ann"]
    assert again.stop() == 0


def test_a_folder_has_one_server(shell: Shell) -> None:
    server = serve(shell)
    refused = shell.laminar("serve", "--port", "0")
    assert refused.code == 1
    assert f"is in use by another server, process {server.process.pid}" in refused.err
    assert server.stop() == 0


def test_a_port_that_is_taken_is_told(shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused = shell.laminar("serve", "--port", str(other.getsockname()[1]))
    assert refused.code == 1
    assert "is taken by another program" in refused.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "0.0.0.0"), "Add --auth"),
        (("--port", "70000"), "70000 is no port"),
        (("--config", "wrong.yaml"), "wrong.yaml:2: serve.prot is unknown. Did you mean 'serve.port'"),
        (("--config", "missing.yaml"), "missing.yaml cannot be read"),
        (("--executor", "kubernetes"), "'kubernetes' is not one of"),
        (("--port", "0", "--database", "oracle://x"), "No database is known by a URL of 'oracle'"),
    ],
)
def test_wrong_use_is_told_in_a_line(shell: Shell, options: tuple[str, ...], message: str) -> None:
    shell.write("wrong.yaml", "serve:\n  prot: 1\n")
    refused = shell.laminar("serve", "--port", "0", *options)
    assert refused.code == 2
    assert message in refused.err


def test_a_database_that_does_not_answer_is_waited_for_and_that_is_told(shell: Shell) -> None:
    started = shell.start("serve", "--port", "0", "--database", "postgresql://ann:s3cret@127.0.0.1:1/name")
    assert started.stderr is not None
    said = json.loads(started.stderr.readline())
    assert (said["message"], said["host"]) == ("waits for the database, up to a minute", "127.0.0.1")
    assert "s3cret" not in str(said)


def test_a_folder_on_a_full_disk_is_told(shell: Shell, needs: Callable[[object, str], None]) -> None:
    disk = shell.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    needs(os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0, "the right to mount")
    try:
        with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        refused = shell.laminar("serve", "--port", "0", "--state", "disk/state")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert refused.code == 1
    assert refused.err == (
        "laminar: The folder disk/state cannot be used: No space left on device. "
        "Make room there, or choose another: --state.\n"
    )


def test_an_address_that_is_none_of_this_machines_is_told(shell: Shell) -> None:
    refused = shell.laminar("serve", "--auth", "--host", "192.0.2.1")
    assert refused.code == 1
    assert "cannot listen on 192.0.2.1:8080" in refused.err


def test_settings_can_stand_in_the_environment(shell: Shell) -> None:
    server = Served(shell.start("serve", LAMINAR_SERVE_PORT="0", LAMINAR_SERVE_AUTH="yes"))
    assert server.ask("GET", "/me")[0] == 401
    assert server.stop() == 0


def test_the_command_line_loads_no_server_for_its_help(shell: Shell) -> None:
    program = (
        "import sys; from laminar.cli import main; sys.exit('starlette' in sys.modules or 'msgspec' in sys.modules)"
    )
    assert shell.laminar("-c", program, program=sys.executable).code == 0
