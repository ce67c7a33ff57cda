"""What earlier schedulers have left: attempts of this run that are taken back, and containers that nobody wants."""

from __future__ import annotations

import json
import os

from laminar.executors.docker import abandoned, creation, orders
from laminar.executors.docker.cold import Box
from laminar.executors.outcomes import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from laminar.executors.docker.contract import Job, SessionContract
    from laminar.executors.docker.orders import Placed
    from laminar.model.ids import ActionKey

#: States of a container whose processes live.
RUNNING = ("running", "paused", "stopping")


class Remains(Box):
    """What an attempt has handed over whose container is no more, or is another run's by now."""

    def __init__(self, session: SessionContract, placed: Placed) -> None:
        """Name the attempt.

        Args:
            session: Who asks.
            placed: Where it was.
        """
        super().__init__(session, placed.container, placed.manifest, f"{placed.manifest}.code")
        self._kept = placed.kept

    async def remove(self) -> None:
        """Forget the attempt, with the container that was its own."""
        if self._kept:
            orders.forget(self.manifest)
        else:
            await super().remove()


class Leftovers:
    """Attempts of this run that earlier schedulers have started and not seen end."""

    def __init__(
        self,
        session: SessionContract,
        placed: Iterable[Placed],
        names: set[str],
        stay: Callable[[Placed], Box | None],
    ) -> None:
        """Take what was found.

        Args:
            session: Who asks.
            placed: Where attempts were.
            names: The containers of this run that run.
            stay: Gives an attempt in a warm container, and keeps its room there.
        """
        self._session = session
        self._stay = stay
        self._names = names
        self._placed: dict[ActionKey, tuple[Placed, Box | None]] = {}
        for one in sorted(placed, key=lambda one: (one.key.epoch, one.key.number)):
            before, box = self._placed.get(one.key.action, (None, None))
            if before is not None:
                session.chore(self._forget(before, box))
            self._placed[one.key.action] = (one, self._box(one))

    @classmethod
    async def found(cls, session: SessionContract, stay: Callable[[Placed], Box | None]) -> Leftovers:
        """Look for them, and remove the containers of runs of this installation that no scheduler holds."""
        rows = await listed(session, creation.RUN)
        run, flow = session.host.label.split("/")[:2]
        names: set[str] = set()
        dead: set[str] = set()
        for name, (labels, runs) in rows.items():
            if (labels[creation.RUN], labels[creation.FLOW]) == (run, flow):
                (names if runs else dead).add(name)
            elif not session.host.held(labels[creation.FLOW], labels[creation.RUN]):
                session.host.tell(f"removes container {name}, which an earlier run has left")
                session.chore(Box(session, name, "", None).remove())
        placed = orders.read_placed(session.host.folder)
        label = session.host.label.rpartition("/")[0]
        for other in {one.engine for one in placed} - {session.engine.address}:
            session.host.tell(f"removes what this run has left at the container engine {other}")
            await abandoned.remove(other, label)
        wanted = {
            one.container for one in placed if one.container in names or orders.read_end(one.manifest) is not None
        }
        for name in (names | dead) - wanted:
            session.chore(Box(session, name, "", None).remove())
        return cls(session, placed, names, stay)

    async def take(self, job: Job, digest: str) -> Box | None:
        """Take back the attempt of an action, if it would be started the same way, and runs or has ended well."""
        request = job.request
        placed, box = self._placed.pop(request.key.action, (None, None))
        if placed is None:
            return None
        if placed.digest != digest or (box is None and orders.read_end(placed.manifest) is None):
            await self._forget(placed, box)
            return None
        job.watch = Watch(request.replace(manifest=placed.manifest), limited=True)
        _rename(placed.log, request.log)
        return box or Remains(self._session, placed)

    def _box(self, placed: Placed) -> Box | None:
        if placed.kept:
            return self._stay(placed)
        if placed.container in self._names:
            return Box(self._session, placed.container, placed.manifest, f"{placed.manifest}.code")
        return None

    async def _forget(self, placed: Placed, box: Box | None) -> None:
        if box is not None:
            await box.remove()
        orders.forget(placed.manifest)

    async def close(self) -> None:
        """End what this run has not asked for again."""
        while self._placed:
            _, (placed, box) = self._placed.popitem()
            await self._forget(placed, box)


async def listed(session: SessionContract, label: str) -> dict[str, tuple[Mapping[str, str], bool]]:
    """List the containers of this installation that bear a label: by their names, their labels and whether they run.

    One that was made and not started, since its scheduler died between, does not run.
    """
    wanted = json.dumps({"label": [f"{creation.INSTALLATION}={session.installation}", label]})
    rows: list[Any] = await session.engine.client.containers.list(all="true", filters=wanted)
    return {(row["Names"] or [row["Id"]])[0].lstrip("/"): (row["Labels"], row["State"] in RUNNING) for row in rows}


def _rename(log: str, to: str) -> None:
    """Give the log of an attempt the name that it now has; the attempt goes on to write it."""
    try:
        os.rename(log, to)
    except FileNotFoundError:
        return  # it has printed nothing yet
