"""The canonical digest of values: equal for equal ones in every process, and for no others."""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import struct
import subprocess
import sys
import threading
from pathlib import Path

import canonical_values
import numpy as np
import pandas as pd
import pytest
from canonical_values import VALUES, Names, Plain, Row, added, cycle
from hypothesis import given, settings
from hypothesis import strategies as st

from laminar.exceptions import DigestError
from laminar.tasks.fingerprints import digest

PROGRAM = Path(canonical_values.__file__)
SEEDS = ("0", "1", "4711")


def environment(seed):
    return {**os.environ, "PYTHONHASHSEED": seed}


@pytest.fixture(scope="module")
def printed():
    """What processes with different seeds of hashes have printed for the same values."""
    started = [
        subprocess.Popen([sys.executable, PROGRAM], env=environment(seed), stdout=subprocess.PIPE, text=True)
        for seed in SEEDS
    ]
    return [process.communicate()[0].split() for process in started]


@pytest.fixture(scope="module")
def elsewhere():
    """Digest in another process, with another seed of hashes."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "--serve"], env=environment("99"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    def asked(value):
        pickle.dump(value, process.stdin)
        process.stdin.flush()
        return process.stdout.read(16)

    with process:
        yield asked
        process.stdin.close()


def test_every_process_gives_the_same_digests(printed):
    assert len(printed[0]) == len(VALUES)
    assert printed[0] == printed[1] == printed[2]


def test_values_that_code_can_tell_apart_have_different_digests():
    seen = {}
    for value in VALUES:
        other = seen.setdefault(digest(value), value)
        assert other is value, f"{value!r} and {other!r} have one digest"


def test_values_within_others_are_told_apart_too():
    seen = {}
    for value in VALUES:
        other = seen.setdefault(digest({"x": [value]}), value)
        assert other is value, f"{value!r} and {other!r} have one digest"


def test_what_is_of_an_event_loop_counts_by_its_class_whatever_happens_to_it():
    async def used(gate):
        async with gate:
            return await asyncio.gather(digested(gate), digested(gate))

    async def digested(gate):
        waiting = asyncio.ensure_future(gate.acquire())
        await asyncio.sleep(0)
        found = digest([gate, asyncio.get_running_loop()])
        waiting.cancel()
        return found

    first, second = asyncio.run(used(asyncio.Semaphore(1)))
    assert first == second == asyncio.run(digested(asyncio.Semaphore(3)))
    assert digest(asyncio.Semaphore(1)) != digest(asyncio.Event())
    assert digest(asyncio.IncompleteReadError(b"a", 2)) != digest(asyncio.IncompleteReadError(b"b", 2))


LEAVES = st.one_of(
    st.sampled_from([None, False, True, 0, 1, 0.0, -0.0, 1.0, float("nan"), "", "a", b"", b"a"]),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
)
KEYS = st.sampled_from([None, True, 0, 1.5, "a", "b", b"a", (1, "a"), frozenset({"a", "b"})])
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
    ),
    max_leaves=6,
)
FEW = st.recursive(
    st.sampled_from([0, 1, True, 0.0, -0.0, "", b""]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        st.frozensets(st.sampled_from(["a", 1, (1,)]), max_size=2),
    ),
    max_leaves=3,
)


def observed(value):
    """Give all that code can see of a value, as something that ``==`` compares."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, struct.pack("d", value)
    if isinstance(value, dict):
        return kind, tuple((observed(key), observed(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return kind, tuple(map(observed, value))
    if isinstance(value, frozenset):
        return kind, frozenset(map(observed, value))
    return kind, value


@settings(deadline=None)  # the first answer waits for the other process to start
@given(value=NESTED)
def test_a_value_has_one_digest_in_all_processes(elsewhere, value):
    assert elsewhere(value) == digest(value) == digest(pickle.loads(pickle.dumps(value)))


@given(one=FEW, other=FEW)
def test_two_values_have_one_digest_exactly_if_nothing_tells_them_apart(one, other):
    assert (digest(one) == digest(other)) == (observed(one) == observed(other))


@given(items=st.lists(st.one_of(KEYS, st.builds(Row, st.just(1)).map(repr)), unique=True), data=st.data())
def test_the_order_in_which_a_set_was_filled_does_not_count(items, data):
    shuffled = data.draw(st.permutations(items))
    assert digest(set(items)) == digest(set(shuffled))
    assert digest(Names(items)) == digest(Names(shuffled))


@given(names=st.permutations(["a", "b", "c"]))
def test_the_order_in_which_attributes_were_set_does_not_count(names):
    assert digest(Plain(**{name: [name] for name in names})) == digest(Plain(a=["a"], b=["b"], c=["c"]))


def arrays():
    kinds = st.sampled_from(["i1", "u1", "i4", "f4", "f8", "c8", "?", "S2", "U2", "M8[s]", "O"])
    shapes = st.sampled_from([(0,), (4,), (2, 2), (4, 1), (1, 2, 2)])
    seeds = st.integers(0, 2)
    return st.builds(
        lambda kind, shape, seed: (np.arange(np.prod(shape)) + seed).astype(kind).reshape(shape), kinds, shapes, seeds
    )


@given(one=arrays(), other=arrays())
def test_arrays_are_told_apart_by_dtype_shape_and_content(one, other):
    same = one.dtype == other.dtype and one.shape == other.shape and one.tolist() == other.tolist()
    assert (digest(one) == digest(other)) == same


@given(array=arrays())
def test_how_an_array_lies_in_memory_does_not_count(array):
    wide = np.repeat(array, 2, axis=-1)[..., ::2]
    assert digest(array) == digest(wide) == digest(array.copy(order="F"))


def test_what_lies_under_a_missing_value_does_not_count():
    one, other = (np.ma.array([1, hidden], mask=[False, True]) for hidden in (2, 3))
    assert digest(one) == digest(other)
    masks = np.array([False, True])
    first, second = (pd.Series(pd.arrays.IntegerArray(np.array([1, hidden]), masks)) for hidden in (2, 3))
    assert digest(first) == digest(second)


def test_frames_that_were_put_together_differently_are_equal():
    once = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    slowly = pd.DataFrame({"a": [1, 2]})
    slowly["b"] = [3, 4]
    assert digest(once) == digest(slowly) == digest(pd.concat([once.iloc[:1], once.iloc[1:]]).reset_index(drop=True))


def test_attributes_of_a_frame_count():
    plain, told = (pd.DataFrame({"a": [1]}) for _ in range(2))
    told.attrs["unit"] = "m"
    assert digest(plain) != digest(told)


def test_what_stands_twice_is_two_equal_things():
    part = [1, [2]]
    assert digest([part, part]) == digest([[1, [2]], [1, [2]]])


def test_a_value_with_many_ways_to_its_parts_is_digested_once_for_each_part():
    doubled = [1, [2]]
    for _ in range(100):
        doubled = [doubled, doubled]
    assert len(digest(doubled)) == 16


def test_a_cycle_has_a_digest_that_does_not_depend_on_what_is_around_it():
    assert digest([cycle(), cycle()]) == digest([cycle()] * 2)
    assert digest(cycle()) != digest([1, [1, []]])


def test_what_a_cached_property_has_kept_does_not_count():
    class Lazy:
        @functools.cached_property
        def total(self):
            return 3

    used, fresh = Lazy(), Lazy()
    assert used.total == 3
    assert digest(used) == digest(fresh)


def test_functions_count_by_their_code_and_closures():
    assert digest(added(1)) == digest(added(1)) != digest(added(2))
    assert digest({"key": added(1)}) != digest({"key": added(2)})


def test_the_error_names_the_path_to_the_part_that_has_no_digest():
    value = {"rows": [1, Row(2, [threading.Lock()])]}
    with pytest.raises(DigestError, match=r"\['rows'\]\[1\]\.tags\[0\] in a value of type builtins.dict") as caught:
        digest(value)
    assert "_thread.lock" in str(caught.value)
    assert "__laminar_digest__" in str(caught.value)


def test_a_value_that_is_nested_too_deeply_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DigestError, match="nested too deeply"):
        digest(deep)
