"""Memory of containers: what hooks and retries ask for is what there is, and memory kills are told from other ends."""

from __future__ import annotations

import re
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engines import Engine
from laminar.ledger.sql import Ledger
from programs import HOLD, all_told, artifacts, one_layer, several, told, write

HOG = """
    def limit():
        for path in ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
            if os.path.exists(path):
                return int(open(path).read())

    def hog(megabytes):
        taken = bytearray(megabytes * 1_000_000)
        for start in range(0, len(taken), 4096):
            taken[start] = 1
        return taken
"""
#: So little that the hog dies, and a retry that would try again if it were a memory kill.
SMALL = "container=Container(memory=100), retry=Retry(memory=2.0, memory_max=110)"


def outcomes(script: Path, flow: str = "OneFlow") -> list[str]:
    """Give how each attempt of a run has ended."""
    ledger = Ledger(str(script.parent / "root" / "ledger.db"), create=False)
    return [(attempt.outcome or "").partition(":")[0] for attempt in ledger.attempts(flow, "run")]


def test_hooks_and_retries_set_the_limit_that_the_container_really_has(docker_host: str, tmp_path: Path) -> None:
    body = """
        class OneFlow(Flow): ...

        @OneFlow.register
        class First(Layer):
            def __call__(self):
                self.rows = 150

        @OneFlow.register(container=Container(memory=1000))
        class Hooked(Layer):
            def __call__(self, first: First):
                self.limit = limit()

            @hooks.submission
            def size(self, first: First):
                self.configuration.container.memory = first.rows + 50

        @OneFlow.register(
            container=Container(memory=64), retry=Retry(attempts=1, memory=2.0, memory_max=256, delay=0.01)
        )
        class Grown(Layer):
            def __call__(self):
                self.limit = limit()
                hog(140)
    """
    script = write(
        tmp_path,
        HOG,
        body,
        executor="executors.Docker(concurrency=2)",
        artifacts="[execution.layer(name).limit for name in ('Hooked', 'Grown')]",
    )
    assert [limit // 4096 for limit in artifacts(script)] == [200_000_000 // 4096, 256_000_000 // 4096]
    assert outcomes(script).count("out-of-memory") == 2
    assert len(outcomes(script)) == 5


#: What a layer does that may take 100 MB: the type of its error, None if there is none, and how often it was tried.
ENDS = {
    "it takes too much": ("hog(300)", "OutOfMemoryError", 2),
    "its module takes too much": ("pass", "OutOfMemoryError", 1),
    "it exits with the code of a kill": ("os._exit(137)", "AttemptExitedError", 1),
    "it kills itself": ("os.kill(os.getpid(), signal.SIGKILL)", "AttemptKilledError", 1),
    "it raises what Python raises": ("raise MemoryError('mine')", "MemoryError", 1),
    "a child takes too much and it fails": ("raise ValueError(greedy_child())", "ValueError", 1),
    "a child takes too much and it goes on": ("self.told = greedy_child()", None, 1),
}
CHILD = """
    def greedy_child():
        return subprocess.run([sys.executable, "-c", "x = b'1' * 300_000_000"]).returncode

    if "GREEDY" in os.environ:
        hog(300)
"""


def test_a_memory_kill_is_told_from_other_ends(container_engine: Engine, tmp_path: Path) -> None:
    cases = {words: {"body": body, "registration": SMALL} for words, (body, _, _) in ENDS.items()}
    cases["its module takes too much"]["registration"] = "container=Container(memory=100, env={'GREEDY': 'yes'})"
    script = several(tmp_path, cases, top=textwrap.dedent(HOG) + textwrap.dedent(CHILD))
    found = all_told(script)
    for words, (_, kind, tries) in ENDS.items():
        one = found[words]
        assert one.get("type") == kind, (words, one)
        ends = outcomes(script, one["flow"])
        assert len(ends) == tries, words
        killed = kind == "OutOfMemoryError"
        assert [end == "out-of-memory" for end in ends] == [killed] * tries, words
        told_so = re.search(r"the kernel killed it for memory.*; its limit is memory=1[01]0\b", one.get("text", ""))
        assert bool(told_so) == killed, (words, one)
    assert found["a child takes too much and it goes on"]["artifacts"] == -9
    assert outcomes(script, found["a child takes too much and it goes on"]["flow"]) == ["succeeded"]


def test_a_container_that_is_killed_by_hand_was_not_killed_for_memory(container_engine: Engine, tmp_path: Path) -> None:
    held = tmp_path / "root"
    script = one_layer(tmp_path, f"hold({str(held)!r})", registration=SMALL, top=HOLD)
    with ThreadPoolExecutor() as pool:
        ending: Any = pool.submit(told, script)
        while not (held / "held").exists():
            assert not ending.done(), ending.result()
            time.sleep(0.005)
        container_engine.docker("kill", (held / "held").read_text())
        found = ending.result()
    assert found["type"] == "AttemptKilledError"
    assert "SIGKILL" in found["text"]
    assert len(outcomes(script)) == 1


def test_a_memory_kill_is_told_of_one_attempt_in_a_warm_container_and_not_of_its_neighbours(
    container_engine: Engine, tmp_path: Path
) -> None:
    body = """
        class OneFlow(Flow): ...

        @OneFlow.register(container=Container(memory=120), retry=Retry(memory=2.0, memory_max=400))
        class Big(Layer):
            def __call__(self):
                while not os.path.exists("there"):
                    time.sleep(0.01)
                hog(200)
                open("survived", "w").close()

        @OneFlow.register(container=Container(memory=120), retry=Retry(memory=2.0, memory_max=400))
        class Small(Layer):
            def __call__(self):
                open("there", "w").close()
                while not os.path.exists("survived"):
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
    """.replace('"there"', repr(str(tmp_path / "root" / "there"))).replace(
        '"survived"', repr(str(tmp_path / "root" / "survived"))
    )
    executor = "executors.Docker(concurrency=2, reuse=ReusePolicy(concurrency=2, replicas=(1, 1), idle_ttl=1))"
    script = write(tmp_path, HOG, body, executor=executor)
    assert told(script)["type"] == "AttemptKilledError"
    assert sorted(outcomes(script)) == ["killed", "out-of-memory", "succeeded"]
