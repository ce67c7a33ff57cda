"""What ``.dockerignore`` leaves out."""

from __future__ import annotations

import pytest

from laminar.packaging.dockerignore import Ignored


@pytest.mark.parametrize(
    ("patterns", "out", "kept"),
    [
        (["*.log"], ["a.log"], ["b/a.log", "a.logs"]),
        (["**/*.log"], ["a.log", "b/c/a.log"], ["a.txt"]),
        (["build"], ["build", "build/x/y"], ["src/build", "builds"]),
        (["/build/"], ["build/x"], ["a/build"]),
        (["a/**/z"], ["a/z", "a/b/c/z", "a/z/1"], ["z", "b/z"]),
        (["?.py"], ["a.py"], ["ab.py"]),
        (["[ab].py"], ["a.py"], ["c.py"]),
        (["*", "!keep.py", "!src"], ["x", "a/keep.py"], ["keep.py", "src/a.py"]),
        (["!a.py", "*.py"], ["a.py"], []),
        (["# *.py", "", "  "], [], ["a.py"]),
        (["a+b.(txt)"], ["a+b.(txt)"], ["aab.txt"]),
    ],
)
def test_the_last_pattern_that_matches_decides(patterns, out, kept):
    ignored = Ignored(patterns)
    assert [name for name in (*out, *kept) if ignored(name)] == out
