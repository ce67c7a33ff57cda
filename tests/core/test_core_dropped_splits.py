"""A layer finishes only by all of its splits."""

from __future__ import annotations

from laminar.core.plan import Node, Phase, Plan


def test_a_layer_of_which_a_split_was_dropped_is_not_finished_by_the_others():
    plan = Plan({"A": Node(frozenset()), "B": Node(frozenset({"A"}))})
    plan.start()
    plan.expanded("A", 3)
    assert plan.split_succeeded("A", 1) == []
    plan.stop("somebody said so")
    plan.split_dropped("A", 0)
    assert plan.split_succeeded("A", 2) == []
    assert plan.over
    assert not plan.succeeded
    assert plan.phases["A"] is not Phase.FINISHED
