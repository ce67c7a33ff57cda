"""What layers give each other and their caller."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from laminar.testing.parity.flows import values as flow
from laminar.testing.parity.samples import LARGE, Colour, Row, large, samples
from laminar.testing.parity.subject import Subject

if TYPE_CHECKING:
    from laminar.testing.parity.lab import Run


class Results(Subject):
    """What layers give each other and their caller."""

    @pytest.mark.parametrize("name", samples())
    def test_a_value_comes_back_as_it_was(self, values: Run, name: str) -> None:
        """Equal, and of the same type."""
        expected = samples()[name]
        found = values.fact(flow.Make, f"a_{name}")
        assert found == expected
        assert type(found) is type(expected)

    def test_values_reach_another_layer_as_they_were(self, values: Run) -> None:
        """All of them, in another attempt."""
        assert values.fact(flow.Compare, "unlike") == []

    def test_classes_and_functions_of_modules_stay_the_same_objects(self, values: Run) -> None:
        """Members of enumerations too, in another attempt and at the caller."""
        assert values.fact(flow.Compare, "identical") == (True, True, True)
        assert values.fact(flow.Make, "a_colour") is Colour.RED
        assert values.fact(flow.Make, "a_kind") is Row

    def test_a_function_made_inside_another_keeps_what_it_closes_over(self, values: Run) -> None:
        """It travels with its definition."""
        assert values.fact(flow.Compare, "sum") == 42
        assert values.fact(flow.Make, "function")(1) == 3

    def test_a_large_value_arrives_whole(self, values: Run) -> None:
        """24 MiB of it, in another attempt and at the caller."""
        digest = hashlib.sha256(large()).hexdigest()
        assert (values.fact(flow.Weigh, "size"), values.fact(flow.Weigh, "digest")) == (LARGE, digest)
        assert hashlib.sha256(values.fact(flow.Make, "large")).hexdigest() == digest

    def test_parameters_reach_layers(self, values: Run) -> None:
        """As the caller gave them."""
        assert values.fact(flow.Make, "parameters_seen") == ("grüße", [1, {"a": 2}], True)

    def test_a_layer_that_changes_what_it_has_read_changes_a_copy(self, values: Run) -> None:
        """Nobody else sees it."""
        assert values.fact(flow.Change, "changed") == [1, 2, 3]
        assert values.fact(flow.Unchanged, "seen") == [1, 2]
        assert values.fact(flow.Make, "changing") == [1, 2]

    def test_a_sharded_value_is_read_by_element(self, values: Run) -> None:
        """By index from both ends, by slice, and all in order."""
        assert values.fact(flow.Shards, "read") == (3, "b", "c", ["b", "c"], ["a", "b", "c"])
        assert list(values.fact(flow.Make, "letters")) == ["a", "b", "c"]

    def test_a_sharded_value_that_is_handed_on_stays_sharded(self, values: Run) -> None:
        """Its elements can be read one by one again."""
        letters = values.fact(flow.Shards, "letters")
        assert (letters[2], len(letters)) == ("c", 3)

    def test_a_foreach_runs_for_each_combination_with_the_last_varying_fastest(self, values: Run) -> None:
        """In the order of their splits."""
        expected = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
        assert list(values.fact(flow.Grid, "pair")) == expected
        assert values.fact(flow.Grid, "pair", index=3) == ("b", 2)

    def test_each_split_knows_its_place(self, values: Run) -> None:
        """Its index and the number of splits, from the layer and from ``current``."""
        assert list(values.fact(flow.Grid, "place")) == [(index, 4, index, 4) for index in range(4)]

    def test_a_foreach_over_a_foreach_runs_for_each_of_its_splits(self, values: Run) -> None:
        """In their order, which a join sees."""
        assert values.fact(flow.Join, "joined") == ["a1", "a2", "b1", "b2"]

    def test_a_foreach_over_nothing_runs_nothing_and_what_follows_runs(self, values: Run) -> None:
        """It reads as an empty sequence."""
        assert values.fact(flow.AfterNever, "count") == 0
        assert values.attempts(flow.Never) == []

    def test_an_artifact_that_only_some_splits_assign_says_which(self, values: Run) -> None:
        """And an element that is missing says so when it is asked for."""
        assert values.fact(flow.Join, "available") == [2, 3]
        assert "Grid.only_b: split 0 has not assigned it" in values.fact(flow.Join, "message")

    def test_an_artifact_that_does_not_exist_is_an_error_with_the_nearest_name(self, values: Run) -> None:
        """In a layer as at the caller."""
        message = values.fact(flow.Missing, "message")
        assert f"Layer Make of execution {values.execution.id} has no artifact 'lettres'" in message
        assert "Did you mean 'letters'" in message

    def test_a_layer_whose_entry_hook_says_no_is_skipped_with_what_needs_it(self, values: Run) -> None:
        """The hook is given upstream values; no attempt is made, and the run succeeds."""
        assert values.attempts(flow.Skipped) + values.attempts(flow.AfterSkipped) == []
        assert values.execution.finished

    def test_the_ledger_has_one_attempt_for_each_split(self, values: Run) -> None:
        """All of them have succeeded."""
        rows = values.attempts(flow.Grid) + values.attempts(flow.Make)
        assert sorted((row.name, row.index, row.number, str(row.state)) for row in rows) == [
            *(("Grid", index, 1, "SUCCEEDED") for index in range(4)),
            ("Make", 0, 1, "SUCCEEDED"),
        ]
