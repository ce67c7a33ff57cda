"""The report on a search for the best model: one HTML page that needs nothing else, and a picture."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATE = Path(__file__).with_name("report.html")
#: Scale of the pictures of digits, so that they stay sharp in the page and in what is copied out of it.
SCALE = 8


@dataclass
class Search:
    """The scores of all candidates.

    Attributes:
        models: Names of the models.
        preparations: Names of the ways to prepare the images.
        scores: Share of images read right, by model, preparation and fold.
    """

    models: list[str]
    preparations: list[str]
    scores: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Mean score over the folds, by model and preparation."""
        return self.scores.mean(axis=2)

    @property
    def best(self) -> tuple[int, int]:
        """Model and preparation with the highest mean."""
        row, column = np.unravel_index(self.means.argmax(), self.means.shape)
        return int(row), int(column)

    @property
    def score(self) -> float:
        """The highest mean."""
        return float(self.means[self.best])

    @property
    def title(self) -> str:
        """Name of the best candidate."""
        row, column = self.best
        return f"{self.models[row]}, on {self.preparations[column]}"


@dataclass
class Trial:
    """What a model has made of images that it had never seen.

    Attributes:
        images: The images, one in a row.
        digits: What they show.
        predicted: What the model has read.
    """

    images: np.ndarray
    digits: np.ndarray
    predicted: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of images read right."""
        return float(np.mean(self.digits == self.predicted))

    @property
    def errors(self) -> list[int]:
        """Images read wrong."""
        return [int(index) for index in np.flatnonzero(self.digits != self.predicted)]

    @cached_property
    def confusion(self) -> np.ndarray:
        """How often each digit (row) was read as each digit (column)."""
        counts = np.zeros((10, 10), int)
        np.add.at(counts, (self.digits, self.predicted), 1)
        return counts

    @property
    def precision(self) -> np.ndarray:
        """Of what was read as a digit, the share that is one."""
        return self.confusion.diagonal() / np.maximum(self.confusion.sum(axis=0), 1)

    @property
    def recall(self) -> np.ndarray:
        """Of the images of a digit, the share read as one."""
        return self.confusion.diagonal() / np.maximum(self.confusion.sum(axis=1), 1)


def page(search: Search, trial: Trial | None, examples: np.ndarray, threshold: float, run: str | None) -> str:
    """Write the page.

    Args:
        search: The scores of all candidates.
        trial: How the best candidate did on new images; None if it was not trained.
        examples: Some images, to show what this is about.
        threshold: The score that was asked for.
        run: Id of the run.

    Returns:
        HTML that refers to nothing outside of itself.
    """
    models, preparations, folds = search.scores.shape
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        run=escape(str(run)),
        date=f"{datetime.now().astimezone():%d %B %Y, %H:%M}",
        examples="".join(f'<img src="{_image(image)}" alt="">' for image in examples[:48]),
        title=escape(search.title),
        score=f"{search.score:.1%}",
        candidates=search.means.size,
        fits=search.scores.size,
        models=models,
        preparations=preparations,
        folds=folds,
        verdict=_verdict(search, trial, threshold),
        grid=_grid(search),
        trial="" if trial is None else _trial(trial),
    )


def _verdict(search: Search, trial: Trial | None, threshold: float) -> str:
    if trial is None:
        return (
            f'<div class="tile"><b>not retrained</b><span>the best mean of {search.score:.2%} '
            f"is not above the threshold of {threshold:.2%}</span></div>"
        )
    return (
        f'<div class="tile good"><b>{trial.accuracy:.1%}</b><span>of {len(trial.digits)} new images read right, '
        f"{len(trial.errors)} wrong</span></div>"
    )


def _grid(search: Search) -> str:
    means, spreads = search.means, search.scores.std(axis=2)
    low, high = means.min(), means.max()
    head = "".join(f"<th>{escape(name)}</th>" for name in search.preparations)
    rows = []
    for row, name in enumerate(search.models):
        cells = "".join(
            _cell(
                f"{means[row, column]:.1%}<small>± {spreads[row, column]:.1%}</small>",
                (means[row, column] - low) / max(high - low, 1e-9),
                "best" if (row, column) == search.best else "",
            )
            for column in range(len(search.preparations))
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _trial(trial: Trial) -> str:
    scores = zip(trial.precision, trial.recall, trial.confusion.sum(axis=1), strict=True)
    classes = "".join(
        f"<tr><th>{digit}</th>{_bar(precision)}{_bar(recall)}<td>{count}</td></tr>"
        for digit, (precision, recall, count) in enumerate(scores)
    )
    errors = "".join(
        f'<figure><img src="{_image(trial.images[index])}" alt="an image of a {trial.digits[index]}">'
        f"<figcaption>{trial.digits[index]} <i>read as</i> <em>{trial.predicted[index]}</em></figcaption></figure>"
        for index in trial.errors[:24]
    )
    return f"""
<div class="columns">
<section><h2>Confusion</h2><p>Rows: the digit shown. Columns: the digit read.</p>
<table class="confusion"><thead><tr><th></th>{"".join(f"<th>{digit}</th>" for digit in range(10))}</tr></thead>
<tbody>{_confusion(trial.confusion)}</tbody></table></section>
<section><h2>Digit by digit</h2><p>Precision: of what was read as the digit. Recall: of what shows it.</p>
<table class="classes"><thead><tr><th></th><th>precision</th><th>recall</th><th>images</th></tr></thead>
<tbody>{classes}</tbody></table></section>
</div>
<section><h2>Read wrong</h2><p>{_count(len(trial.errors), len(trial.digits))}</p>
<div class="errors">{errors}</div></section>"""


def _confusion(counts: np.ndarray) -> str:
    rows = []
    for digit, row in enumerate(counts):
        cells = "".join(
            _cell(str(count) if count else "", count / row.sum(), "") if digit == read else _wrong(count)
            for read, count in enumerate(row)
        )
        rows.append(f"<tr><th>{digit}</th>{cells}</tr>")
    return "".join(rows)


def _count(errors: int, images: int) -> str:
    shown = " The first 24 of them:" if errors > 24 else ""
    return f"{errors} of {images} images that the model had never seen.{shown}"


def _cell(text: str, share: float, kind: str) -> str:
    """Give a cell that is the darker the larger its share, with ink that can be read on it."""
    return f'<td class="{kind} {"dark" if share > 0.6 else ""}" style="--share:{share:.3f}">{text}</td>'


def _wrong(count: int) -> str:
    return f'<td class="wrong">{count}</td>' if count else '<td class="none"></td>'


def _bar(share: float) -> str:
    return f'<td class="bar" style="--share:{share:.3f}"><span>{share:.1%}</span></td>'


def _image(pixels: np.ndarray) -> str:
    """Give an image as part of the page."""
    from matplotlib.image import imsave  # half a second that only the report needs

    file = io.BytesIO()
    square = np.kron(pixels.reshape(8, 8), np.ones((SCALE, SCALE)))
    imsave(file, square, cmap="gray_r", vmin=0, vmax=1, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def picture(search: Search, trial: Trial | None) -> bytes:
    """Draw the grid, the confusion and some errors as one PNG."""
    from matplotlib.figure import Figure  # without pyplot, whose figures are one list for all threads

    figure = Figure(figsize=(15, 8 if trial else 6), dpi=120, layout="constrained")
    figure.suptitle(f"Best: {search.title} ({search.score:.1%} in cross-validation)", fontsize=15, weight="bold")
    if trial is None:
        _draw_grid(figure.subplots(), search)
    else:
        axes = figure.subplot_mosaic("GGGGGGCCCCCC;abcdefghijkl", height_ratios=(4, 1))
        _draw_grid(axes["G"], search)
        _draw_confusion(axes["C"], trial)
        _draw_errors([axes[place] for place in "abcdefghijkl"], trial)
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight", pad_inches=0.25)
    return file.getvalue()


def _draw_grid(axes: Axes, search: Search) -> None:
    means = search.means
    middle = (means.min() + means.max()) / 2
    axes.imshow(means, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(search.preparations)), search.preparations)
    axes.set_yticks(range(len(search.models)), search.models)
    for (row, column), mean in np.ndenumerate(means):
        best = (row, column) == search.best
        ink = "white" if mean > middle else "black"
        axes.text(column, row, f"{mean:.1%}", ha="center", va="center", color=ink, weight="bold" if best else "normal")
    axes.set_title("Mean share read right in cross-validation")


def _draw_confusion(axes: Axes, trial: Trial) -> None:
    axes.imshow(trial.confusion, cmap="Blues")
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.set_xlabel("digit read")
    axes.set_ylabel("digit shown")
    for (digit, read), count in np.ndenumerate(trial.confusion):
        if count:
            axes.text(read, digit, count, ha="center", va="center", color="white" if digit == read else "firebrick")
    axes.set_title(f"{len(trial.digits)} new images: {trial.accuracy:.1%} read right")


def _draw_errors(places: list[Axes], trial: Trial) -> None:
    for axes in places:
        axes.set_axis_off()
    for axes, index in zip(places, trial.errors, strict=False):
        axes.imshow(trial.images[index].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(f"{trial.digits[index]} read as {trial.predicted[index]}", fontsize=10, color="firebrick")
