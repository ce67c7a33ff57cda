"""Threads, processes and containers pass one suite."""

from __future__ import annotations

import pytest

from laminar.configurations import executors
from laminar.configurations.layers import ReusePolicy
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


@pytest.mark.timeout(240)
class TestContainer(ExecutorConformance):
    in_place = False
    load = 12

    @pytest.fixture
    def executor(self, docker_host: str) -> executors.Docker:
        return executors.Docker(concurrency=3, network="host", copy_style="none")


@pytest.mark.timeout(240)
class TestWarmContainer(ExecutorConformance):
    in_place = False

    @pytest.fixture
    def executor(self, docker_host: str) -> executors.Docker:
        return executors.Docker(
            concurrency=3, network="host", copy_style="none", reuse=ReusePolicy(concurrency=3, idle_ttl=2)
        )
