"""Slots of queues: never more than there are, whoever takes them; free again when their lease is over."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from laminar.ledger.database import Database
from laminar.ledger.opening import open_database
from laminar.ledger.queues import PROJECT, Queues

SPACE = "project/development"
MINUTE = 60.0


@pytest.fixture
def queues(database: Database) -> Queues:
    return Queues(database)


def taken(queues: Queues) -> dict[str, int]:
    return {row.name: row.taken for row in queues.all(SPACE)}


def test_a_slot_is_taken_until_it_is_given_back(queues: Queues) -> None:
    queues.put(SPACE, "gpu", 2)
    assert queues.acquire(SPACE, ["gpu"], "run/a1", "one", MINUTE) is None
    assert queues.acquire(SPACE, ["gpu"], "run/a2", "one", MINUTE) is None
    full = queues.acquire(SPACE, ["gpu"], "run/a3", "two", MINUTE)
    assert full is not None
    assert (full.name, full.size, full.taken) == ("gpu", 2, 2)
    assert queues.acquire(SPACE, ["gpu"], "run/a1", "one", MINUTE) is None, "who has a slot keeps it"
    queues.release([(SPACE, "gpu", "run/a1")], "two")
    assert taken(queues) == {"gpu": 2}, "only who has taken a slot gives it back"
    assert queues.holders(SPACE, "gpu") == ["run/a1", "run/a2"]
    queues.release([(SPACE, "gpu", "run/a1")], "one")
    assert queues.acquire(SPACE, ["gpu"], "run/a3", "two", MINUTE) is None
    assert taken(queues) == {"gpu": 2}


def test_slots_of_several_queues_are_taken_together_or_not_at_all(queues: Queues) -> None:
    queues.put(SPACE, PROJECT, 3)
    queues.put(SPACE, "gpu", 1)
    assert queues.acquire(SPACE, [PROJECT, "gpu"], "a1", "one", MINUTE) is None
    full = queues.acquire(SPACE, [PROJECT, "gpu"], "a2", "one", MINUTE)
    assert full is not None
    assert full.name == "gpu"
    assert taken(queues) == {PROJECT: 1, "gpu": 1}
    assert queues.acquire(SPACE, [PROJECT, "unknown"], "a2", "one", MINUTE) is None
    queues.release([(SPACE, PROJECT, "a1"), (SPACE, "gpu", "a1")], "one")
    assert taken(queues) == {PROJECT: 1, "gpu": 0}
    assert queues.names() == {(SPACE, PROJECT), (SPACE, "gpu")}


def test_a_slot_whose_lease_is_over_is_free_and_does_not_come_back(queues: Queues) -> None:
    queues.put(SPACE, "gpu", 1)
    queues.acquire(SPACE, ["gpu"], "a1", "one", MINUTE)
    assert queues.extend("one", -1.0) == {(SPACE, "gpu", "a1")}  # over at once
    assert taken(queues) == {"gpu": 0}
    assert queues.acquire(SPACE, ["gpu"], "a2", "two", MINUTE) is None
    assert queues.extend("one", MINUTE) == set()
    assert queues.extend("two", MINUTE) == {(SPACE, "gpu", "a2")}


def test_a_queue_that_shrinks_lets_none_in_until_there_is_room(queues: Queues) -> None:
    queues.put(SPACE, "gpu", 2)
    for holder in ("a1", "a2"):
        queues.acquire(SPACE, ["gpu"], holder, "one", MINUTE)
    queues.put(SPACE, "gpu", 1)
    queues.release([(SPACE, "gpu", "a1")], "one")
    assert queues.acquire(SPACE, ["gpu"], "a3", "one", MINUTE) is not None
    queues.drop(SPACE, "gpu")
    assert queues.acquire(SPACE, ["gpu"], "a3", "one", MINUTE) is None


def test_however_many_servers_take_slots_at_once_there_are_never_more_than_the_queue_has(url: str) -> None:
    databases = [open_database(url)] if url == "sqlite://" else [open_database(url) for _ in range(2)]
    try:
        Queues(databases[0]).put(SPACE, "gpu", 3)
        start = threading.Barrier(6)
        most = threading.Lock()
        inside = 0
        seen: list[int] = []

        def work(thread: int) -> int:
            nonlocal inside
            queues, got = Queues(databases[thread % len(databases)]), 0
            start.wait()
            for number in range(30):
                holder = f"{thread}/{number}"
                if queues.acquire(SPACE, ["gpu"], holder, f"server-{thread}", MINUTE) is None:
                    with most:
                        inside += 1
                        seen.append(inside)
                    got += 1
                    with most:
                        inside -= 1
                    queues.release([(SPACE, "gpu", holder)], f"server-{thread}")
            return got

        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(work, range(6))) >= 30
        assert max(seen) <= 3
        assert taken(Queues(databases[0])) == {"gpu": 0}
    finally:
        for database in databases:
            database.close()
