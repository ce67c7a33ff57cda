"""How things are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.console import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (3.44, "3.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (3720, "1 h 2 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_durations_are_said_in_the_unit_that_fits(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext é ", "plain\ttext é "),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[1;1Hhome", "home"),
        ("\x1bcreset", "reset"),
        ("\x1b(Bset", "set"),
        ("a\rb\nc\x00d\x7fe", "a b c d e"),
        ("\x9b31mred", " 31mred"),
        ("\x1b", " "),
        ("\x1b]open to the end", ""),
    ],
)
def test_what_steers_a_terminal_is_taken_out(text, shown):
    assert words.clean(text) == shown


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_no_control_character_is_ever_left(text):
    assert not [
        letter for letter in words.clean(text) if (ord(letter) < 32 and letter != "\t") or 127 <= ord(letter) < 160
    ]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_left_as_it_is(text):
    assert words.clean(text) == text
