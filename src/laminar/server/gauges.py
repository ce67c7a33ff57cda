"""How a server stands at the moment that Prometheus asks."""

from __future__ import annotations

import time

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from laminar.errors import LedgerError
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from laminar.server.engine import Engine


class Gauges(Collector):
    """Runs, slots, agents and attempts, as they are."""

    def __init__(self, engine: Engine) -> None:
        """Take what knows."""
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Leave the names to when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all of them; those of the database only if it answers."""
        engine = self._engine
        agents, attempts = engine.agents.count()
        yield _gauge("laminar_runs_driven", "Runs that this server drives.", engine.driving.count())
        yield _gauge("laminar_agents", "Agents of this server.", agents)
        yield _gauge("laminar_attempts_live", "Attempts that run or start on this server.", attempts)
        yield _gauge("laminar_slots", "Attempts that may run at a time on this server.", engine.slots.size)
        yield _gauge("laminar_slots_used", "Slots that are taken.", sum(engine.slots.holders().values()))
        lost = CounterMetricFamily("laminar_workers_lost", "Agents that were lost.")
        lost.add_metric([], engine.agents.lost)
        yield lost
        yield from self._runs()

    def _runs(self) -> Iterator[Metric]:
        try:
            found = self._engine.submissions.going_on()
        except LedgerError:
            return
        runs = GaugeMetricFamily("laminar_runs", "Runs of all servers that have not ended.", labels=["state"])
        for state, (count, _) in found.items():
            runs.add_metric([state.value], count)
        yield runs
        first = found[State.WAITING][1]
        waited = 0.0 if first is None else max(time.time() - first, 0.0)
        yield _gauge(
            "laminar_runs_waiting_seconds", "Seconds that the first run waits which no server has taken.", waited
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
