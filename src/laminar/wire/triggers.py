"""Requests and answers about triggers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from laminar.wire.agents import Plain
from laminar.wire.specs import CronSpec, EntityName, FixedRateSpec

TriggerName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]


class FiringView(Plain, frozen=True, kw_only=True):
    """What was decided about a due time of a trigger.

    Attributes:
        entity: What the trigger starts.
        trigger: Its name.
        due: The due time, in seconds since the epoch.
        decision: What was decided. ``missed`` is said of the last of several that nobody could start.
        reason: Why, unless a run was started.
        run: Name of the run that was started.
        decided: When this was decided, in seconds since the epoch.
    """

    entity: str
    trigger: str
    due: int
    decision: Literal["started", "queued", "skipped", "missed"]
    reason: str | None = None
    run: str | None = None
    decided: float


class FiringPage(Plain, frozen=True, kw_only=True):
    """What was decided about the due times of a trigger, the latest first."""

    items: tuple[FiringView, ...]


class TriggerView(Struct, frozen=True, kw_only=True):
    """A trigger.

    Attributes:
        entity: What it starts.
        name: Its name, unique for that.
        version: Which version it starts.
        description: What it is for.
        automation: When it fires.
        inputs: Inputs of each run.
        times: Names of the inputs that are the time at which it fires.
        overlap: What happens if the run before still goes on.
        catchup: What happens to times at which nothing could fire.
        active: Whether it fires; it does not while it is paused.
        next: The next times at which it fires, in seconds since the epoch; none while it is paused.
        queued: Due times that wait for a run to end.
        running: Names of its runs that have not ended, the oldest first.
        last: What was decided last.
        created: When it was first deployed.
    """

    entity: str
    name: str
    version: str
    description: str = ""
    automation: CronSpec | FixedRateSpec
    inputs: dict[str, Any] = {}
    times: tuple[str, ...] = ()
    overlap: str
    catchup: str | int
    active: bool
    next: tuple[int, ...] = ()
    queued: tuple[int, ...] = ()
    running: tuple[str, ...] = ()
    last: FiringView | None = None
    created: float


class TriggerPage(Plain, frozen=True, kw_only=True):
    """The triggers of a space, by what they start and by name."""

    items: tuple[TriggerView, ...]


class TriggerQuery(Plain, frozen=True, kw_only=True):
    """Which triggers: of one task or flow; all by default."""

    entity: EntityName | None = None


class TriggerRef(Plain, frozen=True, kw_only=True):
    """Names a trigger.

    Attributes:
        entity: What it starts.
        name: Its name.
    """

    entity: EntityName
    name: TriggerName


class FiringQuery(Plain, frozen=True, kw_only=True):
    """Which decisions.

    Attributes:
        entity: What the trigger starts.
        trigger: Its name.
        limit: How many at most.
    """

    entity: EntityName
    trigger: TriggerName
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
