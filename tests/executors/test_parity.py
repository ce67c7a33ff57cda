"""Users can rely on the same whatever the executor."""

from __future__ import annotations

import pytest

from laminar.configurations import executors
from laminar.testing import ExecutorParity


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
