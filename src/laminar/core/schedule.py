"""When a trigger is due: the calendar with its daylight saving, and fixed distances in time.

A due time is a whole number of seconds since 1970 in UTC. That number is its identity: the wall clock shows some times
twice and others never. No clock is read here; the rules of time zones come from the machine's database of them.
"""

from __future__ import annotations

# Only who has triggers to look at imports this room; 24 ms in all.
from bisect import bisect_left
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from laminar.model.triggers import UTC as UTC_NAME
from laminar.model.triggers import Cron, FixedRate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_WALL = EPOCH.replace(tzinfo=None)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
MILLION = 10**6
#: Seconds that :func:`latest_firings` looks back at first.
GLANCE = 3600


def firings(automation: Cron | FixedRate, after: float, until: float, begins: int | None = None) -> list[int]:
    """List the due times between two moments.

    Args:
        automation: When to fire.
        after: Seconds since 1970 in UTC; what is due at this moment itself is left out.
        until: Seconds since 1970 in UTC; what is due at this moment itself is included.
        begins: When the trigger was activated, in such seconds: where a :class:`FixedRate` without a start time
            begins. By default ``after``.

    Returns:
        Seconds since 1970 in UTC, ascending, each once.
    """
    return list(takewhile(lambda due: due <= until, _due_times(automation, after, begins)))


def next_firings(automation: Cron | FixedRate, after: float, count: int = 5, begins: int | None = None) -> list[int]:
    """List the due times that follow a moment.

    Args:
        automation: When to fire.
        after: Seconds since 1970 in UTC; what is due at this moment itself is left out.
        count: How many.
        begins: As for :func:`firings`.

    Returns:
        Seconds since 1970 in UTC, ascending, each once. Fewer than asked for if there are no more.
    """
    return list(islice(_due_times(automation, after, begins), count))


def latest_firings(
    automation: Cron | FixedRate, after: float, until: float, count: int, begins: int | None = None
) -> list[int]:
    """List the latest due times between two moments, without going through all that lie between.

    Args:
        automation: When to fire.
        after: Seconds since 1970 in UTC, left out itself.
        until: Seconds since 1970 in UTC, included itself.
        count: How many at most.
        begins: As for :func:`firings`.

    Returns:
        Seconds since 1970 in UTC, ascending, each once.
    """
    begins = int(after // 1) if begins is None else begins
    glance = GLANCE
    while True:
        since = max(after, until - glance)
        found = firings(automation, since, until, begins)
        if len(found) >= count or since == after:
            return found[max(0, len(found) - count) :]
        glance *= 2


def local(automation: Cron | FixedRate, due: int) -> datetime:
    """Give a due time as people read it: with the time zone of the schedule, or UTC.

    Args:
        automation: When to fire.
        due: Seconds since 1970 in UTC.

    Returns:
        The same moment, aware of its time zone.
    """
    return _moment(due, _zone(automation) if isinstance(automation, Cron) else UTC)


def _due_times(automation: Cron | FixedRate, after: float, begins: int | None) -> Iterator[int]:
    if isinstance(automation, Cron):
        return _by_calendar(automation, after)
    return _by_distance(automation, after, int(after // 1) if begins is None else begins)


def _by_distance(rate: FixedRate, after: float, begins: int) -> Iterator[int]:
    """Count from the beginning, so that nothing drifts; a due time is the first whole second that is not too early."""
    distance = round(rate.seconds * MILLION)
    if rate.start_time is None:
        start, first = begins * MILLION, 1
    else:
        start, first = (rate.start_time - EPOCH) // MICROSECOND, 0
    passed = (int(after * MILLION // 1) - start) // distance
    for number in numbers(max(first, passed)):
        due = -((start + number * distance) // -MILLION)
        if due > after:
            yield due


def _by_calendar(cron: Cron, after: float) -> Iterator[int]:
    zone = _zone(cron)
    walls = CronSim(cron.fields, _earliest_wall(zone, int(after // 1)))
    last = after
    for due in _once_each(zone, walls) if _is_fixed(cron) else _as_shown(zone, walls):
        if due > last:
            last = due
            yield due


def _is_fixed(cron: Cron) -> bool:
    """Tell whether it names times of day; Debian's cron calls others wildcard jobs."""
    return not any(field.startswith("*") for field in cron.fields.split()[:2])


def _once_each(zone: tzinfo, walls: Iterable[datetime]) -> Iterator[int]:
    """Times of day: a skipped one is due when the skip ends, a doubled one the first time."""
    for wall in walls:
        before, after = _readings(zone, wall)
        yield before if before <= after else _end_of_skip(zone, after, before)


def _as_shown(zone: tzinfo, walls: Iterable[datetime]) -> Iterator[int]:
    """Whenever the clock on the wall shows it: a skipped one never, a doubled one twice."""
    again: deque[int] = deque()
    for wall in walls:
        before, after = _readings(zone, wall)
        while again and again[0] < before:
            yield again.popleft()
        if before <= after:
            yield before
        if before < after:
            again.append(after)
    yield from again


def _readings(zone: tzinfo, wall: datetime) -> tuple[int, int]:
    """Give the moments that a wall clock may mean, by the rules before and after a change of the clock.

    Both are equal on most days. If the clock is put back, the first is earlier. If it is put forward, the first is
    later, and no wall ever shows that time.
    """
    seconds = (wall - EPOCH_WALL) // SECOND
    return seconds - _offset(zone, wall, 0), seconds - _offset(zone, wall, 1)


def _offset(zone: tzinfo, wall: datetime, fold: int) -> int:
    offset = zone.utcoffset(wall.replace(fold=fold, tzinfo=zone))
    return 0 if offset is None else offset // SECOND


def _end_of_skip(zone: tzinfo, low: int, high: int) -> int:
    """Find the moment of a change of the clock between two moments, to the second."""

    def changed(moment: int) -> bool:
        return _moment(moment, zone).utcoffset() == offset

    offset = _moment(high, zone).utcoffset()
    return low + bisect_left(range(low, high), True, key=changed)


def _earliest_wall(zone: tzinfo, moment: int) -> datetime:
    """Give the earliest time on the wall that may be shown after a moment: in a doubled hour, it is shown again."""
    wall = _moment(moment, zone).replace(tzinfo=None)
    return EPOCH_WALL + timedelta(seconds=moment + min(_offset(zone, wall, 0), _offset(zone, wall, 1)))


def _moment(seconds: int, zone: tzinfo) -> datetime:
    return (EPOCH + timedelta(seconds=seconds)).astimezone(zone)


def _zone(cron: Cron) -> tzinfo:
    return UTC if cron.timezone == UTC_NAME else ZoneInfo(cron.timezone)
