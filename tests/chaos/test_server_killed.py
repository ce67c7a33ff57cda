"""kill -9 of servers, agents and attempts at random moments, with real processes.

The oracle is what tasks note outside laminar. Every run ends right, nothing that is committed starts again, and a run
is taken up soon after its server is there again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Served, storm
from trials import FULL

pytestmark = pytest.mark.chaos

#: How often something is killed, in sessions of a few.
KILLS = 100 if FULL else 10
EACH = 10
#: Seconds that a server's word counts, and two more.
SOON = 12.0


@pytest.fixture(params=["sqlite", "postgres"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    database = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    one = Served(tmp_path, database)
    one.start()
    yield one
    one.end()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(KILLS // EACH))
def test_every_run_ends_right_whatever_is_killed(served: Served, seed: int) -> None:
    served.deploy()
    runs = storm(served, seed, EACH)
    served.wait(list(runs))
    assert served.violations(runs) == []
    late = [seconds for seconds in served.recoveries(list(runs)) if seconds > SOON]
    assert late == []
    assert served.none_left(10), "attempts were left"
