"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a socket in it, gone with the tests."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

#: What only durability against power cuts needs is off; WAL is as ever, so a crash of the processes is survived.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "autovacuum": "off",
    "timezone": "UTC",
}
USER = "postgres"


def programs() -> Path | None:
    """Find the folder of PostgreSQL's programs, those of the newest version."""
    named = shutil.which("initdb")
    if named:
        return Path(named).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return versions[-1] if versions else None


class Cluster:
    """A cluster that runs."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def make(self) -> None:
        """Make the files."""
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, pwd.getpwnam(USER).pw_gid)
        command = [
            self._binaries / "initdb",
            "-D",
            self._data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._who())

    def _who(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {"cwd": self._folder}
        group = pwd.getpwnam(USER).pw_gid
        return {"user": USER, "group": group, "extra_groups": [group], "cwd": self._folder}

    def start(self) -> None:
        """Start it; returns once it answers."""
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [self._binaries / "postgres", "-D", self._data, "-k", self._folder, *options]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_end_with_parent, **self._who()
            )
        while subprocess.run(self._command("pg_isready", "-q"), check=False).returncode != 0:
            if self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT disconnects all (fast), SIGQUIT is a crash (immediate). Returns once it has ended."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _command(self, name: str, *arguments: str) -> list[str | Path]:
        return [self._binaries / name, "-h", str(self._folder), "-U", USER, *arguments]

    def database(self, like: str = "") -> str:
        """Make a database, empty or like another that nobody uses, whose URL is given; give its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {_name(like) if like else 'template0'}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Disconnect who is left in a database and remove it: whoever comes again is turned away, by its name too."""
        self._say(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def _say(self, statement: str) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._url("postgres"), autocommit=True)
        self._connection.execute(statement.encode())

    def _url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self._folder}"


def _name(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def _end_with_parent() -> None:
    """Let the system end the cluster if the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def running() -> Iterator[Cluster | None]:
    """Run a cluster; None where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="laminar-postgres-"))
    cluster = Cluster(binaries, folder)
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)  # in order, it would first write what is then removed
        shutil.rmtree(folder, ignore_errors=True)
