"""The live display, seen in a real terminal."""

from __future__ import annotations

import json
import re

import pytest

THREADS = (
    "from laminar.configurations import executors as e\nif flow := {flow}(executor=e.Thread(concurrency={count})):"
)


@pytest.fixture
def hello(desk):
    desk.write("main.py")
    return desk


def row(terminal, name):
    """Find the last line of the display that begins with a layer's name."""
    return next((line for line in reversed(terminal.screen) if line.startswith(f"{name} ")), "")


def test_layers_are_seen_with_what_is_done_runs_and_waits(hello):
    hello.hold("second-2")
    terminal = hello.terminal("run", "main.py", "Hello", "--execution", "one")
    terminal.see("2/3, 1 running")
    assert re.fullmatch(r"First +━+ succeeded +\d+ ms", row(terminal, "First"))
    assert re.fullmatch(r"Second +━+[╸╺]?━+ 2/3, 1 running [\d.]+ m?s", row(terminal, "Second"))
    assert re.fullmatch(r"Third +━+ waiting", row(terminal, "Third"))
    footer = next(line for line in terminal.screen if line.startswith("Hello one, "))
    assert footer.endswith(": 1 split running; layers: 1 waiting, 1 running, 1 succeeded")
    assert not terminal.cursor_hidden, "a run that is killed would leave the terminal without one"
    before = footer
    terminal.see(lambda now: any(line.startswith("Hello one, ") and line != before for line in now.screen))
    hello.release("second-2")
    assert terminal.end() == 0


def test_what_user_code_prints_scrolls_above_the_display(hello):
    hello.hold("second-2")
    terminal = hello.terminal("run", "main.py", "Hello", "--execution", "one")
    terminal.see("2/3, 1 running")
    terminal.see("Second[2] | second has 30")
    screen = terminal.screen
    table = next(number for number, line in enumerate(screen) if re.match("First +━", line))
    assert screen[0] == "laminar: Hello one starts (3 layers)"
    assert sorted(screen[1:table]) == [
        "First | first speaks",
        "Second[0] | second has 10",
        "Second[1] | second has 20",
        "Second[2] | second has 30",
    ]
    assert screen[table + 4 :] == [""] * (len(screen) - table - 4)
    hello.release("second-2")
    assert terminal.end() == 0


def test_at_the_end_the_layers_and_a_summary_are_left(hello):
    terminal = hello.terminal("run", "main.py", "Hello", "--execution", "one")
    assert terminal.end() == 0
    lines = terminal.lines
    assert re.match(r"Second +━+ 3/3 ", lines[-4])
    assert re.match(r"Third +━+ succeeded ", lines[-3])
    assert re.fullmatch(r"laminar: Hello one SUCCEEDED in [\d.]+ m?s \(layers: 3 succeeded\)", lines[-2])
    assert "".join(lines[-1:]).startswith("laminar: results: /")
    assert "resume with" not in "".join(lines)
    assert sum(line.startswith("Third |") for line in lines) == 1
    assert not terminal.cursor_hidden


def test_a_failure_is_seen_with_its_split_its_exception_and_how_to_resume(hello):
    (hello.folder / "fail-second-1").touch()
    terminal = hello.terminal("run", "main.py", "Hello", "--execution", "one")
    assert terminal.end() == 1
    lines = terminal.lines
    assert any(re.match(r"Second +━+[╸╺]?━+ \d/3, 1 failed ", line) for line in lines)
    assert not any(re.match("Third +━", line) for line in lines)
    start = lines.index("laminar: failed: layer Second, split 1 of 3, it was the only attempt")
    assert lines[start + 1] == "laminar:   ValueError: told to fail at second-1"
    assert "laminar: resume with: laminar resume main.py one" in lines[start:]
    assert sum("Traceback" in line for line in lines) == 1
    assert not terminal.cursor_hidden


def test_retries_skipped_layers_and_what_is_kept_are_told_above(desk):
    desk.write(
        "main.py",
        """
        from pathlib import Path
        from laminar import Flow, Layer
        from laminar.configurations import hooks
        from laminar.configurations.layers import Retry

        class F(Flow): ...

        @F.register
        class Never(Layer):
            @hooks.entry
            def decide(self):
                return False

        @F.register
        class Kept(Layer): ...

        @F.register(retry=Retry(attempts=2, delay=0.01))
        class Again(Layer):
            def __call__(self, kept: Kept):
                if not Path("go").exists():
                    raise ValueError("not yet")
        """,
    )
    terminal = desk.terminal("run", "main.py", "F", "--execution", "one")
    assert terminal.end() == 1
    assert "laminar: Never: skipped (its entry hook said no)" in terminal.lines
    assert any(line.startswith("laminar: Again[0]: again in 1") for line in terminal.lines)
    assert any(line.startswith("laminar: failed: layer Again after 2 attempts, ") for line in terminal.lines)
    (desk.folder / "go").touch()
    terminal = desk.terminal("run", "main.py", "F", "--resume")
    assert terminal.end() == 0
    assert "laminar: F one resumes (3 layers)" in terminal.lines
    assert any(line.startswith("laminar: keeps: Kept") for line in terminal.lines)


def test_of_hundreds_of_layers_those_that_run_are_seen_and_the_others_counted(desk):
    desk.write(
        "main.py",
        f"""
        import time
        from pathlib import Path
        from laminar import Flow, Layer

        class Many(Flow): ...

        def work(self):
            while self.name >= "Layer150" and Path("hold").exists():
                time.sleep(0.01)

        for number in range(300):
            Many.register(type(f"Layer{{number:03}}", (Layer,), {{"__call__": work, "__module__": __name__}}))

        {THREADS.format(flow="Many", count=3).replace(chr(10), chr(10) + " " * 8)}
            flow()
        """,
    )
    (desk.folder / "hold").touch()
    terminal = desk.terminal("run", "main.py", "Many", "--execution", "one")
    terminal.see("layers: 147 waiting, 3 running, 150 succeeded")
    shown = [line.split()[0] for line in terminal.screen if re.match(r"Layer\d+ +━", line)]
    assert shown == ["Layer150", "Layer151", "Layer152"]
    (desk.folder / "hold").unlink()
    assert terminal.end() == 0
    assert any(line.endswith("(layers: 300 succeeded)") for line in terminal.lines)


def test_ctrl_c_stops_the_run_and_gives_the_terminal_back(hello):
    hello.hold("second-0")
    terminal = hello.terminal("run", "main.py", "Hello", "--execution", "one")
    hello.reached("second-0")
    terminal.type("\x03")
    assert terminal.end() == 130
    lines = terminal.lines
    assert "laminar: stopping: SIGINT was received" in lines
    assert any(line.startswith("laminar: Hello one CANCELLED in ") for line in lines)
    assert lines[-1] == "laminar: resume with: laminar resume main.py one"
    assert not terminal.cursor_hidden


def test_ctrl_c_twice_stops_at_once(desk):
    desk.write(
        "main.py",
        """
        import signal
        import time
        from pathlib import Path
        from laminar import Flow, Layer
        from laminar.configurations.schedulers import Scheduler

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                print("deaf", flush=True)
                while True:
                    time.sleep(60)

        flow = F(scheduler=Scheduler(grace=3600))
        """,
    )
    terminal = desk.terminal("run", "main.py", "F", "--execution", "one")
    terminal.see("Here | deaf")
    terminal.type("\x03")
    terminal.see("stopping: SIGINT was received")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.lines[-1] == "laminar: resume with: laminar resume main.py one"


def test_what_goes_to_a_file_is_whole_there_and_not_in_the_terminal(hello):
    command = f"{hello.program} run main.py Hello --execution one > out.txt"
    terminal = hello.terminal("-c", command, program="/bin/sh")
    assert terminal.end() == 0
    assert sorted((hello.folder / "out.txt").read_text().splitlines())[0] == "First | first speaks"
    assert not any("first speaks" in line for line in terminal.lines)
    assert any(re.match(r"Third +━+ succeeded", line) for line in terminal.lines)


def test_an_answer_in_json_stays_apart_from_the_display(hello):
    command = f"{hello.program} run main.py Hello --execution one -o json > out.json"
    terminal = hello.terminal("-c", command, program="/bin/sh")
    assert terminal.end() == 0
    assert json.loads((hello.folder / "out.json").read_text())["flows"][0]["state"] == "SUCCEEDED"
    assert "First | first speaks" in terminal.lines


@pytest.mark.parametrize(
    ("more", "environment"), [([], {"TERM": "dumb"}), ([], {"LAMINAR_TEST_WITHOUT_RICH": "1"}), (["-q"], {})]
)
def test_without_a_display_lines_are_plain(hello, more, environment):
    hello.write(
        "sitecustomize.py",
        "import os, sys\nif 'LAMINAR_TEST_WITHOUT_RICH' in os.environ:\n    sys.modules['rich'] = None\n",
    )
    terminal = hello.terminal(
        "run", "main.py", "Hello", "--execution", "one", *more, PYTHONPATH=str(hello.folder), **environment
    )
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.raw
    if more:
        assert terminal.raw == b""
    else:
        assert terminal.lines[0] == "laminar: Hello one starts (3 layers)"
        assert "laminar: Second: 3 splits" in terminal.lines


def test_what_hooks_and_the_script_print_stays_whole_and_streams_come_back(desk):
    desk.write(
        "main.py",
        """
        import sys
        from laminar import Flow, Layer
        from laminar.configurations import hooks

        class F(Flow): ...

        @F.register
        class Here(Layer):
            @hooks.submission
            def before(self):
                print("said by", "a hook", end="")
                print(", in two parts")
                print("and to standard error", file=sys.stderr)

            def __call__(self):
                print("said by a layer")

        before = sys.stdout, sys.stderr
        if flow := F():
            flow()
            print("streams are back:", (sys.stdout, sys.stderr) == before)
        """,
    )
    terminal = desk.terminal("main.py", program=desk.python_program)
    assert terminal.end() == 0
    for line in (
        "said by a hook, in two parts",
        "and to standard error",
        "Here | said by a layer",
        "streams are back: True",
    ):
        assert terminal.lines.count(line) == 1


def test_streams_come_back_and_the_cursor_too_where_the_run_cannot_begin(desk):
    desk.write(
        "main.py",
        """
        import sys
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer): ...

        before = sys.stdout, sys.stderr
        if flow := F():
            flow(execution="one")
            try:
                flow(execution="one")
            except Exception as error:
                print(type(error).__name__, (sys.stdout, sys.stderr) == before)
        """,
    )
    terminal = desk.terminal("main.py", program=desk.python_program)
    assert terminal.end() == 0
    assert terminal.lines[-1] == "RunExistsError True"
    assert not terminal.cursor_hidden


def test_what_user_code_prints_cannot_steer_the_terminal(desk):
    desk.write(
        "main.py",
        r"""
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                print("\x1b]0;a title\x07\x1b[2Jstill here [bold]as it is[/bold] :smile:")
        """,
    )
    terminal = desk.terminal("run", "main.py", "F")
    assert terminal.end() == 0
    assert "Here | still here [bold]as it is[/bold] :smile:" in terminal.lines
    assert b"a title" not in terminal.raw
    assert b"\x1b[2J" not in terminal.raw


def test_long_lines_are_shown_whole(desk):
    desk.write(
        "main.py",
        """
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                print("x" * 250 + "end")
        """,
    )
    terminal = desk.terminal("run", "main.py", "F")
    assert terminal.end() == 0
    assert "Here | " + "x" * 250 + "end" in "".join(terminal.lines)


def test_a_second_run_of_the_process_writes_plain_lines_above_the_display_of_the_first(desk):
    desk.write(
        "main.py",
        """
        import threading
        from laminar import Flow, Layer
        from laminar.configurations import datastores, executors

        begun, over = threading.Event(), threading.Event()

        class Slow(Flow): ...

        @Slow.register
        class Long(Layer):
            def __call__(self):
                begun.set()
                over.wait()

        class Quick(Flow): ...

        @Quick.register
        class Short(Layer):
            def __call__(self):
                print("short speaks")

        def make(kind):
            return kind(datastore=datastores.Memory(), executor=executors.Thread())

        thread = threading.Thread(target=make(Slow), kwargs={"execution": "slow"})
        thread.start()
        begun.wait()
        make(Quick)(execution="quick")
        over.set()
        thread.join()
        """,
    )
    terminal = desk.terminal("main.py", program=desk.python_program)
    assert terminal.end() == 0
    lines = terminal.lines
    assert lines.count("laminar: Quick quick starts (1 layer)") == 1
    assert lines.count("Short | short speaks") == 1
    assert any(re.match(r"Long +━+ succeeded", line) for line in lines)
    assert not any(re.match(r"Short +━", line) for line in lines)


def test_a_run_goes_on_when_its_terminal_is_closed(desk):
    desk.write("main.py")
    desk.hold("second-0")
    command = f"trap '' HUP; {desk.program} run main.py Hello --execution one; echo $? > code.part; mv code.part code"
    terminal = desk.terminal("-c", command, program="/bin/sh")
    desk.reached("second-0")
    terminal.hang_up()
    desk.release("second-0")
    desk.until((desk.folder / "code").exists, "the run has ended")
    assert (desk.folder / "code").read_text() == "0\n"
    assert desk.laminar("get", "runs", "-o", "json").plain[0]["state"] == "SUCCEEDED"
