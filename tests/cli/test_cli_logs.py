"""``laminar logs``."""

from __future__ import annotations

import json
import os
import signal

import pytest


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


def test_all_that_was_printed_is_shown_with_its_split_in_front(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    answer = hello.laminar("logs", "one")
    assert (answer.code, answer.err) == (0, "")
    assert sorted(answer.out.splitlines()) == [
        "First | first speaks",
        "Second[0] | second has 10",
        "Second[1] | second has 20",
        "Second[2] | second has 30",
        "Third | total 120",
    ]


def test_one_layer_or_one_split_may_be_chosen(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    assert sorted(hello.laminar("logs", "one", "Second").out.splitlines()) == [
        "Second[0] | second has 10",
        "Second[1] | second has 20",
        "Second[2] | second has 30",
    ]
    assert hello.laminar("logs", "one", "Second/2").out == "second has 30\n"
    assert hello.laminar("logs", "one", "First/0").out == "first speaks\n"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("Secnd", "laminar: Run one has no layer 'Secnd'. Did you mean 'Second'?\n"),
        ("Second/3", "laminar: Layer Second has no split '3': it has 3, from 0.\n"),
        ("Second/-1", "laminar: Layer Second has no split '-1': it has 3, from 0.\n"),
        ("Second/x", "laminar: Layer Second has no split 'x': it has 3, from 0.\n"),
        ("Second/", "laminar: Layer Second has no split '': it has 3, from 0.\n"),
    ],
)
def test_a_place_that_is_not_there_is_told(hello, place, said):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    assert hello.laminar("logs", "one", place) == (2, "", said)


def test_each_line_is_an_object_in_json(hello):
    hello.laminar("run", "main.py", "Hello", "--execution", "one")
    lines = [json.loads(line) for line in hello.laminar("logs", "one", "Second/1", "-o", "json").out.splitlines()]
    assert lines == [{"flow": "Hello", "layer": "Second", "index": 1, "attempt": 1, "text": "second has 20"}]


def test_later_tries_are_told_apart(shell):
    shell.write(
        "main.py",
        """
        from pathlib import Path
        from laminar import Flow, Layer
        from laminar.configurations.layers import Retry

        class F(Flow): ...

        @F.register(retry=Retry(attempts=2, delay=0))
        class Here(Layer):
            def __call__(self):
                print("try")
                if not Path("go").exists():
                    raise ValueError
        """,
    )
    shell.laminar("run", "main.py", "F", "--execution", "one")
    (shell.folder / "go").touch()
    shell.laminar("run", "main.py", "F", "--execution", "one", "--resume")
    assert shell.laminar("logs", "one").out == "Here | try\nHere#2 | try\nHere#3 | try\n"
    assert shell.laminar("logs", "one", "Here/0").out == "try\ntry\ntry\n"


def test_a_run_that_printed_nothing_says_so(shell):
    shell.write(
        "main.py",
        "from laminar import Flow, Layer\nclass F(Flow): ...\n@F.register\nclass Here(Layer): ...\n",
    )
    shell.laminar("run", "main.py", "F", "--execution", "one")
    assert shell.laminar("logs", "one") == (0, "", "laminar: Nothing was printed.\n")
    assert shell.laminar("logs", "one", "-q") == (0, "", "")


KILLED = r"""
    import os
    import signal
    import sys
    import time
    from pathlib import Path

    from laminar import Flow, Layer

    class F(Flow): ...

    @F.register
    class Here(Layer):
        def __call__(self):
            for number in range(20_000):
                print("line", number)
            sys.stdout.flush()
            os.write(2, b"an error line\n")
            os.system("echo from a child")
            os.write(1, b"no end of line")
            Path("printed").touch()
            if Path("hold").exists():
                time.sleep(60)
            os.kill(os.getpid(), signal.SIGKILL)
"""
PRINTED = [*[f"line {number}" for number in range(20_000)], "an error line", "from a child", "no end of line"]


def test_what_a_killed_split_has_printed_is_complete(shell):
    shell.write("main.py", KILLED)
    answer = shell.laminar("run", "main.py", "F", "--execution", "one")
    assert answer.code == 1
    assert shell.laminar("logs", "one", "Here/0").out.splitlines() == PRINTED
    assert answer.out.splitlines() == [f"Here | {line}" for line in PRINTED]


def test_what_was_printed_before_the_scheduler_was_killed_is_complete(shell):
    shell.write("main.py", KILLED)
    (shell.folder / "hold").touch()
    run = shell.start("run", "main.py", "F", "--execution", "one", "-q")
    shell.until((shell.folder / "printed").exists, "all printed")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert shell.laminar("logs", "one", "Here/0").out.splitlines() == PRINTED


def test_a_log_is_given_as_it_was_printed_and_prefixed_lines_as_they_were_seen(shell):
    shell.write(
        "main.py",
        r"""
        import os
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                os.write(1, b"10%\r50%\r100%\ndos\r\n\x1b[31mred\x1b[0m\n\xff\xfe\n\ttab\n")
        """,
    )
    run = shell.laminar("run", "main.py", "F", "--execution", "one")
    seen = ["Here | 100%", "Here | dos", "Here | red", "Here | \ufffd\ufffd", "Here | \ttab"]
    assert run.out.split("\n") == [*seen, ""]
    assert shell.laminar("logs", "one").out.split("\n") == [*seen, ""]
    raw = shell.python(
        "-c",
        "import subprocess, sys\nprint(subprocess.run(sys.argv[1:], capture_output=True).stdout)",
        shell.program,
        *("logs", "one", "Here/0"),
    )
    printed = b"10%\r50%\r100%\ndos\r\n\x1b[31mred\x1b[0m\n\xff\xfe\n\ttab\n"
    assert raw.out == f"{printed!r}\n"


def test_follow_shows_what_comes_and_ends_with_the_run(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "-q")
    hello.reached("second-0")
    follow = hello.start("logs", "one", "--follow")
    assert follow.stdout.readline() == "First | first speaks\n"
    hello.release("second-0")
    out, err = follow.stdout.read(), follow.stderr.read()
    run.communicate()
    assert (follow.wait(timeout=30), err) == (0, "")
    assert "Third | total 120\n" in out
    assert out.count("second has") == 3


def test_follow_ends_when_the_scheduler_dies(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "-q")
    hello.reached("second-0")
    follow = hello.start("logs", "one", "-f")
    assert follow.stdout.readline() == "First | first speaks\n"
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert follow.wait(timeout=30) == 0


def test_follow_ends_by_ctrl_c_without_a_word(hello):
    hello.hold("second-0")
    run = hello.start("run", "main.py", "Hello", "--execution", "one", "-q")
    hello.reached("second-0")
    follow = hello.start("logs", "one", "-f")
    assert follow.stdout.readline() == "First | first speaks\n"
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=30)
    assert (follow.returncode, err.strip()) == (130, "")
    hello.release("second-0")
    run.communicate()
    assert run.returncode == 0
