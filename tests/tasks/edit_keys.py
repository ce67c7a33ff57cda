"""Gives the cache keys of the table of edits, in one process: ``python edit_keys.py PLAN``, where the plan is JSON.

The plan lists projects, each with its folder and the inputs of its task ``main``; the keys are printed as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def forget(folder: str) -> None:
    """Forget what was imported from a folder."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(folder + os.sep):
            del sys.modules[name]
    importlib.invalidate_caches()


def key(folder: str, given: dict[str, str]) -> str:
    """Give the key of a call of the task in a project."""
    own = [folder, os.path.join(folder, "site-packages")]
    sys.path[:0] = own
    os.chdir(folder)
    try:
        module = importlib.import_module("pipeline")
        values = {name: eval(text, vars(module)) for name, text in given.items()}
        made = module.main.cache_key(values, read=True)
        return made.key
    finally:
        del sys.path[: len(own)]
        forget(folder)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as plan:
        print(json.dumps([key(**project) for project in json.load(plan)]))
