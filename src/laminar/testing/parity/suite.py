"""What users can rely on whatever the executor."""

from __future__ import annotations

from laminar.testing.parity.endings import Endings
from laminar.testing.parity.failures import Failures, Resuming
from laminar.testing.parity.hooks import Hooks
from laminar.testing.parity.results import Results
from laminar.testing.parity.surroundings import Output, Surroundings


class ExecutorParity(Results, Surroundings, Output, Hooks, Failures, Resuming, Endings):
    """What users can rely on whatever the executor. Subclass it and give the fixture ``executor``.

    The executor must run two attempts at a time, or more. How it differs from others is told by the attributes of
    :class:`~laminar.testing.parity.subject.Subject`; tests that do not apply are not there.

    Usage::

        class TestMyExecutor(ExecutorParity):
            in_place = False

            @pytest.fixture
            def executor(self) -> MyExecutor:
                return MyExecutor(concurrency=2)
    """
