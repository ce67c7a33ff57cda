"""Fixtures for tests of flows.

In ``conftest.py``::

    pytest_plugins = ["laminar.testing.fixtures"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from laminar.executors.thread import Thread
from laminar.flows.datastores import Memory
from laminar.flows.flow import Flow
from laminar.flows.schedulers import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

FlowT = TypeVar("FlowT", bound=Flow)


@pytest.fixture
def in_memory() -> Callable[[type[FlowT]], FlowT]:
    """Make flows that run within the test: values in memory, layers in threads, nothing printed, nothing left.

    Values are pickled and layers run in the order and number that they would elsewhere.

    Usage::

        def test_the_total_is_right(in_memory):
            execution = in_memory(SalesFlow)(year=2024)
            assert execution.layer(Total).euros == 42
    """

    def make(kind: type[FlowT]) -> FlowT:
        return kind(datastore=Memory(), executor=Thread(), scheduler=Scheduler(quiet=True))

    return make
