"""Where a flow keeps its results, where its layers run, and how it is scheduled."""

from __future__ import annotations

from laminar.executors.contract import Executor
from laminar.flows.datastores import DataStore
from laminar.flows.schedulers import Scheduler
from laminar.model.value import Value


class FlowConfiguration(Value, frozen=True):
    """Where a flow keeps its results, where its layers run, and how it is scheduled.

    Attributes:
        datastore: Where artifacts and records lie.
        executor: Where layers run.
        scheduler: How the run is driven.
    """

    datastore: DataStore
    executor: Executor
    scheduler: Scheduler
