"""The chart of ``main.py``: when, with whom and in what weather flights leave late."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#22313f"
QUIET = "#7b8a97"
LOW, HIGH = "#9fb8c8", "#c8553d"
HEAT = LinearSegmentedColormap.from_list("heat", ["#2f6b8f", "#9fc1d3", "#fbf7ee", "#f0a37f", HIGH, "#7d1d14"])
#: Cells of the heat map with fewer departures say too little.
ENOUGH = 30
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}
MONTHS = list(calendar.month_abbr)


def draw(total: pd.DataFrame, weather: dict[str, list[str]]) -> Figure:
    """Draw the chart.

    Args:
        total: Departures, their minutes of delay and how many were late, by factor and level.
        weather: Levels of what is measured of the weather, in their order.
    """
    everything = total.loc["origin"].sum()
    mean = everything.minutes / everything.flights
    figure = Figure(figsize=(13, 9.4), dpi=92, facecolor="white")
    figure.text(0.03, 0.955, "What delays flights out of New York City", fontsize=21, weight="bold", color=INK)
    said = (
        f"{everything.flights:,.0f} departures in 2013. Minutes are mean delays at departure; all flights: {mean:.1f}."
    )
    figure.text(0.03, 0.922, said, fontsize=12, color=QUIET)
    grid = figure.add_gridspec(
        2, 2, height_ratios=[1.05, 1], left=0.115, right=0.965, top=0.855, bottom=0.035, hspace=0.3, wspace=0.5
    )
    _heat(figure, figure.add_subplot(grid[0, :]), total.loc["month and hour"], mean)
    airlines = _means(total.loc["carrier"])
    rows = {_short(name): float(place) for place, name in enumerate(airlines.index)}
    _bars(figure.add_subplot(grid[1, 0]), rows, list(airlines), mean, "With whom: mean delay, minutes")
    _weather(figure.add_subplot(grid[1, 1]), total, weather, mean)
    return figure


def _means(levels: pd.DataFrame) -> pd.Series:
    """Give mean delays, the longest last: places are counted from below."""
    return (levels.minutes / levels.flights).sort_values()


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=13, weight="bold", color=INK, pad=10)


def _plain(axes: Axes) -> None:
    """Leave out what carries no data."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK, labelsize=10)


def _heat(figure: Figure, axes: Axes, cells: pd.DataFrame, mean: float) -> None:
    """Draw months against hours."""
    words = cells.index.str.split(" ")
    cells = cells.assign(month=[MONTHS.index(month) for month, _ in words], hour=[hour for _, hour in words])
    cells = cells[cells.flights >= ENOUGH]
    minutes = cells.assign(mean=cells.minutes / cells.flights).pivot(index="month", columns="hour", values="mean")
    top = float(minutes.max().max())
    norm = TwoSlopeNorm(mean, 0, top) if 0 < mean < top else Normalize(0, max(top, 1))
    image = axes.imshow(minutes, aspect="auto", cmap=HEAT, norm=norm)
    axes.set_xticks(range(len(minutes.columns)), minutes.columns)
    axes.set_yticks(range(len(minutes.index)), [calendar.month_name[month] for month in minutes.index])
    for row, values in enumerate(minutes.to_numpy()):
        for column, value in enumerate(values):
            if value == value:
                dark = norm(value) > 0.75 or norm(value) < 0.12
                axes.text(column, row, f"{round(value)}", ha="center", va="center", size=8, color="w" if dark else INK)
    _plain(axes)
    _title(axes, "When: mean delay by month and scheduled hour, minutes")
    bar = figure.colorbar(image, ax=axes, pad=0.012, fraction=0.025)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, colors=QUIET, labelsize=9)


def _short(name: str) -> str:
    """Leave out of an airline's name what all of them have."""
    for word in (" Inc.", " Co.", " Airways Corporation", " Airlines", " Air Lines"):
        name = name.removesuffix(word)
    return name


def _bars(axes: Axes, rows: dict[str, float], minutes: list[float], mean: float, title: str) -> None:
    """Draw bars at their places; those above the mean in colour."""
    places = list(rows.values())
    axes.barh(places, minutes, color=[HIGH if value > mean else LOW for value in minutes], height=0.74)
    axes.axvline(mean, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.text(mean, max(places) + 0.6, "all flights", ha="center", va="bottom", fontsize=9, color=QUIET, bbox=PAPER)
    beside = max(*minutes, mean) * 0.012
    for place, value in zip(places, minutes, strict=True):
        axes.text(max(value, 0) + beside, place, f"{value:.1f}", va="center", fontsize=9.5, color=INK, bbox=PAPER)
    axes.set_yticks(places, list(rows))
    axes.set_ylim(min(places) - 0.6, max(places) + 1.4)
    axes.set_xticks([])
    _plain(axes)
    _title(axes, title)


def _weather(axes: Axes, total: pd.DataFrame, weather: dict[str, list[str]], mean: float) -> None:
    """Draw levels of the weather from above, each with its share of all flights, with gaps between what is measured."""
    rows: dict[str, float] = {}
    minutes = []
    place = 0.0
    for name, words in weather.items():
        levels = total.loc[name]
        for word in [word for word in words if word in levels.index]:
            rows[f"{word}  ({levels.flights[word] / levels.flights.sum():.0%} of flights)"] = place
            minutes.append(levels.minutes[word] / levels.flights[word])
            place -= 1
        place -= 0.6
    _bars(axes, rows, minutes, mean, "In what weather: mean delay, minutes")
