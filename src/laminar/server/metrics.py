"""What the server counts, for Prometheus."""

from __future__ import annotations

import prometheus_client
from prometheus_client import exposition

MEDIA = exposition.CONTENT_TYPE_LATEST
#: Upper bounds of the classes of durations, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """The counters of one server; others can be added to ``registry``. No label has a value that a caller makes up."""

    def __init__(self) -> None:
        """Begin to count."""
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._requests = prometheus_client.Counter(
            "laminar_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = prometheus_client.Histogram(
            "laminar_http_seconds",
            "Seconds until a request was answered.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )

        self._claims = prometheus_client.Histogram(
            "laminar_claim_seconds",
            "Seconds that a run waited until a server took it.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._beats = prometheus_client.Histogram(
            "laminar_database_seconds",
            "Seconds that a transaction took which says that the server lives.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._ends = prometheus_client.Counter(
            "laminar_runs_ended", "Runs that ended here.", ("state",), registry=self.registry
        )

    def taken(self, seconds: float) -> None:
        """Count a run that was taken for the first time, after so many seconds."""
        self._claims.observe(max(seconds, 0.0))

    def wrote(self, seconds: float) -> None:
        """Count a transaction, and the seconds that it took."""
        self._beats.observe(seconds)

    def ended(self, state: str) -> None:
        """Count a run that has ended in some state."""
        self._ends.labels(state).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; names that strangers make up are not among the labels, lest they fill the memory."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Give all that is counted, in the form that Prometheus reads."""
        return prometheus_client.generate_latest(self.registry)
