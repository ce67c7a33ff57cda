"""``laminar graph``."""

from __future__ import annotations

import pytest


@pytest.fixture
def hello(shell):
    shell.write("main.py")
    return shell


def test_a_flow_is_drawn_as_mermaid_text(hello):
    answer = hello.laminar("graph", "main.py", "Hello")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("flowchart ")
    for line in ("First --> Second", "Second --> Third"):
        assert line in answer.out.replace(" -->|foreach First.number| ", " --> ")
    assert hello.journal() == []


def test_the_answer_may_be_json(hello):
    text = (hello.folder / "main.py").read_text()
    hello.write("main.py", f"print('said while loading')\n{text}")
    answer = hello.laminar("graph", "main.py", "Hello", "-o", "json")
    assert answer.plain["flow"] == "Hello"
    assert answer.plain["needs"] == {"Parameters": [], "First": [], "Second": ["First"], "Third": ["Second"]}
    assert answer.plain["mermaid"].rstrip() + "\n" in hello.laminar("graph", "main.py", "Hello").out
    assert answer.err == "said while loading\n"


def test_a_flow_that_is_wrong_is_told(hello):
    hello.write(
        "wrong.py",
        """
        from laminar import Flow, Layer

        class F(Flow): ...

        class Stranger(Layer): ...

        @F.register
        class Here(Layer):
            def __call__(self, stranger: Stranger): ...
        """,
    )
    answer = hello.laminar("graph", "wrong.py", "F")
    assert (answer.code, answer.out) == (2, "")
    assert "layer Stranger is not registered" in answer.err
    assert hello.laminar("graph", "wrong.py", "G").err.endswith("wrong.py has no flow 'G'. Known: 'F'.\n")
