"""Runs the projects of the table of edits, in one process: ``python edit_runs.py PLAN``, where the plan is JSON.

The plan lists projects, each with its folder and the inputs of its task ``main``; whether each run was answered by the
cache is printed as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

import laminar


def forget(folder: str) -> None:
    """Forget what was imported from a folder."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(folder + os.sep):
            del sys.modules[name]
    importlib.invalidate_caches()


def is_hit(folder: str, given: dict[str, str]) -> bool:
    """Run the task of a project, and tell whether the cache has answered."""
    own = [folder, os.path.join(folder, "site-packages")]
    sys.path[:0] = own
    os.chdir(folder)
    try:
        module = importlib.import_module("pipeline")
        values = {name: eval(text, vars(module)) for name, text in given.items()}
        run = laminar.run(module.main, **values)
        run.result()
        return run.actions()[0].attempts == 0
    finally:
        del sys.path[: len(own)]
        forget(folder)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as plan:
        print(json.dumps([is_hit(**project) for project in json.load(plan)]))
