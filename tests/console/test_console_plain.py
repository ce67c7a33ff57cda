"""Plain lines: where there is no terminal."""

from __future__ import annotations

import re


def ended(desk):
    runs = desk.laminar("get", "runs", "-o", "json").plain
    return [run for run in runs if run["ended"] is not None or run["state"] == "DIED"]


def test_each_thing_that_happens_to_a_layer_is_a_line(desk):
    desk.write("main.py")
    answer = desk.laminar("run", "main.py", "Hello", "--execution", "one")
    told = [re.sub(r" in [\d.]+ m?s", " in 1 s", line) for line in answer.err.splitlines()]
    assert told == [
        "laminar: Hello one starts (3 layers)",
        "laminar: First: succeeded in 1 s",
        "laminar: Second: 3 splits",
        "laminar: Second: succeeded in 1 s",
        "laminar: Third: succeeded in 1 s",
        "laminar: Hello one SUCCEEDED in 1 s (layers: 3 succeeded)",
        f"laminar: results: {desk.folder}/.laminar",
    ]


def test_a_failure_is_told_with_its_split_its_exception_and_how_to_resume(desk):
    desk.write("main.py")
    (desk.folder / "fail-second-1").touch()
    answer = desk.python("main.py")
    told = answer.err[: answer.err.index("Traceback")].splitlines()
    assert told[-6] == "laminar: Second: failed in " + told[-6].removeprefix("laminar: Second: failed in ")
    assert told[-5:-3] == [
        "laminar: failed: layer Second, split 1 of 3, it was the only attempt",
        "laminar:   ValueError: told to fail at second-1",
    ]
    assert re.fullmatch(r"laminar: Hello \w{27} FAILED in .* \(layers: 1 succeeded, 1 failed, 1 not run\)", told[-3])
    assert told[-2] == f"laminar: results: {desk.folder}/.laminar"
    assert told[-1] == f"laminar: resume with: laminar resume main.py {desk.newest()}"


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more(desk):
    desk.write("main.py")
    desk.hold("second-0")
    run = desk.start("run", "main.py", "Hello", "--execution", "one")
    desk.reached("second-0")
    run.stdout.close()
    run.stderr.close()
    desk.release("second-0")
    run.wait(timeout=30)
    assert [found["state"] for found in ended(desk)] == ["SUCCEEDED"]
    assert "Third | total 120\n" in desk.laminar("logs", "one").out


def test_letters_that_the_stream_cannot_take_are_written_as_escapes(desk):
    desk.write(
        "main.py",
        r"""
        from laminar import Flow, Layer

        class F(Flow): ...

        @F.register
        class Here(Layer):
            def __call__(self):
                print("caf\xe9")

        if flow := F():
            flow()
        """,
    )
    answer = desk.python("main.py", PYTHONIOENCODING="ascii", LAMINAR_EXECUTOR="thread")
    assert (answer.code, answer.out) == (0, "Here | caf\\xe9\n")


def test_nothing_is_said_where_it_should_be_quiet(desk):
    desk.write("main.py")
    assert desk.python("main.py", LAMINAR_QUIET="1") == (0, "", "")
    assert desk.python("main.py", LAMINAR_QUIET="0").err != ""
    text = (desk.folder / "main.py").read_text()
    quiet = "from laminar.configurations import schedulers as s\nif flow := Hello(scheduler=s.Scheduler(quiet=True)):"
    desk.write("main.py", text.replace("if flow := Hello():", quiet))
    assert desk.python("main.py") == (0, "", "")
