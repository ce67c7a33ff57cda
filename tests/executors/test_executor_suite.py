"""Threads, forked processes and spawned processes pass one suite."""

from __future__ import annotations

import pytest

from laminar.configurations import executors
from laminar.testing.executors import ExecutorConformance


class TestThread(ExecutorConformance):
    isolated = False

    @pytest.fixture
    def executor(self) -> executors.Thread:
        return executors.Thread(concurrency=3)


class TestForkedProcess(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> executors.Process:
        return executors.Process(concurrency=3, method="fork")


class TestSpawnedProcess(ExecutorConformance):
    hidden = ("child", "session", "orphan", "deaf")

    @pytest.fixture
    def executor(self) -> executors.Process:
        return executors.Process(concurrency=3, method="spawn")
