"""What the server counts, for Prometheus."""

from __future__ import annotations

import prometheus_client
from prometheus_client import exposition

MEDIA = exposition.CONTENT_TYPE_LATEST
#: Upper bounds of the classes of durations, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """The counters of one server; others can be added to ``registry``."""

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

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; names that strangers make up are not among the labels, lest they fill the memory."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Give all that is counted, in the form that Prometheus reads."""
        return prometheus_client.generate_latest(self.registry)
