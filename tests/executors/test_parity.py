"""Users can rely on the same whatever the executor, but for the differences that one table tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from laminar.configurations import executors
from laminar.configurations.layers import ReusePolicy
from laminar.testing import ExecutorParity
from laminar.testing.parity.subject import Subject

TABLE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "executors.md"


class TestThread(ExecutorParity):
    isolated = False

    @pytest.fixture
    def executor(self) -> executors.Thread:
        return executors.Thread(concurrency=3)


class TestForkedProcess(ExecutorParity):
    @pytest.fixture
    def executor(self) -> executors.Process:
        return executors.Process(concurrency=2, method="fork")


class TestSpawnedProcess(ExecutorParity):
    @pytest.fixture
    def executor(self) -> executors.Process:
        return executors.Process(concurrency=2, method="spawn")


class TestColdContainer(ExecutorParity):
    inherits_environment = False
    in_place = False
    enforces_memory = True

    @pytest.fixture
    def executor(self, docker_host: str) -> executors.Docker:
        return executors.Docker(concurrency=2, network="host")


class TestWarmContainer(ExecutorParity):
    inherits_environment = False
    in_place = False
    enforces_memory = True

    @pytest.fixture
    def executor(self, docker_host: str) -> executors.Docker:
        return executors.Docker(concurrency=2, network="host", reuse=ReusePolicy(replicas=(1, 2), idle_ttl=10))


SUITES: dict[str, type[ExecutorParity]] = {
    "`Process()`": TestForkedProcess,
    '`Process(method="spawn")`': TestSpawnedProcess,
    "`Thread()`": TestThread,
    "`Docker()`": TestColdContainer,
    "`Docker(reuse=…)`": TestWarmContainer,
}
DIFFERENCES = [name for name, value in vars(Subject).items() if isinstance(value, bool)]


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_the_table_of_executors_tells_how_they_differ(difference: str) -> None:
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    row = next(row for row in rows if f"(`{difference}`)" in row[0])
    told = {name: cell.partition(";")[0].partition(",")[0] for name, cell in zip(head, row, strict=True)}
    for name, suite in SUITES.items():
        assert told[name] == ("yes" if getattr(suite, difference) else "no"), name


def test_every_difference_changes_what_is_tested() -> None:
    def tests(suite: type) -> set[str]:
        return {name for name in dir(suite) if name.startswith("test_") and callable(getattr(suite, name))}

    same = tests(type("Same", (ExecutorParity,), {}))
    for difference in DIFFERENCES:
        other = tests(type("Other", (ExecutorParity,), {difference: not getattr(Subject, difference)}))
        assert other != same, difference
    assert tests(type("Again", (TestThread,), {"isolated": True})) == same


def test_there_are_sixty_behaviours_at_least() -> None:
    for suite in SUITES.values():
        found = [name for name in dir(suite) if name.startswith("test_") and callable(getattr(suite, name))]
        assert len(found) >= 60
