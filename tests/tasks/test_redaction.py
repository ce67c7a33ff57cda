"""Secrets do not show in text, in output as it comes, or in errors; all else stays as it was."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.data.serde import pickled
from laminar.data.serde.failures import describe
from laminar.model.action import Failure
from laminar.worker import capture
from laminar.worker.redaction import Redactor, Stream

KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n/EFAASCBKcwggSjAgEAAoIBAQ==\n-----END KEY-----"
VALUES = ["hunter22", "pa'ss\"w\\ord/ü", KEY, "  spaced out ", "a+b/c=d&e?f"]


def in_base64(before: bytes, encode: Callable[[bytes], bytes] = base64.b64encode) -> Callable[[str], str]:
    return lambda value: encode(before + value.encode() + b"after").decode()


SHOWN: dict[str, Callable[[str], str]] = {
    "itself": str,
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda value: repr(value.encode()),
    "repr in a repr": lambda value: repr({"key": repr([value])}),
    "JSON": json.dumps,
    "JSON with its own letters": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps({"body": json.dumps({"key": value})}),
    "repr in JSON": lambda value: json.dumps(repr(value)),
    "an environment": lambda value: repr({"HOME": "/root", "KEY": value}),
    "an exception": lambda value: repr(KeyError(value)),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 without padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 in lines": lambda value: base64.encodebytes(value.encode()).decode(),
    "base64 after 1 byte": in_base64(b"1"),
    "base64 after 2 bytes": in_base64(b"12"),
    "base64 after 3 bytes": in_base64(b"123"),
    "base64 for URLs after a user": in_base64(b"user:", base64.urlsafe_b64encode),
    "hexadecimal": lambda value: value.encode().hex(),
    "hexadecimal in capitals": lambda value: value.encode().hex().upper(),
    "URL": lambda value: "https://host/?key=" + urllib.parse.quote(value, safe=""),
    "path of a URL": urllib.parse.quote,
    "form": lambda value: urllib.parse.urlencode({"key": value}),
}

#: Characters at the edges of base64 that are made of a secret's bits and of its neighbours', with some neighbours; and
#: the masks of a value that is hidden line by line.
EDGES = 24


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("shown", SHOWN)
def test_a_secret_is_hidden_in_whatever_form_it_is_shown(shown: str, value: str) -> None:
    plain = SHOWN[shown](value)
    hidden = Redactor([value]).text(f"before {plain} after")
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert "***" in hidden
    assert len(hidden) <= len("before *** after") + len(SHOWN[shown]("")) + EDGES
    assert SHOWN[shown](value) not in hidden


def test_each_line_of_a_secret_is_hidden_also_alone() -> None:
    redactor = Redactor([KEY])
    for line in KEY.splitlines():
        assert redactor.text(f"<{line}>") == "<***>"
        assert redactor.text(f"<{line.encode().hex()}>") == "<***>"


def test_the_longest_of_several_secrets_is_hidden_whole() -> None:
    redactor = Redactor(["hunter", "hunter22", "22-and-more", "unter2"])
    assert redactor.text("hunter22-and-more hunter2 unter2") == "***-and-more ***2 ***"


def test_without_secrets_nothing_is_changed() -> None:
    redactor = Redactor([])
    assert not redactor
    assert redactor.text("any text") == "any text"
    assert Stream(redactor).write(b"any text") == b"any text"


SECRETS = st.lists(st.text(st.sampled_from("abcdü\n'\"\\/ "), min_size=4, max_size=9).filter(str.strip), max_size=3)
OTHER = st.text(st.sampled_from("abcdeü\n\\ x"), max_size=12)


@given(SECRETS, st.data())
def test_random_secrets_in_random_pieces_never_leak_and_other_text_stays(
    secrets: list[str], data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.one_of(OTHER, st.sampled_from(secrets or [""]))))
    output = "".join(parts).encode() + b"."  # so that it does not end in the beginning of a secret
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=8)))
    redactor = Redactor(secrets)
    stream = Stream(redactor)
    shown = b"".join(
        stream.write(output[start:end]) for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)
    )
    shown += stream.close()
    assert [secret for secret in secrets if secret.encode() in shown] == []
    assert shown == redactor.data(output)
    outside = redactor.data(output).split(b"***")
    place = 0
    for part in outside:  # what is shown is the output, in its order, with nothing added and gaps for the secrets
        place = output.index(part, place) + len(part)
    if not any(form in output for form in redactor.forms):
        assert shown == output


def test_output_is_shown_at_once_unless_it_may_be_the_beginning_of_a_secret() -> None:
    stream = Stream(Redactor(["hunter22"]))
    assert stream.write(b"a line\n") == b"a line\n"
    assert stream.write(b"it is hunt") == b"it is "
    assert stream.write(b"ing\n") == b"hunting\n"
    assert stream.write(b"hunter2") == b""
    assert stream.write(b"2!") == b"***!"
    assert stream.write(b"hunter2") == b""
    assert stream.close() == b"hunter2"


def test_of_a_secret_that_is_cut_off_at_the_end_of_the_output_at_most_the_beginning_is_shown() -> None:
    stream = Stream(Redactor(["correct-horse", "correct"]))
    assert stream.write(b"it is correct-hors") == b"it is "
    assert stream.close() == b"***"
    assert stream.write(b"it is correct") == b"it is "
    assert stream.close() == b"***"


def test_what_a_thread_prints_is_redacted_on_its_way_to_its_own_log(tmp_path: Path) -> None:
    with capture.Capture():
        with capture.captured(str(tmp_path / "plain")):
            print("hunter22")
        with capture.captured(str(tmp_path / "hidden")):
            capture.hide(Redactor(["hunter22"]))
            print("hun", end="")
            print("ter22", "and hunter2", end="")
    assert (tmp_path / "plain").read_text() == "hunter22\n"
    assert (tmp_path / "hidden").read_text() == "*** and hunter2"


class RefusedError(Exception):
    """An error that is not made again by calling its type with its arguments."""

    def __init__(self, host: str, password: str) -> None:
        super().__init__(f"{host} refused {password}")
        self.password = password


def failure_of(error: BaseException) -> Failure:
    try:
        raise error
    except BaseException as raised:
        raised.add_note("noted: hunter22")
        return describe(raised)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("hunter22"),
        ValueError("bad", {"password": ["hunter22", b"hunter22"]}),
        FileNotFoundError(2, "No such file", "/tmp/hunter22"),
        RefusedError("db", "hunter22"),
        ExceptionGroup("hunter22", [KeyError("hunter22"), ExceptionGroup("b", [ValueError("hunter22"), OSError("c")])]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_keeps_its_exception_without_the_secret(error: BaseException) -> None:
    hidden = Redactor(["hunter22"]).failure(failure_of(error))
    assert "hunter22" not in repr(hidden)
    assert b"hunter22" not in (hidden.pickled or b"")
    assert hidden.pickled is not None
    again = pickled.loads(hidden.pickled)
    assert type(again) is type(error)
    assert str(again) == str(error).replace("hunter22", "***")
    assert again.__notes__ == ["noted: ***"]


class Holder:
    """Something in which no search for text looks."""

    def __init__(self, value: str) -> None:
        self.value = value


def test_an_exception_that_hides_the_secret_too_deep_is_left_out() -> None:
    hidden = Redactor(["hunter22"]).failure(failure_of(ValueError("bad", Holder("hunter22"))))
    assert hidden.pickled is None
    assert hidden.type_name == "builtins.ValueError"


def test_a_failure_without_a_secret_stays_as_it_was() -> None:
    error = ValueError("bad")
    failure = describe(error)
    assert Redactor(["hunter22"]).failure(failure) == failure


SIEVED = """
import ctypes, os, subprocess, sys
from laminar.worker.redaction import Redactor
from laminar.worker.sieve import Sieve

with Sieve(Redactor(["hunter22", "line one\\nline two"])):
    print("python", "hunter22")
    print("error", "hunter22", file=sys.stderr, flush=True)
    os.write(1, b"raw hunter22\\n")
    subprocess.run(["sh", "-c", "printf 'shell hunt'; printf 'er22\\n'; echo line one; echo line two"], check=True)
    libc = ctypes.CDLL(None)
    libc.puts(b"c hunter22")
    libc.fflush(None)
    for number in range(20000):
        print(number, "hunter22")
    print("end hunter2", end="")
print("\\nafter")
"""


def test_output_of_python_c_and_subprocesses_is_redacted_and_complete(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        subprocess.run([sys.executable, "-c", SIEVED], stdout=file, stderr=subprocess.STDOUT, check=True)
    text = log.read_text()
    assert "hunter22" not in text
    lines = {"python ***", "error ***", "raw ***", "shell ***", "***", "c ***"}
    assert lines - set(text.splitlines()) == set()
    numbers = [line for line in text.splitlines() if line[0].isdigit()]
    assert numbers == [f"{number} ***" for number in range(20000)]
    assert text.endswith("end hunter2\nafter\n")


LINGERING = """
import os, subprocess
from laminar.worker.redaction import Redactor
from laminar.worker.sieve import Sieve

with Sieve(Redactor(["hunter22"])):
    child = subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE)
    wait, go = os.pipe()
    forked = os.fork()
    if not forked:
        os.close(go)
        os._exit(len(os.read(wait, 1)))
    print("hunter22")
print("done", child.poll(), os.waitpid(forked, os.WNOHANG)[0])
child.communicate(b"end\\n")
os.write(go, b".")
os.waitpid(forked, 0)
"""


def test_children_that_go_on_do_not_hold_up_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", LINGERING], text=True, capture_output=True, check=True)
    assert done.stdout == "***\ndone None 0\n"


def test_a_full_disk_stops_nobody() -> None:
    with open("/dev/full", "wb") as full:
        program = SIEVED.replace('print("\\nafter")', "os._exit(7)")
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=full, check=False)
    assert done.returncode == 7
