"""When triggers are due: on days when the clock is changed, by properties, and through ten years in twelve zones."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from calendars import CRONS, DECADE, ZONES, due_times, seconds
from hypothesis import given, settings
from hypothesis import strategies as st

from laminar import Cron, FixedRate
from laminar.core.schedule import firings, latest_firings, local, next_firings

FULL = os.environ.get("LAMINAR_CHAOS") == "full"
DAY = 86400


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def shown(automation: Cron | FixedRate, since: str, count: int) -> list[str]:
    return [local(automation, due).isoformat() for due in next_firings(automation, moment(since), count)]


def test_a_skipped_time_of_day_is_due_when_the_skip_ends() -> None:
    assert shown(Cron("30 2 * * *", timezone="Europe/Berlin"), "2026-03-28T12:00Z", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_several_times_of_day_in_one_skip_are_due_once() -> None:
    assert shown(Cron("0,30 2,3 * * *", timezone="Europe/Berlin"), "2026-03-28T12:00Z", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
    ]


def test_a_doubled_time_of_day_is_due_the_first_time() -> None:
    nightly = Cron("30 2 * * *", timezone="Europe/Berlin")
    assert shown(nightly, "2026-10-24T12:00Z", 2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    assert shown(nightly, "2026-10-25T02:10:00+01:00", 1) == ["2026-10-26T02:30:00+01:00"]


def test_every_so_often_is_due_whenever_the_wall_clock_shows_it() -> None:
    often = Cron("*/30 * * * *", timezone="Europe/Berlin")
    assert shown(often, "2026-03-29T01:15:00+01:00", 2) == ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert shown(often, "2026-10-25T02:15:00+02:00", 4) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_what_a_skipped_day_would_have_brought_is_due_at_its_end() -> None:
    assert shown(Cron("0 6 30 12 *", timezone="Pacific/Apia"), "2011-12-01T00:00Z", 2) == [
        "2011-12-31T00:00:00+14:00",
        "2012-12-30T06:00:00+14:00",
    ]


def test_a_fixed_rate_begins_one_interval_after_activation() -> None:
    assert next_firings(FixedRate(15), 1000, 3) == [1900, 2800, 3700]
    assert next_firings(FixedRate(15), 2000, 2, begins=1000) == [2800, 3700]


def test_a_fixed_rate_with_a_start_time_begins_there() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=timezone(timedelta(hours=2)))
    assert shown(FixedRate(60 * 24, start), "2026-03-01T00:00Z", 2) == [
        "2026-03-28T10:00:00+00:00",
        "2026-03-29T10:00:00+00:00",
    ]


def test_a_fixed_rate_does_not_drift() -> None:
    thirds = FixedRate(interval=timedelta(seconds=100) / 3)
    assert next_firings(thirds, 0, 3) == [34, 67, 100]
    assert next_firings(thirds, 10**6 - 1, 1, begins=0) == [10**6]


def test_the_latest_are_found_without_a_walk_through_a_decade() -> None:
    each_minute = Cron("* * * * *")
    assert latest_firings(each_minute, 0, 10 * 365 * DAY + 5, 2) == [10 * 365 * DAY - 60, 10 * 365 * DAY]


numbers = st.integers(0, 59)
minutes = st.one_of(
    st.just("*"),
    st.sampled_from(["*/7", "*/20", "10-50/20"]),
    st.lists(numbers, min_size=1, max_size=3).map(lambda some: ",".join(map(str, some))),
)
hours = st.sampled_from(["*", "*/3", "0", "1", "2", "3", "0-3", "1,2", "23", "22-23"])
crons = st.builds(
    lambda minute, hour, day, zone: Cron(f"{minute} {hour} {day} * *", timezone=zone),
    minutes,
    hours,
    st.sampled_from(["*", "*", "L", "1-15"]),
    st.sampled_from(list(ZONES)),
)
rates = st.builds(
    lambda interval, start: FixedRate(interval=interval, start_time=start),
    st.timedeltas(timedelta(minutes=20), timedelta(days=3)),
    st.none() | st.integers(seconds(2007), seconds(2016)).map(lambda start: datetime.fromtimestamp(start, UTC)),
)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[Cron | FixedRate, list[float], int]:
    """Draw a schedule, and moments in order, within days of a change of the clock where there is one."""
    automation = draw(crons | rates)
    year = ZONES[automation.timezone] if isinstance(automation, Cron) else 2012
    day = draw(st.integers(0, 360))
    start = seconds(year) + day * DAY
    if isinstance(automation, Cron):
        start = next((each for each in range(start, start + 200 * DAY, DAY) if _changes(automation, each)), start)
    moments = st.floats(start - DAY, start + 2 * DAY) | st.integers(start - DAY, start + 2 * DAY)
    return automation, sorted(draw(st.lists(moments, min_size=3, max_size=6))), seconds(2005)


def _changes(cron: Cron, day: int) -> bool:
    return local(cron, day).utcoffset() != local(cron, day + DAY).utcoffset()


@given(stretches())
@settings(deadline=None, max_examples=300 if FULL else 100)
def test_wherever_one_looks_from_the_same_moments_are_due(drawn: tuple[Cron | FixedRate, list[float], int]) -> None:
    automation, cuts, begins = drawn
    whole = firings(automation, cuts[0], cuts[-1], begins)
    assert whole == sorted(set(whole))
    assert all(cuts[0] < due <= cuts[-1] for due in whole)
    pieces = [firings(automation, low, high, begins) for low, high in pairwise(cuts)]
    assert [due for piece in pieces for due in piece] == whole
    assert next_firings(automation, cuts[0], len(whole), begins) == whole
    for count in (1, 3, len(whole) + 1):
        assert latest_firings(automation, cuts[0], cuts[-1], count, begins) == whole[-count:]


@pytest.mark.chaos
@pytest.mark.parametrize("zone", ZONES)
def test_years_of_schedules_agree_with_a_walk_through_all_their_minutes(zone: str) -> None:
    """A year of each zone and every second cron; at full count ten, and every one."""
    first, last = (DECADE[0], DECADE[-1]) if FULL else (ZONES[zone], ZONES[zone])
    part = slice(None) if FULL else slice(list(ZONES).index(zone) % 2, None, 2)
    differences = []
    for cron in CRONS[part]:
        found = firings(Cron(cron, timezone=zone), seconds(first) - 1, seconds(last + 1) - 1)
        expected = due_times(cron, zone, first, last).tolist()
        wrong = sorted({*found} ^ {*expected})
        differences += [f"{cron}: {datetime.fromtimestamp(due, UTC)}" for due in wrong]
        differences += [f"{cron}: {len(found)} for {len(expected)}"] if len(found) != len(expected) else []
    assert not differences
