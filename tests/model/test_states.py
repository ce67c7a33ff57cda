"""The table of states and legal moves."""

from __future__ import annotations

import pytest

from laminar.model.states import MOVES, TERMINAL, State


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)
    assert set().union(*MOVES.values()) == set(State)


@pytest.mark.parametrize("state", State)
def test_exactly_the_terminal_states_have_no_moves(state: State) -> None:
    assert state.terminal == (state in TERMINAL) == (not MOVES[state])


@pytest.mark.parametrize("state", State)
def test_no_state_moves_to_itself_and_each_has_a_way_to_an_end(state: State) -> None:
    assert state not in MOVES[state]
    assert state.terminal or MOVES[state] & TERMINAL


def test_what_runs_may_wait_again_and_is_never_skipped() -> None:
    assert State.WAITING in MOVES[State.RUNNING]
    assert State.SKIPPED not in MOVES[State.RUNNING]
    assert State.SKIPPED in MOVES[State.WAITING]
