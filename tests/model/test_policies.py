"""What may be said of resources, retries and time-outs, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar.configurations.layers import Container, Resources, Retry, Timeout
from laminar.exceptions import FlowError
from laminar.model.amounts import megabytes

NO_MEMORY = "is no amount of memory. Give megabytes as a number, or a string such as '512Mi' or '2Gi'."
NO_GPU = "is no number of GPUs. Give 1, '1' or 'A100:1'."
NO_ATTEMPTS = "expects a whole number from 1; 1 means no retry."

REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (Timeout, {"seconds": 0}, "Timeout(seconds)=0 must be more than 0."),
    (Timeout, {"seconds": -1}, "Timeout(seconds)=-1 must be more than 0."),
    (Timeout, {"seconds": math.inf}, "Timeout(seconds)=inf must be more than 0."),
    (Timeout, {"seconds": math.nan}, "Timeout(seconds)=nan must be more than 0."),
    (Timeout, {"seconds": True}, "Timeout(seconds) expects a number, got True of type bool."),
    (Timeout, {"seconds": None}, "Timeout(…) has no limit. Give seconds=…, max_queued_time=… or deadline=…."),
    (Timeout, {"seconds": "1h"}, "Timeout(seconds)='1h' is not a number."),
    (Retry, {"attempts": 0}, f"Retry(attempts=0): {NO_ATTEMPTS}"),
    (Retry, {"attempts": 1.5}, f"Retry(attempts=1.5): {NO_ATTEMPTS}"),
    (Retry, {"attempts": True}, f"Retry(attempts=True): {NO_ATTEMPTS}"),
    (Retry, {"attempts": "3"}, f"Retry(attempts='3'): {NO_ATTEMPTS}"),
    (Retry, {"delay": -0.1}, "Retry(delay)=-0.1 must be 0 or more."),
    (Retry, {"delay": math.nan}, "Retry(delay)=nan must be 0 or more."),
    (Retry, {"backoff": 0}, "Retry(backoff)=0 must be more than 0."),
    (Retry, {"jitter": -1}, "Retry(jitter)=-1 must be 0 or more."),
    (Retry, {"memory": 0, "memory_max": "4Gi"}, "Retry(memory)=0 must be more than 0."),
    (
        Retry,
        {"memory": 1, "memory_max": "4Gi"},
        "Retry(memory=1) must be more than 1: it is the factor by which memory grows.",
    ),
    (Retry, {"memory": 2}, "Retry(memory=…) needs memory_max=…, the most memory that a retry may ask for."),
    (Retry, {"memory": 2, "memory_max": "lots"}, f"Retry(memory_max)='lots' {NO_MEMORY}"),
    (Resources, {"cpu": 0}, "cpu=0 must be more than 0."),
    (Resources, {"cpu": "two"}, "cpu='two' is not a number."),
    (Resources, {"memory": "2X"}, f"memory='2X' {NO_MEMORY}"),
    (Resources, {"memory": ""}, f"memory='' {NO_MEMORY}"),
    (Resources, {"memory": [1]}, f"memory=[1] {NO_MEMORY}"),
    (Resources, {"memory": True}, f"memory=True {NO_MEMORY}"),
    (Resources, {"memory": 0}, "memory=0 must be more than nothing."),
    (Resources, {"memory": "inf"}, "memory='inf' must be more than nothing."),
    (Resources, {"memory": math.nan}, "memory=nan must be more than nothing."),
    (Resources, {"disk": "-1Gi"}, "disk='-1Gi' must be more than nothing."),
    (Resources, {"shm": "Gi"}, f"shm='Gi' {NO_MEMORY}"),
    (Resources, {"gpu": -1}, f"gpu=-1 {NO_GPU}"),
    (Resources, {"gpu": 0.5}, f"gpu=0.5 {NO_GPU}"),
    (Resources, {"gpu": "A100"}, f"gpu='A100' {NO_GPU}"),
    (Resources, {"gpu": True}, f"gpu=True {NO_GPU}"),
    (Resources, {"gpu": "²"}, f"gpu='²' {NO_GPU}"),
    (Container, {"memory": "2X"}, f"memory='2X' {NO_MEMORY}"),
    (Container, {"cpu": -1}, "cpu=-1 must be more than 0."),
    (Container, {"env": {"TZ": 1}}, "Container(env=…): expects strings, got 'TZ': 1."),
]


@pytest.mark.parametrize(
    ("kind", "fields", "message"), REFUSED, ids=[f"{kind.__name__}-{fields}" for kind, fields, _ in REFUSED]
)
def test_what_makes_no_sense_is_refused_and_named(kind: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError) as refusal:
        kind(**fields)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Timeout, {"seconds": 0.5}),
        (Retry, {"attempts": 1, "delay": 0, "backoff": 0.5, "jitter": 0}),
        (Retry, {"memory": 1.5, "memory_max": 4000}),
        (Resources, {}),
        (Resources, {"cpu": "0.5", "memory": "1.5G", "gpu": "A100:1", "disk": "10 GiB", "shm": 0.5}),
        (Resources, {"gpu": "2"}),
        (Container, {"env": {"TZ": "UTC"}, "gpu": 1}),
    ],
)
def test_what_makes_sense_is_taken_as_it_is(kind: Any, fields: dict[str, Any]) -> None:
    taken = vars(kind(**fields))
    assert {name: taken[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("1", 10**6),
        ("1k", 10**3),
        ("1KB", 10**3),
        ("1M", 10**6),
        ("1.5G", 1_500_000_000),
        ("2T", 2 * 10**12),
        ("1Ki", 2**10),
        ("512Mi", 512 * 2**20),
        ("2GiB", 2 * 2**30),
        ("1 Ti", 2**40),
    ],
)
def test_units_of_memory_are_those_of_the_trade(text: str, bytes_: int) -> None:
    assert megabytes(text) * 10**6 == pytest.approx(bytes_, rel=1e-12)


@given(st.floats(min_value=0, max_value=1e12, exclude_min=True))
def test_a_number_of_memory_is_megabytes_as_a_number_and_as_a_string(amount: float) -> None:
    assert megabytes(amount) == megabytes(repr(amount)) == megabytes(f"{amount!r}MB") == amount
