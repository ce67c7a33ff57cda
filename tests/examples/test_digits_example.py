from __future__ import annotations

import re
import signal
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from example_runs import command, definitions, environment, newest, run, store

MAIN = "digits/main.py"
SPLITS = 10 * 3 * 2
SMALL = ("--folds", "2", "--threshold", "0.9")


@pytest.fixture(scope="module")
def digits():
    return definitions(MAIN)


@pytest.fixture(scope="module")
def clean(tmp_path_factory, digits):
    """One run without disturbance, in threads: its folder, what it printed, and its execution."""
    folder = tmp_path_factory.mktemp("clean")
    ended = run(folder, MAIN, *SMALL, "--executor", "thread")
    return folder, ended.stdout, newest(digits["DigitsFlow"](datastore=store(folder)))


class Page(HTMLParser):
    """What a page shows, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes) -> None:
        self.sources += [value for name, value in attributes if name in ("src", "href", "srcset")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_candidate_is_judged_on_every_fold_and_the_best_mean_wins(digits, clean) -> None:
    _, printed, execution = clean
    best, scores = execution.layer(digits["Best"]), list(execution.layer(digits["Evaluate"]).score)
    assert len(scores) == SPLITS
    assert best.score == max(np.mean(scores[start : start + 2]) for start in range(0, SPLITS, 2)) > 0.95
    assert f"Best of 30 candidates: {best.search.title}, {best.score:.2%} in cross-validation" in printed


def test_the_best_candidate_is_retrained_on_half_of_the_images_and_tried_on_the_other(digits, clean) -> None:
    _, printed, execution = clean
    split, retrain = execution.layer(digits["Split"]), execution.layer(digits["Retrain"])
    assert (len(split.train_images), len(split.test_images)) == (898, 899)
    assert (retrain.model.predict(split.test_images) == retrain.trial.predicted).all()
    assert retrain.trial.confusion.sum() == 899
    assert retrain.trial.confusion.trace() / 899 == retrain.trial.accuracy > 0.95
    assert f"Retrained: {retrain.trial.accuracy:.2%} of 899 images" in printed


def test_the_report_is_one_page_that_needs_nothing_else(digits, clean) -> None:
    folder, printed, execution = clean
    report, trial = execution.layer(digits["Report"]), execution.layer(digits["Retrain"]).trial
    files = [folder.resolve() / "build/digits" / name for name in ("report.html", "report.png")]
    assert re.findall(r"^Report: (.+)$", printed, re.MULTILINE) == list(map(str, files))
    text = files[0].read_text("utf-8")
    assert text == report.page
    page = Page(text)
    assert page.open == []
    assert len(page.sources) == 48 + len(trial.errors)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "url(" not in text
    for index in trial.errors:
        assert f"{trial.digits[index]} read as {trial.predicted[index]}" in page.text
    assert execution.id in page.text


def test_the_picture_is_a_png_and_an_artifact(digits, clean) -> None:
    folder, _, execution = clean
    data = (folder / "build/digits/report.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    assert execution.layer(digits["Report"]).picture == data


def test_resume_says_so_if_there_is_nothing_to_resume(tmp_path, clean) -> None:
    assert "There is no run to resume." in run(tmp_path, MAIN, "--resume", expected=1).stderr
    folder, printed, _ = clean
    again = run(folder, MAIN, "--resume").stdout
    assert again.startswith("There is no run to resume.")
    assert again.endswith(printed.partition("\nBest of")[2])


def test_nothing_is_retrained_below_the_threshold_and_the_report_says_so(tmp_path, digits) -> None:
    ended = run(tmp_path, MAIN, "--folds", "2", "--threshold", "0.999", "--executor", "thread", "--folder", "here")
    execution = newest(digits["DigitsFlow"](datastore=store(tmp_path)))
    assert execution.finished
    assert not execution.layer(digits["Retrain"]).state.finished
    assert "Not retrained: that is not above the threshold of 99.90%" in ended.stdout
    page = Page((tmp_path / "here/report.html").read_text("utf-8"))
    assert "not retrained" in page.text
    assert "Confusion" not in page.text


def test_after_kill_9_in_the_middle_resume_runs_what_is_missing_and_finds_the_same(tmp_path, digits, clean) -> None:
    with subprocess.Popen(
        command(MAIN, *SMALL),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        seen = sum(line.startswith("Evaluate[") for line in _until(process.stdout, "Evaluate[20]"))
        process.send_signal(signal.SIGKILL)
    assert 0 < seen < SPLITS

    execution = newest(digits["DigitsFlow"](datastore=store(tmp_path)))
    assert not execution.finished
    assert not execution.running
    committed = set(execution.layer(digits["Evaluate"]).score.available)
    assert 0 < len(committed) < SPLITS

    ended = run(tmp_path, MAIN, "--resume")
    ran = [int(index) for index in re.findall(r"^Evaluate\[(\d+)\]", ended.stdout, re.MULTILINE)]
    assert sorted(ran) == sorted(set(range(SPLITS)) - committed)
    assert "keeps: Load, Split, Folds, Candidates" in ended.stderr
    assert execution.finished
    reference = clean[2]
    assert list(execution.layer(digits["Evaluate"]).score) == list(reference.layer(digits["Evaluate"]).score)
    trial, other = (run.layer(digits["Retrain"]).trial for run in (execution, reference))
    assert (trial.predicted == other.predicted).all()


def _until(lines, beginning: str):
    """Give lines up to the first that begins so."""
    for line in lines:
        yield line
        if line.startswith(beginning):
            return
