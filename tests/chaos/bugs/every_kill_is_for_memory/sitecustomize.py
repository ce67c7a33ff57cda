"""A seeded bug: whoever was killed counts as killed for memory."""

from __future__ import annotations

from laminar.executors.outcomes import Watch
from laminar.model.action import Ended

ended = Watch.ended


def guess(self: Watch, status: int, cpu: float | None, memory: float | None, *, killed: bool) -> Ended:
    return ended(self, status, cpu, memory, killed=True)


Watch.ended = guess  # type: ignore[method-assign]
