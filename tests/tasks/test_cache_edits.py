"""What an edit does to the cache: each row of the table in two processes before the edit, and in another after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cache_edits import CODE, FILES, INPUTS, POLICIES

EDITS = [*CODE, *INPUTS, *POLICIES, *FILES]
DOOR = """
from laminar import TaskEnvironment

env = TaskEnvironment("edits-{}", cache="auto")
task = env.task
"""


def hits(folder, projects, seed):
    plan = folder / f"plan-{seed}.json"
    plan.write_text(json.dumps(projects))
    program = Path(__file__).with_name("edit_runs.py")
    variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, program, plan], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class Found:
    """Whether each row was a hit: at the first call, at the same call in another process, and after the edit."""

    def __init__(self, top):
        projects = []
        for number, edit in enumerate(EDITS):
            write(top / str(number), {"door.py": DOOR.format(number), **edit.before})
            projects.append({"folder": str(top / str(number)), "given": edit.given})
        self.first = hits(top, projects, "1")
        self.same = hits(top, projects, "2")
        self.after = hits(top, [edited(top, number) for number in range(len(EDITS))], "3")


def edited(top, number):
    edit = EDITS[number]
    folder = top / str(number)
    if edit.folder is not None:
        folder = folder.rename(top / edit.folder)
    write(folder, edit.after)
    for name in edit.touched:
        os.utime(folder / name, (1, 1))
    given = {name: text for name, text in {**edit.given, **edit.then}.items() if text}
    return {"folder": str(folder), "given": given}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return Found(tmp_path_factory.mktemp("edits"))


@pytest.mark.parametrize("number", range(len(EDITS)), ids=[edit.name for edit in EDITS])
def test_a_result_is_found_after_an_edit_exactly_when_it_still_holds(found, number):
    assert not found.first[number]
    assert found.same[number], "without an edit it is not found either"
    assert found.after[number] == EDITS[number].expected


def test_the_table_has_the_forty_edits_and_more():
    assert len({edit.name for edit in EDITS}) == len(EDITS) >= 40
