"""Hooks, retries and catch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from laminar.testing.applicable import where
from laminar.testing.parity.flows import again as flow
from laminar.testing.parity.subject import Subject

if TYPE_CHECKING:
    from laminar.testing.parity.lab import Run


class Hooks(Subject):
    """Hooks, retries and catch."""

    def test_a_layer_is_tried_again_until_it_succeeds(self, again: Run) -> None:
        """Each try knows its number, and runs once."""
        assert again.fact(flow.Flaky, "attempts") == (3, 3)
        assert [again.lab.count(f"Flaky-{number}") for number in (1, 2, 3, 4)] == [1, 1, 1, 0]

    def test_the_ledger_tells_how_each_try_ended(self, again: Run) -> None:
        """In their order."""
        rows = sorted((row.number, str(row.state)) for row in again.attempts(flow.Flaky))
        assert rows == [(1, "FAILED"), (2, "FAILED"), (3, "SUCCEEDED")]

    def test_each_try_begins_with_an_empty_layer(self, again: Run) -> None:
        """What an earlier one had assigned is gone."""
        assert not hasattr(again.execution.layer(flow.Flaky), "leftover")

    def test_each_try_has_a_log_of_its_own(self, again: Run) -> None:
        """Also one that failed."""
        assert again.log(flow.Flaky, attempt=1) == "says the first\n"
        assert again.log(flow.Flaky, attempt=3) == ""

    def test_a_try_that_runs_out_of_time_is_tried_again(self, again: Run) -> None:
        """And the next has its own time."""
        assert again.fact(flow.Slow, "attempts") == len(again.attempts(flow.Slow)) > 1
        assert again.lab.count("slow") == 1

    def test_nothing_lives_of_a_try_that_ran_out_of_time(self, again: Run) -> None:
        """Its process has ended, or its thread has come out of the layer."""
        assert again.lab.count("slow") == 1
        again.lab.let_go("slow")

    def test_catch_takes_subclasses_and_keeps_what_was_assigned_before(self, again: Run) -> None:
        """The layer counts as finished, and what follows it runs."""
        assert again.fact(flow.AfterCaught, "seen") == (1, True, False)
        assert len(again.attempts(flow.Caught)) == 1

    def test_a_submission_hook_sets_what_the_layer_is_given(self, again: Run) -> None:
        """From upstream values; before each try."""
        assert again.fact(flow.Sized, "memory") == 201
        assert again.lab.count("Sized-hook-torn-down") == 2

    @where(isolated=True)
    def test_a_submission_hook_sets_variables(self, again: Run) -> None:
        """Of the container that follows."""
        assert again.fact(flow.Sized, "environment") == "set"

    def test_a_submission_hook_sets_retry_and_catch(self, again: Run) -> None:
        """The first try fails and is tried again, the second is caught."""
        assert again.fact(flow.Sized, "attempts") == 2

    def test_a_retry_hook_changes_what_the_next_try_is_given(self, again: Run) -> None:
        """It runs once, between the two."""
        assert again.fact(flow.Grown, "memory") == 400
        assert [again.lab.count(f"Grown-{name}") for name in ("failed-1", "goes-on", "failed-2")] == [1, 1, 0]

    def test_an_execution_hook_may_assign_before_and_after(self, again: Run) -> None:
        """As the layer itself, with upstream values."""
        assert again.fact(flow.Decorated, "prepared_with") == 1
        assert again.fact(flow.Decorated, "finished_with") == 2

    def test_an_execution_hook_is_torn_down_also_where_the_layer_fails(self, again: Run) -> None:
        """Once for each set-up, also where the exception is caught."""
        for layer, tries in (("Flaky", 3), ("Caught", 1), ("Decorated", 1)):
            assert again.lab.count(f"{layer}-set-up") == tries
            assert again.lab.count(f"{layer}-torn-down") == tries
