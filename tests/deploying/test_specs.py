"""What is said on the wire of policies means the same on its other side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar import (
    Backoff,
    Cache,
    Cron,
    FixedRate,
    Resources,
    RetryStrategy,
    ReusePolicy,
    Secret,
    Timeout,
    Trigger,
    TriggerTime,
)
from laminar.wire.specs import (
    CacheSpec,
    EntitySpec,
    Overrides,
    ResourcesSpec,
    RetrySpec,
    ReuseSpec,
    SecretSpec,
    TimeoutSpec,
    TriggerSpec,
)

above = st.floats(min_value=1e-3, max_value=1e9)
memory = st.one_of(st.integers(1, 10**6), above, st.sampled_from(["512Mi", "2Gi", "1.5G"]))
cpu = st.one_of(st.integers(1, 512), above, st.sampled_from(["500m", "2"]))


def pair(most):
    return st.tuples(st.integers(1, most), st.integers(most, 10 * most))


resources = st.builds(
    Resources,
    cpu=st.none() | cpu | pair(8),
    memory=st.none() | memory | pair(1000) | st.just(("1Gi", "2Gi")),
    gpu=st.none() | st.integers(0, 8) | st.just("A100:1"),
    disk=st.none() | memory,
    shm=st.none() | memory | st.just("auto"),
)
waits = st.floats(min_value=0, max_value=1e6)
retries = st.builds(RetryStrategy, st.integers(0, 100), st.builds(Backoff, waits, above, st.none() | st.floats(0, 1e6)))
limits = st.none() | above
timeouts = st.tuples(limits, limits, limits).filter(any).map(lambda three: Timeout(*three))
reuse = st.builds(ReusePolicy, replicas=st.integers(1, 9) | pair(4), idle_ttl=above, concurrency=st.integers(1, 64))
names = st.lists(st.sampled_from(["rows", "path", "größe"]), unique=True).map(tuple)
caches = st.one_of(
    st.builds(Cache, st.just("auto"), st.none() | st.just("2"), names, st.text(max_size=9)),
    st.builds(Cache, st.just("override"), st.text(min_size=1, max_size=9), names),
    st.just(Cache("disable")),
)
keys = st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True)
secrets = st.builds(
    Secret, keys, st.none() | keys, st.none() | st.just("API_KEY"), st.none() | st.just("/run/secrets/key")
)
starts = st.none() | st.datetimes(timezones=st.just(UTC))
automations = st.one_of(
    st.just(Cron("30 6 * * MON-FRI", timezone="Europe/Vienna")), st.builds(FixedRate, st.floats(1, 1e6), starts)
)
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9)
triggers = st.builds(
    Trigger,
    st.text(min_size=1, max_size=20).filter(str.strip),
    automations,
    st.dictionaries(keys, plain | st.lists(plain, max_size=2) | st.just(TriggerTime), min_size=1, max_size=3),
    st.text(max_size=9),
    st.booleans(),
    st.sampled_from(["skip", "queue", "cancel-old", "allow"]),
    st.sampled_from(["none", "latest", 3]),
)


def sent(spec):
    """Give what arrives on the other side."""
    return msgspec.json.decode(msgspec.json.encode(spec), type=type(spec))


def same(spec, value):
    assert sent(spec.of(value)).value() == value


@given(resources)
def test_resources_arrive_as_they_were_written(value):
    same(ResourcesSpec, value)


@given(retries)
def test_retries_arrive_as_they_were(value):
    same(RetrySpec, value)


@given(timeouts)
def test_timeouts_arrive_as_they_were(value):
    same(TimeoutSpec, value)


@given(reuse)
def test_reuse_arrives_as_it_was(value):
    same(ReuseSpec, value)


@given(caches)
def test_caches_arrive_as_they_were(value):
    same(CacheSpec, value)


@given(secrets)
def test_secrets_arrive_with_the_same_names_and_places(value):
    arrived = sent(SecretSpec.of(value)).value()
    assert (arrived.key, arrived.group, arrived.variable, arrived.mount) == (
        value.key,
        value.group,
        value.variable,
        value.mount,
    )


@given(triggers)
def test_triggers_arrive_as_they_were(value):
    inputs = {name: given for name, given in value.inputs.items() if given != TriggerTime}
    assert sent(TriggerSpec.of(value, inputs)).value() == value


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "resources": resources,
            "retries": retries,
            "timeout": st.none() | timeouts,
            "reusable": st.none() | reuse,
            "cache": caches,
            "interruptible": st.booleans(),
            "env_vars": st.dictionaries(keys, st.text(max_size=5)),
            "queue": st.none() | keys,
            "short_name": st.none() | keys,
        },
    )
)
def test_what_a_call_overrides_arrives_and_nothing_else_does(settings):
    assert sent(Overrides.of(settings)).settings() == settings


def test_waits_given_as_timedeltas_arrive_in_seconds():
    strategy = RetryStrategy(2, Backoff(timedelta(seconds=5), cap=timedelta(minutes=1)))

    assert sent(RetrySpec.of(strategy)).value() == RetryStrategy(2, Backoff(5.0, cap=60.0))


def test_an_override_of_nothing_is_told_from_an_override_to_none():
    task = EntitySpec(
        kind="task",
        name="etl.load",
        module="etl",
        qualname="load",
        loader="laminar.tasks.entry:load",
        timeout=TimeoutSpec(max_runtime=5),
        retries=RetrySpec(count=3),
    )

    changed = task.overridden(sent(Overrides.of({"timeout": None})))

    assert changed.timeout is None
    assert changed.retries == RetrySpec(count=3)


LAYER = '{"kind": "layer", "name": "F.A", "module": "m", "qualname": "A", "loader": "x:y", "workdir": "?"}'


@pytest.mark.parametrize("folder", ["/app", "/srv/.hidden/..more", "/a b/c"])
def test_any_folder_of_a_container_but_its_root_may_be_for_the_code(folder):
    assert msgspec.json.decode(LAYER.replace("?", folder), type=EntitySpec).workdir == folder


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"nmae": 1}', "nmae"),
        ('{"kind": "job", "name": "a.b", "module": "m", "qualname": "b", "loader": "x:y"}', "$.kind"),
        ('{"kind": "task", "name": "../b", "module": "m", "qualname": "b", "loader": "x:y"}', "$.name"),
        ('{"kind": "task", "name": "a.b\\n", "module": "m", "qualname": "b", "loader": "x:y"}', "$.name"),
        (LAYER.replace("?", "relative/folder"), "$.workdir"),
        (LAYER.replace("?", "/"), "$.workdir"),
        (LAYER.replace("?", "/srv/../etc"), "$.workdir"),
        (LAYER.replace("?", "/srv/.."), "$.workdir"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(text, place):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(text, type=EntitySpec)

    assert place in str(refused.value)


def test_a_start_in_another_time_zone_is_the_same_moment():
    when = datetime(2026, 3, 1, 6, tzinfo=UTC)

    arrived = sent(TriggerSpec.of(Trigger("t", FixedRate(15, when)), {}))

    assert arrived.value().automation == FixedRate(15, when)
