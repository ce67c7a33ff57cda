from __future__ import annotations

import re

import pandas as pd
import pytest
from example_runs import definitions, run

MAIN = "delays/main.py"
#: Months whose first attempts fail; month 5 succeeds at its fourth.
MONTHS = ("--months", "3", "5")


@pytest.fixture(scope="module")
def table():
    """The departures of those months as they are in the package, and the name of each one's airline."""
    packaged = definitions(MAIN)["packaged"]
    flights = pd.read_csv(packaged("flights.csv.zip"))
    flights = flights[flights.month.isin([3, 5])]
    return flights.assign(name=flights.carrier.map(pd.read_csv(packaged("airlines.csv")).set_index("carrier")["name"]))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with a run in it, and what that has printed."""
    folder = tmp_path_factory.mktemp("delays")
    return folder, run(folder, MAIN, *MONTHS)


def row(printed: str, factor: str) -> str:
    return next(line for line in printed.splitlines() if line.split()[:1] == [factor])


def actions(printed: str) -> list[int]:
    """Read how many actions there were, how many of them came from the cache, and how many attempts failed."""
    return [int(number) for number in re.findall(r"\d+", printed.splitlines()[-2])]


def test_what_is_ranked_is_what_the_flights_say(ran, table):
    printed = ran[1].stdout
    means = table.groupby("name").dep_delay.mean()
    hours = table.groupby("hour").dep_delay.mean()
    assert f"{len(table):,} flights" in printed
    assert f"{table.dep_delay.isna().sum():,} were cancelled" in printed
    assert f"{(table.dep_delay.dropna() > 15).mean():.1%} left more than 15 min late" in printed
    assert f"{means.idxmin()} ({means.min():+.0f} min)" in row(printed, "carrier")
    assert f"{means.idxmax()} ({means.max():+.0f} min)" in row(printed, "carrier")
    assert f"{hours.idxmax():02}:00 ({hours.max():+.0f} min)" in row(printed, "hour")


def test_the_factors_are_ranked_by_what_they_explain(ran, table):
    printed = ran[1].stdout
    left = table.dropna(subset="dep_delay")
    within = left.dep_delay - left.groupby("hour").dep_delay.transform("mean")
    explains = 1 - (within**2).sum() / ((left.dep_delay - left.dep_delay.mean()) ** 2).sum()
    assert f"{explains:.2%}" in row(printed, "hour")
    shares = [float(share) for share in re.findall(r"(\d+\.\d+)%  ", printed)]
    assert len(shares) == 8
    assert shares == sorted(shares, reverse=True)


def test_the_archive_fails_and_is_asked_again(ran):
    made, cached, failed = actions(ran[1].stdout)
    assert (made, cached, failed) == (12, 0, 4)


def test_the_chart_is_a_picture(ran):
    assert (ran[0] / "build" / "delays.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_second_run_takes_all_but_the_parents_from_the_cache(ran):
    again = run(ran[0], MAIN, *MONTHS)
    assert actions(again.stdout) == [12, 9, 0]
    assert again.stdout.splitlines()[:-2] == ran[1].stdout.splitlines()[:-2]


def test_more_months_use_what_is_kept_of_those_before(ran):
    more = run(ran[0], MAIN, "--months", "3", "5", "12")
    assert actions(more.stdout) == [16, 7, 0]


def test_it_runs_in_processes_too(tmp_path, ran):
    apart = run(tmp_path, MAIN, *MONTHS, "--executor", "process")
    assert apart.stdout.splitlines()[:-2] == ran[1].stdout.splitlines()[:-2]
