"""Ids of runs, and the names of actions and attempts."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from ksuid import KsuidMs

from laminar import Flow, Layer
from laminar.configurations import datastores, executors, schedulers
from laminar.model.ids import ActionKey, AttemptKey, new_run_id
from laminar.types import unwrap

#: Seconds that an id tells apart; a microsecond more than 4 ms, for the rounding of floats.
TICK = 0.004001
#: All that 32 bits of seconds since 2014-05-13 can tell.
moments = st.floats(1_400_000_000, 1_400_000_000 + 2**32 - 3)
chances = st.binary(min_size=15, max_size=15)


@given(moments, chances)
def test_an_id_is_27_letters_and_digits(now: float, entropy: bytes) -> None:
    run = new_run_id(now, entropy)
    assert len(run) == 27
    assert run.isascii()
    assert run.isalnum()


@given(moments, chances)
def test_a_ksuid_library_reads_the_same_time_and_chance_from_an_id(now: float, entropy: bytes) -> None:
    run = new_run_id(now, entropy)
    read = KsuidMs.from_base62(run)
    assert 0 <= now - read.timestamp < TICK
    assert read.payload == entropy
    assert str(KsuidMs.from_bytes(bytes(read))) == run


@given(moments, moments, chances, chances)
def test_ids_sort_by_the_time_of_making(first: float, second: float, one: bytes, other: bytes) -> None:
    earlier, later = sorted((first, second))
    assert new_run_id(earlier, one) < new_run_id(later + TICK, other)
    assert (new_run_id(first, one) < new_run_id(first, other)) == (one < other)


def test_ids_made_in_a_row_differ_and_tell_the_present_time() -> None:
    before = time.time()
    runs = [new_run_id() for _ in range(1000)]
    after = time.time()
    assert len(set(runs)) == 1000
    assert all(before - TICK <= KsuidMs.from_base62(run).timestamp <= after for run in runs)


def test_a_run_without_a_name_is_given_such_an_id() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None: ...

    before = time.time()
    scheduler = schedulers.Scheduler(quiet=True)
    flow = F(datastore=datastores.Memory(), executor=executors.Thread(), scheduler=scheduler)
    ids = [unwrap(flow().id) for _ in range(2)]
    after = time.time()
    assert ids[0] != ids[1]
    assert all(before - TICK <= KsuidMs.from_base62(run).timestamp <= after for run in ids)


names = st.text(max_size=5)
actions = st.builds(ActionKey, names, names, names, st.integers(0, 9))


@given(actions, st.integers(1, 9), st.integers(1, 9))
def test_names_of_actions_and_attempts_are_keys_and_read_well(action: ActionKey, number: int, epoch: int) -> None:
    same = ActionKey(space=action.space, run=action.run, name=action.name, index=action.index)
    assert {action: 1}[same] == 1
    assert {AttemptKey(action, number, epoch): 1}[AttemptKey(same, number, epoch)] == 1
    assert AttemptKey(action, number, epoch) != AttemptKey(action, number, epoch + 1)
    assert str(AttemptKey(action, number, epoch)) == f"{action.name}[{action.index}]#{number}"
