"""A version is a function of content: of nothing else, and of all of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess

import pytest
from plans import Project

MAIN = """
import dataclasses
import os
import laminar
from lib import steps
from laminar import Flow, Layer

@dataclasses.dataclass
class Row:
    name: str = "x"
    tags: frozenset[str] = frozenset({"a", "b", "c", "d"})

image = laminar.Image.from_debian_base(python_version="3.12").with_pip_packages("numpy").with_source_file(
    os.path.join(os.path.dirname(__file__), "data.txt"), "/data/"
)
env = laminar.TaskEnvironment(
    "etl",
    image=image,
    env_vars={"A": "1", "B": "2"},
    depends_on=[steps.env],
)

@env.task(cache="auto", triggers=laminar.Trigger("nightly", laminar.Cron("0 3 * * *"), inputs={"rows": [Row()]}))
def load(rows: list[Row], other: set[str] = {"x", "y", "z"}, thing: object = object()) -> dict[str, int]:
    return {row.name: steps.clean(1) for row in rows}

class Train(Flow): ...

@Train.register
class Fit(Layer):
    def __call__(self) -> None:
        self.rows = load([Row()])
"""
STEPS = """
import laminar
env = laminar.TaskEnvironment("steps")

@env.task
def clean(x: int) -> int:
    from lib import late
    return late.VALUE + x
"""
PLAN = "import main\nplanned(main.env, main.Train)"


def checkout(folder):
    project = Project(folder)
    project.write("pyproject.toml", "")
    project.write("main.py", MAIN)
    project.write("data.txt", "1")
    project.write("lib/__init__.py", "")
    project.write("lib/steps.py", STEPS)
    project.write("lib/late.py", "VALUE = 1\n")
    return project


@pytest.fixture
def one(tmp_path):
    return checkout(tmp_path / "one")


def planned(project, cwd=".", seed="0"):
    """Give version, bundle and content of all, as a process of its own finds them."""
    return project.plan(PLAN, cwd=cwd, PYTHONHASHSEED=seed)


def test_it_is_the_same_for_two_checkouts_five_seeds_and_other_folders(one, tmp_path):
    two = checkout(tmp_path / "deep" / "er" / "two")
    os.utime(two.folder / "main.py", (1, 1))

    made = [planned(one, seed=str(seed)) for seed in range(5)]
    made += [planned(one, cwd="lib"), planned(one, cwd=".."), planned(two), planned(two, cwd="..", seed="7")]

    assert len({one["version"] for one in made}) == 1
    assert len({tuple(one["files"]) for one in made}) == 1
    assert len({tuple(sorted(map(str, one["images"].items()))) for one in made}) == 1


def test_the_command_line_finds_the_version_that_it_has_found_from_another_folder(one, tmp_path):
    here = one.laminar("deploy", "main.py", "env", "--dryrun", "-o", "json")
    there = one.laminar("deploy", "../main.py", "env", "--dryrun", "-o", "json", cwd="lib")

    assert here.stdout == there.stdout


CHANGES = {
    "the body of a task": ("main.py", "steps.clean(1)", "steps.clean(2)"),
    "a comment": ("main.py", "class Train(Flow): ...", "class Train(Flow): ...  # better"),
    "a module that is imported later": ("lib/late.py", "1", "2"),
    "a variable": ("main.py", '"B": "2"', '"B": "3"'),
    "a package of an image": ("main.py", "numpy", "pandas"),
    "a file that is put into an image": ("data.txt", "1", "2"),
    "a trigger": ("main.py", "0 3 * * *", "0 4 * * *"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_is_another_where_something_has_changed(one, change):
    name, before, after = change
    first = planned(one)
    text = (one.folder / name).read_text()
    assert before in text
    (one.folder / name).write_text(text.replace(before, after, 1))

    assert planned(one)["version"] != first["version"]


def test_the_order_in_which_things_are_named_says_nothing(one):
    both = one.plan(PLAN)
    other = one.plan(PLAN.replace("main.env, main.Train", "main.Train, main.env"))

    assert both["version"] == other["version"]
    assert other["names"][0] == "Train"


def test_a_version_by_hand_holds_and_one_that_makes_no_sense_is_refused(one):
    assert one.plan("import main\nplanned(main.env, version='v1.0.0')")["version"] == "v1.0.0"
    assert "begins with a letter or a digit" in one.plan("import main\nplanned(main.env, version='../1')")["says"]


def test_an_image_has_the_tag_that_it_is_built_under_known_without_an_engine(one):
    nowhere = "tcp://127.0.0.1:1"
    built = one.laminar("build", "main.py", "image", "--dryrun", "-o", "json", DOCKER_HOST=nowhere)
    found = one.plan("import main\nplanned(main.env)", DOCKER_HOST=nowhere)

    assert found["images"] == {"etl.load": json.loads(built.stdout)["images"][0]["image"], "steps.clean": None}


def test_what_a_script_says_of_its_packages_is_the_image_of_its_tasks(project):
    project.write(
        "main.py",
        """
        # /// script
        # requires-python = ">=3.11"
        # dependencies = ["numpy"]
        # ///
        import laminar
        env = laminar.TaskEnvironment("scripted")
        own = laminar.TaskEnvironment("own", image="python:3.12-slim")
        @env.task
        def work() -> int: return 1
        @own.task
        def other() -> int: return 1
        """,
    )

    found = project.plan("import main\nplanned(main.env, main.own)")

    assert found["images"]["scripted.work"].startswith("laminar-main:")
    assert found["images"]["own.other"] == "python:3.12-slim"


def test_without_files_of_the_code_each_task_needs_an_image(one):
    refused = one.plan("import main\nplanned(main.env, copy_style='none')")

    assert "steps.clean names no image" in refused["says"]


def test_with_the_code_in_the_image_the_version_is_that_of_the_tasks(project):
    project.write("pyproject.toml")
    text = """
        import laminar
        env = laminar.TaskEnvironment("imaged", image="registry.local/team/code:{tag}")
        @env.task
        def work() -> int: return {body}
        """
    versions = []
    for tag, body in [("1", "1"), ("1", "2"), ("2", "2")]:
        project.write("main.py", text.format(tag=tag, body=body))
        found = project.plan("import main\nplanned(main.env, copy_style='none')")
        assert found["files"] == [".laminar/code.json"]
        versions.append(found["version"])

    assert versions[0] == versions[1] != versions[2]


def test_a_dry_run_sends_nothing_and_says_so(one):
    found = one.plan("import main\nplanned(main.env)")

    assert found["differs"] == [None, None]
    assert found["summaries"][0].startswith(f"Environment etl, version {found['version']}: 1 task, ")
    assert found["summaries"][0].endswith("1 image. Nothing was sent.")


def test_the_bundle_is_named_by_the_digest_of_the_archive_that_is_sent(one, tmp_path):
    import hashlib

    archive = tmp_path / "sent.tar.gz"
    program = f"""
import main
from laminar.runs.planning import plan
made = plan([main.env])
made.bundle.write({str(archive)!r})
made.requests[0].bundle
"""
    named = one.plan(program)

    assert named == base64.b64encode(hashlib.md5(archive.read_bytes()).digest()).decode()
    listed = subprocess.run(["tar", "-tzf", archive], capture_output=True, text=True, check=True).stdout.split()
    assert listed == [".laminar/code.json", "lib/__init__.py", "lib/late.py", "lib/steps.py", "main.py"]
