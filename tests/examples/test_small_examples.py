from __future__ import annotations

import os
import re
import sysconfig
from collections import Counter
from pathlib import Path

from example_runs import newest, reader, run


def test_hello_prints_its_message_and_keeps_it(tmp_path: Path) -> None:
    ended = run(tmp_path, "hello.py")
    assert ended.stdout == "hello, world\n"
    execution = newest(reader(tmp_path, "HelloFlow", "Hello", "World"))
    assert execution.finished
    assert (execution.layer("Hello").greeting, execution.layer("World").message) == ("hello", "hello, world")


LAYERS = ("Sample", "Compress", "Check", "Leave", "Decide")


def finished(execution) -> set[str]:
    return {layer for layer in LAYERS if execution.layer(layer).state.finished}


def test_branching_compresses_and_checks_a_file_that_shrinks(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_bytes(b"to and fro, " * 10_000)
    ended = run(tmp_path, "branching.py", "plain.txt")
    execution = newest(reader(tmp_path, "CompressFlow", *LAYERS))
    assert finished(execution) == {"Sample", "Compress", "Check", "Decide"}
    assert ended.stdout == f"plain.txt: compress it, 120,000 bytes become {len(execution.layer('Compress').data)}\n"


def test_branching_skips_the_whole_branch_for_a_file_that_does_not_shrink(tmp_path: Path) -> None:
    (tmp_path / "noise.bin").write_bytes(os.urandom(120_000))
    ended = run(tmp_path, "branching.py", "noise.bin")
    execution = newest(reader(tmp_path, "CompressFlow", *LAYERS))
    assert execution.finished
    assert finished(execution) == {"Sample", "Leave", "Decide"}
    assert ended.stdout.startswith("noise.bin: leave it, ")


def test_branching_looks_at_itself_when_no_file_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "branching.py").stdout.startswith("branching.py: compress it, ")


def test_chained_flows_run_under_one_id_and_hand_on_what_they_found(tmp_path: Path) -> None:
    ended = run(tmp_path, "chained.py")
    rank = newest(reader(tmp_path, "RankFlow", "Rank"))
    collect, count = (reader(tmp_path, name, "Collect", "Total") for name in ("CollectFlow", "CountFlow"))
    assert {newest(flow).id for flow in (collect, count)} == {rank.id}

    words: Counter[str] = Counter()
    for path in Path(sysconfig.get_path("stdlib")).glob("*.py"):
        words.update(re.findall(r"[a-z]{4,}", path.read_text("utf-8").lower()))
    assert count.execution(rank.id).layer("Total").words == words
    assert [(word, times) for word, times, _ in rank.layer("Rank").top] == words.most_common(10)
    assert ended.stdout.splitlines()[0].split()[:3] == ["1.", "self", f"{words['self']:,}"]
