"""A seeded bug: an attempt in a container counts as ended once it is to stop, and nothing of it is ended."""

from __future__ import annotations

from laminar.executors.docker import cold, pools
from laminar.executors.docker.contract import Job
from laminar.executors.docker.orders import End

end = cold.Box._end
note = pools.Warm.note


async def _end(self: cold.Box, job: Job) -> End | None:
    if job.request.key.action.name != "Fan":
        return await end(self, job)
    await job.stopped.wait()
    return End(0, 0.0, 0.0, False)


async def remove(self: cold.Box) -> None:
    return


def only_start(self: pools.Warm, *what: object) -> None:
    if what[0] == "start":
        note(self, *what)


cold.Box._end = _end  # type: ignore[method-assign]
cold.Box.remove = pools.Stay.remove = remove  # type: ignore[method-assign]
pools.Warm.note = only_start  # type: ignore[method-assign]
