"""How runs are stopped, and that nothing of them lives on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from laminar.exceptions import AttemptTimeoutError, RunAbortedError
from laminar.flows.datastores import Local
from laminar.model.ids import new_run_id
from laminar.testing.applicable import where
from laminar.testing.parity.flows.resumed import First, Held, HeldFlow, Runs, TornFlow
from laminar.testing.parity.lab import Lab, Live, Run
from laminar.testing.parity.samples import PlainError
from laminar.testing.parity.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar import Execution
    from laminar.executors.contract import Executor


class Aborted(Run):
    """A run that was aborted while a layer was held.

    Attributes:
        said: What ``laminar logs`` showed of that layer before.
        status: State of the run afterwards, before anything else was done with it.
        finished: Whether each of its layers had finished then.
        states: How the attempts of the layer had ended.
    """

    def __init__(self, lab: Lab, execution: Execution, said: str) -> None:
        """Look at it."""
        super().__init__(lab, execution)
        self.said = said
        self.status = execution.status
        self.finished = {layer.__name__: execution.layer(layer).state.finished for layer in (First, Held)}
        self.states = [str(row.state) for row in self.attempts(Held)]


class Endings(Subject):
    """How runs are stopped, and that nothing of them lives on."""

    _plain: ClassVar[dict[str, Any]] = {"deaf": False, "tidy": False, "children": False}

    @pytest.fixture
    def aborted(self, lab: Lab) -> Aborted:
        """Give a run that was aborted once it was held."""

        def look(run: str) -> str:
            return lab.until_shown("is held", "logs", run, "Held/0")

        return self._shared("aborted", lambda: self._abort(lab, 5.0, look))

    def _abort(self, lab: Lab, grace: float, look: Callable[[str], str] = lambda _: "", **parameters: bool) -> Aborted:
        """Begin a run, and abort it once it is held, and was looked at."""
        flow, run = lab.flow(HeldFlow, grace=grace), new_run_id()
        live = Live(lab, flow, execution=run, **{**self._plain, **parameters})
        live.wait_for("held")
        said = look(run)
        done = lab.laminar("abort", run, "--reason", "not needed")
        assert done.stderr == f"laminar: Run {run} of HeldFlow is aborted.\n"
        error = live.end()
        assert type(error) is RunAbortedError
        assert "aborted: not needed" in str(error)
        return Aborted(lab, flow.execution, said)

    def test_what_a_layer_prints_can_be_read_while_it_runs(self, aborted: Aborted) -> None:
        """By ``laminar logs``."""
        assert aborted.said == "is held\n"

    def test_an_aborted_run_is_cancelled_and_nothing_of_it_lives(self, aborted: Aborted) -> None:
        """What had finished is kept."""
        aborted.lab.let_go("held")
        assert aborted.status == "CANCELLED"
        assert aborted.finished == {"First": True, "Held": False}
        assert aborted.states == ["CANCELLED"]

    def test_an_aborted_run_can_be_resumed(self, aborted: Aborted) -> None:
        """What had finished does not run again."""
        aborted.lab.leave("released")
        aborted.execution.resume()
        assert aborted.fact(Held, "ended") == "when released"
        assert (aborted.lab.count("First"), aborted.execution.status) == (1, "SUCCEEDED")

    @where(isolated=True)
    def test_an_attempt_that_takes_no_hint_is_killed_with_all_that_it_has_started(self, lab: Lab) -> None:
        """Once its grace is over."""
        self._abort(lab, 0.2, deaf=True, children=True)
        for name in ("held", "child", "daemon"):
            assert lab.count(name) == 1
            lab.let_go(name)

    @where(isolated=True)
    def test_an_attempt_may_use_its_grace_to_end_well(self, lab: Lab) -> None:
        """What it hands over is kept."""
        run = self._abort(lab, 60.0, tidy=True)
        assert run.fact(Held, "ended") == "when asked"
        run.execution.resume()
        assert (lab.count("held"), run.execution.status) == (1, "SUCCEEDED")

    @where(isolated=True)
    def test_what_an_attempt_leaves_behind_ends_with_it(self, lab: Lab) -> None:
        """Also where the attempt succeeds, and what it has started leads a session of its own."""
        lab.leave("released")
        run = lab.run(HeldFlow, **{**self._plain, "children": True})
        assert run.execution.finished
        for name in ("child", "daemon"):
            assert lab.count(name) == 1
            lab.let_go(name)

    def test_a_failure_stops_what_else_runs_if_that_is_wished(self, lab: Lab) -> None:
        """The caller gets the failure, not the stop."""
        flow = lab.flow(TornFlow, on_failure="cancel")
        with pytest.raises(PlainError, match="torn"):
            flow(signs=lab.signs)
        assert lab.count("runs") == 1
        lab.let_go("runs")
        assert [str(row.state) for row in Run(lab, flow.execution).attempts(Runs)] == ["CANCELLED"]

    def test_the_time_out_of_the_executor_limits_layers_without_one(self, lab: Lab, executor: Executor) -> None:
        """It is Python's own ``TimeoutError`` too, and nothing lives on."""
        executor.timeout = 2.0
        flow = lab.flow(HeldFlow)
        with pytest.raises(AttemptTimeoutError, match=r"Layer Held, attempt 1 ran longer than its time-out of 2 s and"):
            flow(signs=lab.signs, **self._plain)
        assert flow.execution.status == "FAILED"
        assert lab.count("held") == 1
        lab.let_go("held")

    def test_ctrl_c_ends_a_run(self, lab: Lab) -> None:
        """Nothing of it lives, and it says how it is resumed."""

        def press() -> None:
            lab.wait_for("held")
            if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                os.kill(os.getpid(), signal.SIGINT)

        presser = threading.Thread(target=press)
        presser.start()
        flow = lab.flow(HeldFlow)
        with pytest.raises(KeyboardInterrupt, match="Resume with"):
            flow(signs=lab.signs, **self._plain)
        presser.join()
        assert flow.execution.status == "CANCELLED"
        lab.let_go("held")

    def test_runs_of_one_id_in_two_datastores_do_not_meet(self, lab: Lab, executor: Executor, tmp_path: Path) -> None:
        """They run at the same time, and each ends by itself."""
        run, folder = new_run_id(), tmp_path / "other" / "signs"
        live = Live(lab, lab.flow(HeldFlow), execution=run, **self._plain)
        live.wait_for("held")
        folder.mkdir(parents=True)
        other = Lab(executor, Local(root=tmp_path / "other"), folder, Path(lab.cwd))
        other.leave("released")
        other.flow(HeldFlow)(execution=run, signs=other.signs, **self._plain)
        assert (other.count("held"), lab.count("held")) == (1, 1)
        lab.leave("released")
        assert live.end() is None

    def test_a_run_whose_scheduler_was_killed_can_be_resumed(self, lab: Lab) -> None:
        """What had finished is kept, the rest comes to its end, and nothing lives on."""
        run = new_run_id()
        scheduler = lab.begin_elsewhere(HeldFlow, run, **self._plain)
        lab.wait_for("held")
        scheduler.kill()
        scheduler.wait()
        lab.leave("released")
        execution = lab.flow(HeldFlow).execution(run).resume()
        assert Run(lab, execution).fact(Held, "ended") == "when released"
        assert (lab.count("First"), execution.status) == (1, "SUCCEEDED")
        lab.let_go("held")
