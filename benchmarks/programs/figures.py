"""What the programs report: seconds and resident memory of a piece of work, as one line of JSON."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager


def memory(field: str) -> float:
    """Read the resident memory of this process in megabytes: ``VmRSS`` (now) or ``VmHWM`` (the most so far)."""
    with open("/proc/self/status") as file:
        for line in file:
            name, _, amount = line.partition(":")
            if name == field:
                return int(amount.split()[0]) * 1024 / 1e6
    raise LookupError(field)


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Report what the work inside takes; it may put seconds of its own into what it is given."""
    figures = {"before": memory("VmRSS")}
    began = time.perf_counter()
    yield figures
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, **figures, "peak": memory("VmHWM")}))
