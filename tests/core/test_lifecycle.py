"""What follows a failed attempt, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.core import admission
from laminar.core.lifecycle import Again, GiveUp, Tries, after_failure, backoff
from laminar.model.policies import Resources, Retry
from laminar.model.states import Outcome

FAILURES = [outcome for outcome in Outcome if outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED)]
GROWING = Retry(attempts=2, memory=2.0, memory_max=256)


def decide(
    outcome: Outcome, retry: Retry, tries: Tries | None = None, *, final: bool = False, memory: float | None = 64
) -> Again | GiveUp:
    resources = Resources(memory=memory)
    return after_failure(outcome, final=final, retry=retry, tries=tries or Tries(), resources=resources, dice=0.5)


@pytest.mark.parametrize("outcome", FAILURES)
def test_one_attempt_means_no_retry(outcome: Outcome) -> None:
    assert decide(outcome, Retry()) == GiveUp("it was the only attempt")


@pytest.mark.parametrize("outcome", FAILURES)
def test_attempts_are_used_up_one_by_one(outcome: Outcome) -> None:
    retry = Retry(attempts=3, delay=1.0, jitter=0.0)
    first = decide(outcome, retry)
    assert isinstance(first, Again)
    assert (first.delay, first.tries) == (1.0, Tries(ordinary=1))
    second = decide(outcome, retry, first.tries)
    assert isinstance(second, Again)
    assert (second.delay, second.tries) == (2.0, Tries(ordinary=2))
    assert decide(outcome, retry, second.tries) == GiveUp("all 3 attempts are used up")


def test_what_was_cancelled_is_not_tried_again() -> None:
    assert decide(Outcome.CANCELLED, Retry(attempts=9)) == GiveUp("it was cancelled")


def test_an_error_that_says_so_is_final() -> None:
    assert decide(Outcome.RAISED, Retry(attempts=9), final=True) == GiveUp("the error says that no retry can help")


def test_memory_grows_to_its_most_without_using_up_ordinary_attempts() -> None:
    tries, memory, asked = Tries(), 64.0, []
    while isinstance(decision := decide(Outcome.OUT_OF_MEMORY, GROWING, tries, memory=memory), Again):
        assert decision.memory is not None
        tries, memory = decision.tries, decision.memory
        asked.append(memory)
    assert asked == [128.0, 256.0]
    assert tries.ordinary == 0
    assert "the most that memory_max allows" in decision.reason


def test_a_kill_by_hand_does_not_grow_memory() -> None:
    decision = decide(Outcome.KILLED, GROWING)
    assert isinstance(decision, Again)
    assert decision.memory is None
    assert decision.tries == Tries(ordinary=1)


def test_memory_that_is_unknown_cannot_grow() -> None:
    assert isinstance(decide(Outcome.OUT_OF_MEMORY, GROWING, memory=None), GiveUp)


@given(st.integers(1, 20), st.floats(0, 1), st.floats(0, 2), st.floats(0.1, 3), st.floats(0, 10))
def test_backoff_lies_between_its_base_and_its_jitter(
    failures: int, dice: float, jitter: float, factor: float, delay: float
) -> None:
    retry = Retry(attempts=99, delay=delay, backoff=factor, jitter=jitter)
    base = delay * factor ** (failures - 1)
    assert base <= backoff(retry, failures, dice) <= base * (1 + jitter) * (1 + 1e-9)


@given(st.integers(0, 100), st.integers(1, 100))
def test_slots_never_admit_more_than_the_capacity(live: int, capacity: int) -> None:
    free = admission.free_slots(live, capacity)
    assert free >= 0
    assert free + live == max(live, capacity)


def test_a_waiting_action_says_in_one_sentence_what_it_waits_for() -> None:
    assert admission.waiting_reason(2, ["A[0]", "A[1]"]).startswith("waits for a slot of the executor, which runs 2")
    assert "A[0], A[1] came before" in admission.waiting_reason(2, ["A[0]", "A[1]"])
    assert admission.waiting_reason(0, []) == "waits for the executor to get ready"
