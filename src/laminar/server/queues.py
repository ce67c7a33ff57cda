"""Limits on how many actions go on at a time, whichever server drives them: of a queue, and of a whole space.

An action takes its slots before an attempt of it starts, and gives them back when that ends. They are kept in the
database by leases, which this server extends as long as it lives. The slot of a space is given back as soon as an
action calls others, which then count in its place: a parent that kept it could wait for its own children for ever.
"""

from __future__ import annotations

import queue
import threading
import time

from laminar.errors import LedgerError, UnknownQueueError, nearest
from laminar.ledger.queues import PROJECT
from laminar.server import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from laminar.ledger.queues import Queues as Table
    from laminar.ledger.server_rows import QueueRow
    from laminar.model.ids import ActionKey

    #: Space, queue and holder.
    Slot = tuple[str, str, str]

#: Seconds that slots are taken without a word of their server.
LEASE = 10.0
#: Seconds after which a queue that was full is asked again: another server may have given slots back.
AGAIN = 0.5


class Queues:
    """The slots that the actions of one server hold. Used from the threads of all runs."""

    def __init__(self, table: Table, server: str) -> None:
        """Begin with none.

        Args:
            table: The queues in the database.
            server: Name of this server.
        """
        self.table = table
        self._server = server
        self._lock = threading.Lock()
        #: Held by who takes or gives back in the database: what is given back late may have been taken again.
        self._writing = threading.Lock()
        self._known = table.names()
        self._held: set[Slot] = set()
        #: When queues were last found full, and who is to be told of a free slot: a run, once.
        self._full: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], dict[str, Callable[[], None]]] = {}
        self._given: queue.SimpleQueue[Slot | None] = queue.SimpleQueue()
        self._giver = threading.Thread(target=self._give_back, daemon=True, name="laminar-slots")

    def begin(self) -> None:
        """Begin to give slots back to the database."""
        self._giver.start()

    def close(self) -> None:
        """Write down what was given back. What is held stays so: its attempts go on, and the next server has them."""
        self._given.put(None)
        if self._giver.is_alive():
            self._giver.join()

    def of(self, space: str, name: str) -> list[str]:
        """Name the queues that an action must have a slot of."""
        return [one for one in dict.fromkeys((PROJECT, name)) if (space, one) in self._known]

    def full(self, space: str, name: str) -> bool:
        """Tell whether it is known that there is no slot now, which costs nothing."""
        if not self._known:
            return False
        now = time.monotonic()
        return any(now - self._full.get((space, one), -AGAIN) < AGAIN for one in self.of(space, name))

    def take(self, action: ActionKey, name: str, wake: Callable[[], None]) -> bool:
        """Take the slots that an action needs, if all are free.

        Args:
            action: The action; one that has them already keeps them.
            name: Its queue; empty for none.
            wake: Is called when it is worth asking again.
        """
        if name and (action.space, name) not in self._known:
            self.refresh()  # another server has made it meanwhile
        names = self.of(action.space, name) if self._known else []
        if not names:
            return True
        holder = _holder(action)
        with self._writing:
            refused = self.table.acquire(action.space, names, holder, self._server, LEASE)
            with self._lock:
                if refused is None:
                    self._held |= {(action.space, one, holder) for one in names}
                    return True
                self._full[refused.space, refused.name] = time.monotonic()
                self._waiting.setdefault((refused.space, refused.name), {})[action.run] = wake
        return False

    def give(self, action: ActionKey, name: str | None = None) -> None:
        """Give back the slots of an action, or the one of a queue. Does not wait for the database."""
        if not self._held:
            return
        holder = _holder(action)
        with self._lock:
            slots = {slot for slot in self._held if slot[2] == holder and slot[0] == action.space}
            slots = {slot for slot in slots if name in (None, slot[1])}
            self._held -= slots
        for slot in slots:
            self._given.put(slot)

    def leave(self, space: str, run: str) -> None:
        """Leave the slots of a run to who drives it next: their lease ends, or is taken over. It waits for no more."""
        with self._lock:
            self._held -= {slot for slot in self._held if slot[0] == space and slot[2].startswith(f"{run}/")}
            for (where, _), waiting in self._waiting.items():
                if where == space:
                    waiting.pop(run, None)

    def _give_back(self) -> None:
        while (slot := self._given.get()) is not None:
            with self._writing:
                self._release(self._strangers([slot]))
            with self._lock:
                self._full.pop(slot[:2], None)
                waiting = self._waiting.get(slot[:2])
                wake = waiting.pop(next(iter(waiting))) if waiting else None
            if wake is not None:
                wake()

    def _release(self, slots: Collection[Slot]) -> None:
        try:
            if slots:
                self.table.release(slots, self._server)
        except LedgerError as error:
            logs.mistake("slots are given back later", error)  # by the next beat

    def beat(self) -> None:
        """Say that this server lives, and see which queues there are.

        Raises:
            LedgerError: The database does not answer.
        """
        self.refresh()
        if not self._held:
            return
        with self._writing:
            kept = self.table.extend(self._server, LEASE)
            with self._lock:
                lost = self._held - kept
            self._release(self._strangers(kept))
            for space, name, holder in lost:  # the database was silent for longer than the lease
                self.table.acquire(space, [name], holder, self._server, LEASE)

    def _strangers(self, slots: Iterable[Slot]) -> list[Slot]:
        with self._lock:
            return [slot for slot in slots if slot not in self._held]

    def refresh(self) -> None:
        """See which queues there are."""
        self._known = self.table.names()

    def see(self, space: str, name: str | None) -> None:
        """See that a queue is there.

        Raises:
            UnknownQueueError: It is not.
        """
        if name and (space, name) not in self._known and self.table.find(space, name) is None:
            known = [row.name for row in self.table.all(space) if row.name != PROJECT]
            hint = nearest(name, known) if known else ""
            raise UnknownQueueError(
                f"There is no queue {name!r} in {space}.{hint} Make it: laminar queue create {name} --size 2"
            )

    def reason(self, space: str, name: str) -> str | None:
        """Say what an action waits for that has no slot of its queue, or of its space; None if it may have them."""
        for one in dict.fromkeys((name, PROJECT)):
            row = self.table.find(space, one)
            if row is not None and row.taken >= row.size:
                return self._reason(row)
        return None

    def _reason(self, row: QueueRow) -> str:
        what = f"queue {row.name}" if row.name else f"{row.space}, which limits all of its actions"
        if not row.size:
            return f"waits for a slot of {what}: it has none"
        holders = self.table.holders(row.space, row.name)
        runs = list(dict.fromkeys(holder.partition("/")[0] for holder in holders))
        named = ", ".join(runs[:3]) + (", …" if len(runs) > 3 else "")
        held = f"{row.taken} of {row.size} {'is' if row.taken == 1 else 'are'} held"
        return f"waits for a slot of {what}: {held} by {'run' if len(runs) == 1 else 'runs'} {named}"


def _holder(action: ActionKey) -> str:
    return f"{action.run}/{action.name}/{action.index}"
