"""A ring wakes one that listens, and none is lost for who looks after it has begun to listen."""

from __future__ import annotations

import asyncio

from laminar.server.bell import Bell


def test_a_ring_from_another_thread_wakes_the_last_that_has_begun_to_listen() -> None:
    async def scene() -> None:
        bell = Bell()
        with bell.listening() as first, bell.listening() as last:
            await asyncio.to_thread(bell.ring)
            await last
            assert not first.done()
            await asyncio.to_thread(bell.ring)
            await first

    asyncio.run(scene())


def test_a_ring_for_one_that_leaves_just_then_wakes_another() -> None:
    async def scene() -> None:
        bell = Bell()
        with bell.listening() as first:
            with bell.listening():
                bell.ring()
            await first

    asyncio.run(scene())


def test_who_has_left_takes_no_ring() -> None:
    async def scene() -> None:
        bell = Bell()
        with bell.listening() as first:
            with bell.listening():
                pass
            bell.ring()
            await first

    asyncio.run(scene())
