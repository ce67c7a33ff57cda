"""``laminar deploy``."""

from __future__ import annotations

import json

import pytest

MAIN = """
import laminar
from laminar import Flow, Layer

env = laminar.TaskEnvironment("etl", description="Reads and writes.")
again = env

@env.task
def load(rows: list[int], limit: int = 3) -> int:
    return len(rows)

class Train(Flow): ...

@Train.register
class Fit(Layer):
    def __call__(self) -> None: ...

if __name__ == "__main__":
    raise SystemExit("not here")
"""


@pytest.fixture
def project(project):
    project.write("pipeline.py", MAIN)
    return project


def test_a_dry_run_shows_files_with_sizes_and_tasks_with_what_they_take(project):
    shown = project.laminar("deploy", "pipeline.py", "env", "--dryrun").stdout

    assert f"pipeline.py         {len((project.folder / 'pipeline.py').read_bytes())}" in shown
    assert "task  etl.load  (rows: list[int], limit: int = 3) -> int" in shown
    assert "No server is configured" in shown


def test_a_dry_run_of_a_server_that_does_not_answer_says_so_and_is_no_failure(project):
    done = project.laminar("deploy", "pipeline.py", "env", "--dryrun", LAMINAR_SERVER_ENDPOINT="http://127.0.0.1:9")

    assert "not known: No server answers at http://127.0.0.1:9" in done.stdout


def test_all_deploys_each_environment_once_and_each_flow(project):
    done = project.laminar("deploy", "--all", "pipeline.py", "--dryrun", "-o", "json")

    made = json.loads(done.stdout)["deployments"]
    assert [(one["kind"], one["name"]) for one in made] == [("environment", "etl"), ("flow", "Train")]
    assert [spec["name"] for spec in made[1]["entities"]] == ["Train", "Train.Fit"]
    assert made[0]["place"] is None
    assert {file["path"] for file in made[0]["files"]} == {".laminar/code.json", "pipeline.py"}


def test_options_may_stand_before_the_file(project):
    done = project.laminar("deploy", "--version", "v1.0.0", "--dryrun", "-o", "json", "pipeline.py", "Train")

    assert json.loads(done.stdout)["deployments"][0]["version"] == "v1.0.0"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pipeline.py"], "Missing argument 'VAR'. pipeline.py has env, again, Train."),
        (["pipeline.py", "emv"], "no task environment or flow 'emv'. Did you mean 'env'? pipeline.py has env, again"),
        (["pipeline.py", "load"], "no task environment or flow 'load'. Known: 'Train', 'again', 'env'."),
        (["pipelin.py", "env"], "There is no file pipelin.py. Did you mean 'pipeline.py'?"),
        (["--all", "pipeline.py", "env"], "--all deploys all of pipeline.py; leave out env, or --all."),
        (["--all", "empty.py"], "empty.py has no task environment and no flow."),
        (["pipeline.py", "env", "--copy-style", "some"], "'some' is not one of"),
        (["pipeline.py", "env", "--version", "a b"], "a version begins with a letter or a digit"),
        (["pipeline.py", "env", "--copy-style", "none", "--dryrun"], "etl.load names no image"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(project, words, says):
    project.write("empty.py", "X = 1\n")

    done = project.laminar("deploy", *words, code=2)

    assert says in done.stderr
    assert done.stdout == ""


def test_a_server_that_does_not_answer_is_named_with_how_to_start_one(project):
    done = project.laminar("deploy", "pipeline.py", "env", code=1, LAMINAR_SERVER_ENDPOINT="http://127.0.0.1:9")

    assert "No server answers at http://127.0.0.1:9" in done.stderr
    assert "laminar serve" in done.stderr
