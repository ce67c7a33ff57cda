"""When crons are due, found by another method than laminar's: walk through the years and look at the wall clock.

Time passes in UTC; ``zoneinfo`` says what the wall shows. The walk takes a step of a quarter of an hour, and a minute
where the clock is changed. Fields are read here too, by hand. What a skipped and a doubled hour mean follows
docs/decisions/schedules.md.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import numpy as np

#: Zones, and for each a year in which something happens to the clock there.
ZONES = {
    "UTC": 2008,
    "Europe/Berlin": 2010,
    "America/New_York": 2012,
    "America/St_Johns": 2010,  # changes at a minute past midnight
    "Australia/Lord_Howe": 2015,  # changes by half an hour
    "Asia/Kathmandu": 2016,  # no changes, 5:45 hours ahead
    "Pacific/Apia": 2011,  # had no 30 December
    "Africa/Casablanca": 2013,  # four changes a year, because of Ramadan
    "Asia/Beirut": 2014,  # changes at midnight
    "Antarctica/Troll": 2015,  # changes by two hours
    "Pacific/Chatham": 2016,  # 12:45 hours ahead, changes at 2:45
    "America/Caracas": 2016,  # another time by half an hour from one day on
}
#: Ten years in which all of that happens.
DECADE = range(2008, 2018)
CRONS = (
    "0 6 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "1 0 * * *",
    "45 1 * * *",
    "0 * * * *",
    "5 */2 * * *",
    "*/30 * * 3,10-12 *",
    "*/20 2 * * *",
    "*/5 0-3 * * SUN",
    "0,30 2 * * *",
    "0 2,3 * * *",
    "15,45 0-3 * * *",
    "30 1-5/2 * * SUN",
    "7-59/13 23,0,1 1-7 * *",
    "0 9 * * MON-FRI",
    "0 0 1 * *",
    "0 0 L * *",
    "15 12 * * 5L",
    "0 9 * * MON#1",
    "0 12 13 * FRI",
    "0 12 */5 * MON",
    "30 23 29-30 DEC *",
    "0 3 29 2 *",
    "0 0 1 1 *",
)
QUARTER = 900
NAMES = {"SUN": "0", "MON": "1", "TUE": "2", "WED": "3", "THU": "4", "FRI": "5", "SAT": "6", "DEC": "12"}


def seconds(year: int) -> int:
    """Give the moment at which a year begins in UTC."""
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


@lru_cache(2)  # ten years of one zone are 42 MB
def wall_minutes(zone: str, first: int, last: int) -> np.ndarray:
    """Say what the wall shows, in minutes since 1970, at each minute of some years in UTC."""
    place = ZoneInfo(zone)

    def offset(moment: int) -> int:
        shown = datetime.fromtimestamp(moment, place).utcoffset()
        assert shown is not None
        return int(shown.total_seconds()) // 60

    moments = range(seconds(first), seconds(last + 1), QUARTER)
    quarters = [offset(moment) for moment in (*moments, moments.stop)]
    offsets = np.repeat(np.array(quarters[:-1]), 15)
    for number, moment in enumerate(moments):
        if quarters[number] != quarters[number + 1]:
            offsets[15 * number : 15 * number + 15] = [offset(moment + 60 * minute) for minute in range(15)]
    return offsets + np.arange(seconds(first) // 60, seconds(last + 1) // 60)


@cache
def due_times(cron: str, zone: str, first: int, last: int) -> np.ndarray:
    """List the moments, in seconds since 1970, at which a cron is due in some years."""
    minute, hour, *days = cron.split()
    wall = wall_minutes(zone, first, last)
    day = wall[0] // 1440 - 1
    dates = [date(1970, 1, 1) + timedelta(int(number)) for number in range(day, wall[-1] // 1440 + 2)]
    times = (_members(hour, 23)[:, None] & _members(minute, 59)).reshape(-1)
    named = (np.array([_on_day(days, each) for each in dates])[:, None] & times).reshape(-1)

    def matches(walls: np.ndarray) -> np.ndarray:
        return named[walls - day * 1440]

    due = matches(wall)
    if not minute.startswith("*") and not hour.startswith("*"):
        before = np.concatenate(([wall[0] - 1], np.maximum.accumulate(wall)[:-1]))
        due &= wall > before
        for jump in np.flatnonzero(wall > before + 1):
            due[jump] |= matches(np.arange(before[jump] + 1, wall[jump])).any()
    return np.flatnonzero(due) * 60 + seconds(first)


def _on_day(fields: list[str], day: date) -> bool:
    of_month, month, of_week = fields
    if not _members(month, 12)[day.month]:
        return False
    by_month, by_week = _by_month(of_month, day), _by_week(of_week, day)
    if of_month.startswith("*") or of_week.startswith("*"):
        return by_month and by_week
    return by_month or by_week


def _by_month(field: str, day: date) -> bool:
    if field == "L":
        return day.day == calendar.monthrange(day.year, day.month)[1]
    return bool(_members(field, 31)[day.day])


def _by_week(field: str, day: date) -> bool:
    if field.endswith("L"):
        return (day + timedelta(7)).month != day.month and day.isoweekday() % 7 == int(field[0])
    if "#" in field:
        name, number = field.split("#")
        return day.isoweekday() % 7 == int(NAMES[name]) and (day.day - 1) // 7 == int(number) - 1
    return bool(_members(field, 7)[[day.isoweekday() % 7, day.isoweekday()]].any())


@cache
def _members(field: str, most: int) -> np.ndarray:
    """Tell for each number whether a field names it."""
    found = np.zeros(most + 1, dtype=bool)
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, _, high = span.partition("-")
        if span == "*":
            low, high = ("0" if most in (59, 23, 7) else "1"), str(most)
        found[int(NAMES.get(low, low)) : int(NAMES.get(high, high) or NAMES.get(low, low)) + 1 : int(step or 1)] = True
    return found
