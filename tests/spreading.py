"""How tests are spread over workers: what takes longest begins first, and what shares something stays together."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent
#: Folders whose tests take longest, in this order; all others follow, so that no worker is long alone at the end.
LONGEST = ("docker", "chaos", "images", "examples", "operations", "typing", "docs", "executors", "server", "tasks")
#: The tests of each of their classes share sessions and runs.
SUITES = ("tests/executors/test_parity.py::Test", "tests/executors/test_executor_suite.py::Test")
#: They build laminar's own image: the engine keeps what the first of them has made.
OWN_IMAGE = ("docker/test_deployment.py", "docker/test_team.py", "images/test_own_image.py")


class Spread(LoadScopeScheduling):
    """Gives each test to whichever worker is free; what shares something goes to one worker, lest it is made twice.

    ``--dist loadgroup``, which is made for that, has no effect with pytest 9.2 and pytest-xdist 3.8.
    """

    def _split_scope(self, nodeid: str) -> str:
        test = nodeid.partition("[")[0]
        if test.startswith(SUITES):
            return test.rpartition("::")[0]
        file = test.partition("::")[0]
        if file.endswith(OWN_IMAGE):
            return "laminar's own image"
        return file if _shares(self.config.rootpath / file) else nodeid


@functools.cache
def _shares(file: Path) -> bool:
    """Whether tests of a file share something that no other has, or few."""
    return 'scope="module"' in file.read_text() or str(file).endswith(OWN_IMAGE)


def rank(test: pytest.Item) -> tuple[bool, int]:
    """Give the place of a test in the order in which they begin: those of a file that goes to one worker come first."""
    folder = test.path.relative_to(TESTS).parts[0]
    return not _shares(test.path), LONGEST.index(folder) if folder in LONGEST else len(LONGEST)
