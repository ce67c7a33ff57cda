"""A server's database under many processes, under restarts, and under servers that want the same runs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from trials import FULL, holds

from laminar.ledger.opening import open_database
from laminar.ledger.server_rows import Submission
from laminar.ledger.submissions import Submissions
from postgres import Cluster

pytestmark = pytest.mark.chaos

SPACE = "project/development"
MAKE = "CREATE TABLE lines (sequence INTEGER PRIMARY KEY, writer INTEGER NOT NULL, number INTEGER NOT NULL);"
COUNT = "SELECT count(*) FROM lines"
ONCE = "SELECT writer, count(*), count(DISTINCT number), min(number), max(number) FROM lines GROUP BY writer"

#: Writes lines 0, 1, 2… of a writer, each in a transaction of its own, from four threads.
WRITER = """
    import sys
    from concurrent.futures import ThreadPoolExecutor
    from laminar.ledger.opening import open_database

    url, writer, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    database = open_database(url)
    sys.stdin.read()  # until all are there

    def write(number):
        row = (writer, number)
        database.transact(lambda c: c.execute("INSERT INTO lines (writer, number) VALUES (?, ?)", row))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(count)))
    database.close()
"""

#: Takes runs as a server does, and prints those that it has taken.
CLAIMER = """
    import sys
    from concurrent.futures import ThreadPoolExecutor
    from laminar.ledger.opening import open_database
    from laminar.ledger.submissions import Submissions

    url, server = sys.argv[1], sys.argv[2]
    submissions = Submissions(open_database(url))
    sys.stdin.read()  # until all are there

    def claim(_):
        taken = []
        while found := submissions.claimable(20):
            taken += [row.run for row in found if submissions.claim(row.space, row.run, server, "", 60.0)]
        return taken

    with ThreadPoolExecutor(2) as threads:
        for taken in threads.map(claim, range(2)):
            print(*taken, sep="\\n")
"""


def started(program: str, *arguments: list[object]) -> list[subprocess.Popen[str]]:
    """Start a process for each list of arguments; all begin at once."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen([*command, *map(str, words)], text=True, **pipes) for words in arguments]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    return processes


def ends(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Give what processes have printed; all end well, without a word of complaint."""
    said = [process.communicate() for process in processes]
    assert [(complaint, process.returncode) for (_, complaint), process in zip(said, processes, strict=True)] == [
        ("", 0)
    ] * len(processes)
    return [printed for printed, _ in said]


def test_eight_processes_share_a_file_and_none_is_told_that_it_is_locked(tmp_path: Path) -> None:
    count = 5000 if FULL else 500
    path = tmp_path / "server.db"
    with closing(open_database(f"sqlite:///{path}")) as database:
        database.transact(lambda connection: connection.define(MAKE))
        ends(started(WRITER, *([f"sqlite:///{path}", writer, count] for writer in range(8))))
        assert database.read(ONCE + " ORDER BY writer") == [(writer, count, count, 0, count - 1) for writer in range(8)]
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_each_transaction_counts_once_while_postgresql_is_restarted_again_and_again(
    cluster: Cluster, postgres: str
) -> None:
    writers, count, restarts = 4, 20_000 if FULL else 2000, 20 if FULL else 4
    with closing(open_database(postgres)) as database:
        database.transact(lambda connection: connection.define(MAKE))
        processes = started(WRITER, *([postgres, writer, count] for writer in range(writers)))
        for restart in range(restarts):
            goal = (restart + 1) * writers * count // (restarts + 1)
            assert holds(lambda goal=goal: database.read(COUNT)[0][0] >= goal, pause=0.05), "the writers stand still"  # type: ignore[misc]
            cluster.stop(signal.SIGINT if restart % 2 else signal.SIGQUIT)
            cluster.start()
        ends(processes)
        assert database.read(ONCE + " ORDER BY writer") == [
            (writer, count, count, 0, count - 1) for writer in range(writers)
        ]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_no_run_is_taken_by_two_servers(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count = 10_000 if FULL else 1000
    url = request.getfixturevalue("postgres") if kind == "postgres" else f"sqlite:///{tmp_path}/server.db"
    with closing(open_database(url)) as database:
        submissions = Submissions(database)
        for number in range(count):
            submissions.submit(Submission(SPACE, f"run-{number}", "task", "env.task", "v", float(number), "", {}, "{}"))
        taken = [run for printed in ends(started(CLAIMER, [url, "one"], [url, "two"])) for run in printed.split()]
        assert sorted(taken) == sorted(f"run-{number}" for number in range(count))
        epochs = database.read("SELECT DISTINCT state, epoch FROM runs")
        assert epochs == [("RUNNING", 1)]
