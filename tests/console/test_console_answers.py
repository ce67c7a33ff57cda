"""Answers of the command line, in a terminal."""

from __future__ import annotations

RUDE = r"""
    from laminar import Flow, Layer

    class Rude(Flow): ...

    @Rude.register
    class Here(Layer):
        def __call__(self):
            print("before\x1b[2J\x1b]0;a title\x07 and after")
            raise ValueError("x" * 200)
"""


def test_a_table_keeps_to_the_width_of_the_terminal(desk):
    desk.write("main.py", RUDE)
    desk.laminar("run", "main.py", "Rude", "--execution", "one")
    terminal = desk.terminal("get", "runs")
    assert terminal.end() == 0
    head, row = terminal.lines
    assert head.startswith("RUN ")
    assert len(row) == 100
    assert row.endswith("xxx…")
    assert "x" * 200 in desk.laminar("get", "runs").out


def test_the_log_of_one_split_cannot_steer_the_terminal(desk):
    desk.write("main.py", RUDE)
    desk.laminar("run", "main.py", "Rude", "--execution", "one")
    terminal = desk.terminal("logs", "one", "Here/0")
    assert terminal.end() == 0
    assert terminal.lines == ["before and after"]
    assert b"\x1b" not in terminal.raw


def test_aborting_a_run_in_a_terminal_is_seen_there(desk):
    desk.write("main.py")
    desk.hold("second-0")
    terminal = desk.terminal("run", "main.py", "Hello", "--execution", "one")
    desk.reached("second-0")
    assert desk.laminar("abort", "one", "--reason", "enough").code == 0
    assert terminal.end() == 1
    assert "laminar: stopping: aborted: enough" in terminal.lines
    assert terminal.lines[-1] == "laminar: resume with: laminar resume main.py one"
