"""Requests and answers about queues: limits on how many actions go on at a time."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from laminar.wire.agents import Plain

Size: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
QueueName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]


class QueueRequest(Plain, frozen=True, kw_only=True):
    """Makes a queue, or changes its size.

    Attributes:
        name: Its name.
        size: How many of its actions go on at a time; 0 lets none begin.
    """

    name: QueueName
    size: Size


class LimitRequest(Plain, frozen=True, kw_only=True):
    """Limits all actions of a space.

    Attributes:
        size: How many of them go on at a time; 0 lets none begin, and None is no limit.
    """

    size: Size | None


class HolderView(Plain, frozen=True, kw_only=True):
    """Who has a slot: a run, and the name and index of its action."""

    run: str
    action: str
    index: int


class QueueView(Plain, frozen=True, kw_only=True):
    """A queue.

    Attributes:
        name: Its name; empty for the limit of all actions of the space.
        size: How many slots it has.
        taken: How many are taken.
        holders: By whom: the first thousand.
    """

    name: str
    size: int
    taken: int
    holders: tuple[HolderView, ...] = ()


class QueuePage(Plain, frozen=True, kw_only=True):
    """The queues of a space, by name; first its limit, if it has one."""

    items: tuple[QueueView, ...]
