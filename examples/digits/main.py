# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib>=3.8", "numpy>=1.26", "scikit-learn>=1.4"]
# ///
"""Handwritten digits: a grid search over models, on the 1,797 real images that scikit-learn ships.

    python examples/digits/main.py                    # run it, one process for each split
    python examples/digits/main.py --executor thread  # the same in threads
    python examples/digits/main.py --executor docker  # the same in two warm containers
    python examples/digits/main.py --threshold 0.999  # too much to ask for: nothing is retrained
    python examples/digits/main.py --resume           # go on with a run that was stopped, or killed with kill -9

It shows

- sharded artifacts (``Folds``, ``Candidates``) and a foreach grid over three of them (``Evaluate``): each model with
  each preparation of the images on each fold is a split of its own, so a run that was stopped goes on where it was;
- a join (``Best``): the artifacts of a foreach layer are simply there, as a sequence over its splits;
- an entry hook (``Retrain``): a layer that runs only if what came before is good enough;
- the results API, which ``--resume`` and the last lines of this file use.

The report is one HTML page and a picture: artifacts of the run, which the last lines of this file also write to
``build/digits``, unless ``--folder`` names another place. The first lines say which packages the script needs; the
image for its containers is built with them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# As many splits run at a time as there are cores, so each may use one. NumPy looks at this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from report import Search, Trial, page, picture
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from laminar import Execution, Flow, Layer, Parameters
from laminar.configurations import executors, hooks
from laminar.configurations.layers import Container, ForEach, Parameter, ReusePolicy
from laminar.types import accessor

MODELS = {
    "nearest neighbours, k=1": KNeighborsClassifier(1),
    "nearest neighbours, k=3": KNeighborsClassifier(3),
    "nearest neighbours, k=5": KNeighborsClassifier(5),
    "support vectors, C=1": SVC(C=1),
    "support vectors, C=10": SVC(C=10),
    "support vectors, C=10, gamma=0.03": SVC(C=10, gamma=0.03),
    "logistic regression, C=1": LogisticRegression(C=1, max_iter=1000),
    "logistic regression, C=10": LogisticRegression(C=10, max_iter=1000),
    "linear discriminant": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "extra trees, 100": ExtraTreesClassifier(100, random_state=0),
}
PREPARATIONS = {
    "pixels": FunctionTransformer(),
    "standardised pixels": StandardScaler(),
    "30 components": PCA(30, random_state=0),
}
# In containers: to start one and to import scikit-learn there would take longer than a split, so they stay up.
WARM = ReusePolicy(replicas=(0, 2))
EXECUTORS = {
    # Beside the Python files, the page's template must travel.
    "docker": lambda: executors.Docker(copy_style="all", reuse=WARM),
    "process": executors.Process,
    "thread": executors.Thread,
}


class DigitsFlow(Flow):
    """Find the model that reads digits best, and train it on all there is if it is good enough."""


@DigitsFlow.register
class Load(Layer):
    """The images, 8 by 8 pixels of grey each, and the digit that each one shows."""

    images: np.ndarray
    digits: np.ndarray

    def __call__(self) -> None:
        images, self.digits = load_digits(return_X_y=True)
        self.images = images / 16  # grey from 0 to 1


@DigitsFlow.register
class Split(Layer):
    """Half of the images are put aside: no model sees them before the report."""

    def __call__(self, load: Load) -> None:
        self.train_images, self.test_images, self.train_digits, self.test_digits = train_test_split(
            load.images, load.digits, test_size=0.5, stratify=load.digits, random_state=0
        )


@DigitsFlow.register
class Folds(Layer):
    """The other half in folds: each is once what the models are judged by, while they learn from the others."""

    fold: tuple[np.ndarray, np.ndarray]

    def __call__(self, split: Split, parameters: Parameters) -> None:
        folds = StratifiedKFold(parameters.folds, shuffle=True, random_state=0)
        self.shard(fold=folds.split(split.train_images, split.train_digits))


@DigitsFlow.register
class Candidates(Layer):
    """The models to try, and the ways to prepare the images for them, with their names."""

    model: tuple[str, object]
    preparation: tuple[str, object]

    def __call__(self) -> None:
        self.shard(model=MODELS.items(), preparation=PREPARATIONS.items())


@DigitsFlow.register(
    foreach=ForEach(
        parameters=[
            Parameter(layer=Candidates, attribute="model"),
            Parameter(layer=Candidates, attribute="preparation"),
            Parameter(layer=Folds, attribute="fold"),
        ]
    ),
    container=Container(reuse=WARM),
)
class Evaluate(Layer):
    """One model with one preparation on one fold. Here ``folds.fold`` is the fold of this split."""

    score: float

    def __call__(self, split: Split, candidates: Candidates, folds: Folds) -> None:
        (name, model), (way, preparation) = candidates.model, candidates.preparation
        learn, judge = folds.fold
        pipeline = make_pipeline(preparation, model)
        pipeline.fit(split.train_images[learn], split.train_digits[learn])
        self.score = float(pipeline.score(split.train_images[judge], split.train_digits[judge]))
        print(f"{self.score:.1%} read right by {name}, on {way}")


@DigitsFlow.register
class Best(Layer):
    """The candidate with the best mean over the folds. Here ``evaluate.score`` holds the scores of all splits."""

    search: Search
    pipeline: Pipeline
    score: float

    def __call__(self, candidates: Candidates, folds: Folds, evaluate: Evaluate) -> None:
        models, preparations = list(accessor(candidates.model)), list(accessor(candidates.preparation))
        # The last parameter of a grid varies fastest, so the scores come model by model and fold after fold.
        scores = np.reshape(list(accessor(evaluate.score)), (len(models), len(preparations), len(folds.fold)))
        self.search = Search([name for name, _ in models], [name for name, _ in preparations], scores)
        row, column = self.search.best
        self.pipeline = make_pipeline(preparations[column][1], models[row][1])
        self.score = self.search.score


@DigitsFlow.register
class Retrain(Layer):
    """The best candidate, trained on all images but those put aside; only if it beats the threshold."""

    model: Pipeline
    trial: Trial

    @hooks.entry
    def good_enough(self, best: Best, parameters: Parameters) -> bool:
        """Say whether it is worth it; the layer is skipped if not."""
        return best.score > parameters.threshold

    def __call__(self, split: Split, best: Best) -> None:
        self.model = best.pipeline.fit(split.train_images, split.train_digits)
        self.trial = Trial(split.test_images, split.test_digits, self.model.predict(split.test_images))


@DigitsFlow.register
class Report(Layer):
    """What was found, as a page and as a picture."""

    page: str
    picture: bytes

    @hooks.entry
    def always(self) -> bool:
        """Run also if ``Retrain``, which this layer asks for, was skipped."""
        return True

    def __call__(self, split: Split, best: Best, retrain: Retrain, parameters: Parameters) -> None:
        trial = retrain.trial if retrain.state.finished else None
        self.page = page(best.search, trial, split.train_images, parameters.threshold, self.execution.id)
        self.picture = picture(best.search, trial)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Find the model that reads handwritten digits best.")
    parser.add_argument("--executor", choices=EXECUTORS, help="where layers run")
    parser.add_argument(
        "--threshold", type=float, default=0.98, help="mean score that is worth training for (%(default)s)"
    )
    parser.add_argument("--folds", type=int, default=5, help="folds of the cross-validation (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/digits"), help="where the report goes (%(default)s)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the newest run that has not finished, as it was"
    )
    return parser.parse_args()


def resume(flow: DigitsFlow) -> Execution:
    """Go on with the newest run that has not finished; if there is none, give the newest that has."""
    executions = flow.configuration.datastore.list_executions(flow=flow)
    finished = [execution for execution in executions if execution.finished]
    stopped = [execution for execution in executions if not execution.finished and not execution.running]
    if stopped:
        return stopped[-1].resume()
    if not finished:
        sys.exit("There is no run to resume. Start one without --resume.")
    print("There is no run to resume. This is the newest that has finished:")
    return finished[-1]


def tell(execution: Execution, folder: Path) -> None:
    """Print what was found, and write the report."""
    best, retrain, report = execution.layer(Best), execution.layer(Retrain), execution.layer(Report)
    print(f"\nBest of {best.search.means.size} candidates: {best.search.title}, {best.score:.2%} in cross-validation")
    if retrain.state.finished:
        print(f"Retrained: {retrain.trial.accuracy:.2%} of {len(retrain.trial.digits)} images it had never seen")
    else:
        print(f"Not retrained: that is not above the threshold of {execution.layer(Parameters).threshold:.2%}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(report.page, encoding="utf-8")
    (folder / "report.png").write_bytes(report.picture)
    for name in ("report.html", "report.png"):
        print(f"Report: {folder / name}")


if __name__ == "__main__":
    options = arguments()
    if flow := DigitsFlow(executor=EXECUTORS[options.executor]() if options.executor else None):
        execution = resume(flow) if options.resume else flow(folds=options.folds, threshold=options.threshold)
        tell(execution, options.folder.resolve())
