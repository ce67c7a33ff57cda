"""However a split's process ends, the caller is told what happened, and nothing it printed is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from scripts import log_of, one_layer, run, told

from laminar.ledger.sql import Ledger

METHODS = ["fork", "spawn"]
EXECUTORS = [*METHODS, "thread"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("body", "type_name", "attribute", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "AttemptKilledError", ("signal", 11), "killed by SIGSEGV"),
        ("os.abort()", "AttemptKilledError", ("signal", 6), "killed by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "AttemptKilledError", ("signal", 9), "killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "AttemptKilledError", ("signal", 11), "killed by SIGSEGV"),
        ("os._exit(0)", "AttemptExitedError", ("code", 0), "exited with code 0 and no result"),
        ("os._exit(7)", "AttemptExitedError", ("code", 7), "exited with code 7 and no result"),
        ("sys.exit(3)", "AttemptExitedError", ("code", 3), "it called sys.exit(3)"),
        ("sys.exit()", "AttemptExitedError", ("code", 0), "it called sys.exit(None)"),
    ],
)
def test_a_sudden_end_is_told_as_what_it_is(
    tmp_path: Path, method: str, body: str, type_name: str, attribute: tuple[str, int], words: str
) -> None:
    found = told(one_layer(tmp_path, body), method)
    assert found["type"] == type_name
    assert found["attributes"][attribute[0]] == attribute[1]
    assert words in found["text"]
    assert "AttemptError" in found["types"]
    assert any("laminar resume main.py run" in note for note in found["notes"])


def test_sys_exit_in_a_thread_ends_the_layer_and_not_the_scheduler(tmp_path: Path) -> None:
    found = told(one_layer(tmp_path, "sys.exit(3)"), "thread")
    assert (found["type"], found["attributes"]["code"]) == ("AttemptExitedError", 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "ctypes.string_at(0)", "raise ValueError"])
def test_what_was_printed_before_a_sudden_end_is_kept(tmp_path: Path, method: str, end: str) -> None:
    body = f"""
        print("a line")
        print("half a line", end="")
        sys.stdout.buffer.write(b" and bytes")
        {end}
    """
    script = one_layer(tmp_path, body, top="import ctypes")
    assert told(script, method)["type"] != "OneFlow"
    assert log_of(script).startswith("a line\nhalf a line and bytes")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_was_printed_is_kept_where_the_ledger_says(tmp_path: Path, executor: str) -> None:
    body = """
        print("to output")
        print("to error", file=sys.stderr)
        logging.getLogger("mine").warning("logged")
        self.value = 1
    """
    script = one_layer(tmp_path, body, top="import logging\nlogging.basicConfig()", artifacts=("value",))
    assert told(script, executor)["artifacts"] == {"value": 1}
    ledger = Ledger(str(tmp_path / "root" / "ledger.db"), create=False)
    (attempt,) = ledger.attempts("OneFlow", "run")
    text = Path(attempt.log).read_text()
    assert text.startswith("to output\nto error\n")
    assert ("WARNING:mine:logged\n" in text) == (executor != "thread"), "a handler keeps the stream it was made with"


def test_attempts_keep_logs_of_their_own(tmp_path: Path) -> None:
    body = """
        print("attempt", self.attempt)
        assert self.attempt == 3
    """
    script = one_layer(tmp_path, body, registration="retry=Retry(attempts=3, delay=0)")
    told(script, "fork")
    attempts = Ledger(str(tmp_path / "root" / "ledger.db"), create=False).attempts("OneFlow", "run")
    assert [Path(attempt.log).read_text() for attempt in attempts] == ["attempt 1\n", "attempt 2\n", "attempt 3\n"]
    assert [attempt.state.value for attempt in attempts] == ["FAILED", "FAILED", "SUCCEEDED"]


ODD = """
    class Odd(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")
            self.first = first

    class Doubling(Exception):
        def __init__(self, name):
            super().__init__(f"not found: {name}")

    class Holding(Exception):
        pass

    class Stubborn(Exception):
        def __reduce__(self):
            raise TypeError("not me")

    class Speechless(Exception):
        def __str__(self):
            raise ZeroDivisionError

    def holding():
        error = Holding("it holds a lock")
        error.lock = threading.Lock()
        error.code = 5
        return error

    def chained():
        try:
            {}["missing"]
        except KeyError as error:
            raise RuntimeError("because of that") from error
"""


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("body", "type_name", "text", "attributes"),
    [
        ('raise ValueError("plain")', "ValueError", "plain", {}),
        ('raise Odd("one", "two")', "Odd", "one and two", {"first": "one"}),
        ('raise Doubling("x")', "Doubling", "not found: x", {}),
        ("raise holding()", "Holding", "it holds a lock", {"code": 5}),
        ("raise Holding(threading.Lock())", "Holding", "<unlocked _thread.lock object", {}),
        ('raise Stubborn("as I am")', "Stubborn", "as I am", {}),
        ('open("/no/such/file")', "FileNotFoundError", "[Errno 2] No such file or directory: '/no/such/file'", {}),
        ('raise ExceptionGroup("both", [ValueError(1), KeyError(2)])', "ExceptionGroup", "both (2 sub-exceptions)", {}),
        ("raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'bad')", "UnicodeDecodeError", "'utf-8' codec can't", {}),
        ("chained()", "RuntimeError", "because of that", {}),
    ],
)
def test_an_exception_reaches_the_caller_as_itself(
    tmp_path: Path, executor: str, body: str, type_name: str, text: str, attributes: dict[str, object]
) -> None:
    script = one_layer(tmp_path, body, top=ODD)
    found = told(script, executor)
    assert found["type"] == type_name
    assert text in found["text"]
    assert attributes.items() <= found["attributes"].items()
    (note,) = (note for note in found["notes"] if note.startswith("Raised in layer Only"))
    assert "Traceback (most recent call last)" in note
    assert "main.py" in note
    assert body in note or "in chained" in note
    assert os.sep + os.path.join("laminar", "worker") not in note
    if body == "chained()":
        assert "KeyError: 'missing'" in note


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_exception_without_words_is_told_by_its_type(tmp_path: Path, executor: str) -> None:
    found = told(one_layer(tmp_path, "raise Speechless", top=ODD), executor)
    assert found["type"] == "RemoteError"
    assert "Speechless: <its text could not be made: ZeroDivisionError>" in found["text"]


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_can_be_caught_by_its_type_where_the_flow_was_called(tmp_path: Path, method: str) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import sys\n"
        "from laminar import Flow, Layer\n"
        "from laminar.configurations import datastores, executors\n"
        "class Refused(Exception):\n"
        "    def __init__(self, *, why):\n"
        "        super().__init__(why)\n"
        "        self.why = why\n"
        "class RefusedFlow(Flow): ...\n"
        "@RefusedFlow.register\n"
        "class Ask(Layer):\n"
        "    def __call__(self):\n"
        "        raise Refused(why='closed')\n"
        "flow = RefusedFlow(\n"
        "    datastore=datastores.Local(root=sys.argv[1]), executor=executors.Process(method=sys.argv[2])\n"
        ")\n"
        "if flow:\n"
        "    try:\n"
        "        flow()\n"
        "    except Refused as error:\n"
        "        print('caught', error.why)\n"
    )
    done = run(script, str(tmp_path / "root"), method)
    assert (done.returncode, done.stdout) == (0, "caught closed\n"), done.stderr


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_was_assigned_before_a_failure_is_saved(tmp_path: Path, executor: str) -> None:
    body = """
        self.before = "kept"
        raise ValueError("after")
    """
    script = one_layer(tmp_path, body, registration="catch=Catch(ValueError)", artifacts=("before",))
    assert told(script, executor)["artifacts"] == {"before": "kept"}


def test_a_split_that_is_killed_is_tried_again(tmp_path: Path) -> None:
    body = """
        if self.attempt < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        self.value = self.attempt
    """
    script = one_layer(tmp_path, body, registration="retry=Retry(attempts=3, delay=0)", artifacts=("value",))
    assert told(script, "fork")["artifacts"] == {"value": 3}
    outcomes = [row.outcome for row in Ledger(str(tmp_path / "root" / "ledger.db")).attempts("OneFlow", "run")]
    assert outcomes == ["killed: its process was killed by SIGKILL"] * 2 + ["succeeded"]


@pytest.mark.parametrize("method", METHODS)
def test_a_signal_without_a_name_is_told_by_its_number(tmp_path: Path, method: str) -> None:
    found = told(one_layer(tmp_path, "os.kill(os.getpid(), signal.SIGRTMIN + 3)"), method)
    assert found["attributes"]["signal"] == signal.SIGRTMIN + 3
    assert f"killed by signal {signal.SIGRTMIN + 3}" in found["text"]
