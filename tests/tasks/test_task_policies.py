"""What may be said of a task's resources, retries, time-outs, cache, secrets and triggers, and what is refused."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

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
    Secret,
    Timeout,
    Trigger,
    TriggerTime,
)
from laminar.core.lifecycle import backoff
from laminar.exceptions import FlowError, PolicyError, TaskError

HOURLY = Cron("@hourly")

REFUSED: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (Resources, (), {"memory": "banana"}, "memory='banana' is no amount of memory."),
    (Resources, (), {"memory": ("2Gi", "1Gi")}, "memory=('2Gi', '1Gi'): the request is more than the limit."),
    (Resources, (), {"cpu": ("1", "2", "3")}, "cpu=('1', '2', '3') has 3 amounts."),
    (Resources, (), {"cpu": ("1", "many")}, "cpu='many' is not a number."),
    (Resources, (), {"cpu": "m"}, "cpu='m' is no number of cores."),
    (Resources, (), {"cpu": "0m"}, "cpu='0m' is no number of cores."),
    (Resources, (), {"cpu": "500M"}, "cpu='500M' is not a number."),
    (Resources, (), {"shm": "automatic"}, "shm='automatic' is no amount of memory."),
    (Cache, ("always",), {}, "Cache(behavior='always') is unknown. Known: 'auto', 'disable', 'override'."),
    (Cache, ("override",), {}, "Cache('override') needs version_override=…"),
    (Cache, ("disable", "2"), {}, "Cache('disable', version_override='2'): nothing is cached."),
    (Cache, (), {"version_override": 2}, "Cache(version_override=2): expects text"),
    (Cache, (), {"ignored_inputs": 3}, "Cache(ignored_inputs=3): expects names"),
    (Cache, (), {"salt": None}, "Cache(salt=None): expects text."),
    (Cache.of, (True,), {}, "cache=True: expects 'auto', 'disable' or Cache(…)."),
    (Cache.of, ("atuo",), {}, "Cache(behavior='atuo') is unknown. Did you mean 'auto'?"),
    (RetryStrategy, (-1,), {}, "RetryStrategy(count=-1): expects a whole number of retries, from 0."),
    (RetryStrategy, (1, 2), {}, "RetryStrategy(backoff=2): expects Backoff(…)."),
    (RetryStrategy.of, (True,), {}, "retries=True: expects a whole number from 0, or RetryStrategy(…)."),
    (RetryStrategy.of, ("3",), {}, "retries='3': expects a whole number from 0, or RetryStrategy(…)."),
    (Backoff, (-1,), {}, "Backoff(base)=-1 must be 0 or more."),
    (Backoff, (), {"factor": 0}, "Backoff(factor)=0 must be more than 0."),
    (Backoff, (), {"cap": timedelta(seconds=-1)}, "Backoff(cap)=-1.0 must be 0 or more."),
    (Timeout, (), {}, "Timeout(…) has no limit."),
    (Timeout, (5,), {"max_runtime": 5}, "Timeout(seconds=…, max_runtime=…): both say"),
    (Timeout, (), {"deadline": 0}, "Timeout(deadline)=0 must be more than 0."),
    (Timeout, (), {"max_queued_time": timedelta(0)}, "Timeout(max_queued_time)=0.0 must be more than 0."),
    (Timeout.of, ("soon",), {}, "timeout='soon' is not a number."),
    (Secret, ("",), {}, "Secret(key=''): expects letters"),
    (Secret, ("../etc",), {}, "Secret(key='../etc'): expects letters"),
    (Secret, ("key",), {"group": "a/b"}, "Secret(group='a/b'): expects letters"),
    (Secret, ("key",), {"as_env_var": "my key"}, "Secret(as_env_var='my key') is no name"),
    (Secret, ("key",), {"as_env_var": "LAMINAR_LABEL"}, "names that begin with LAMINAR_ are laminar's own."),
    (Secret, ("key",), {"mount": "here"}, "Secret(mount='here'): expects the absolute path of a file."),
    (Secret.of, (3,), {}, "secrets=[3]: expects Secret(…), or the key of one."),
    (Cron, ("* * * *",), {}, "Cron('* * * *') has 4 fields. Give five: minute, hour, day of month, month, day of week"),
    (Cron, ("0 * * * * *",), {}, "has 6 fields."),
    (Cron, ("60 * * * *",), {}, "the minute '60' is not understood. Give 0 to 59"),
    (Cron, ("0 24 * * *",), {}, "the hour '24' is not understood."),
    (Cron, ("0 0 0 * *",), {}, "the day of month '0' is not understood."),
    (Cron, ("0 0 * JANUARY *",), {}, "the month 'JANUARY' is not understood."),
    (Cron, ("0 0 * * 8",), {}, "the day of week '8' is not understood."),
    (Cron, ("*/0 * * * *",), {}, "the minute '*/0' is not understood."),
    (Cron, ("0 0 31 FEB *",), {}, "names a day that none of its months has, so it would never fire."),
    (Cron, ("@dayly",), {}, "Cron('@dayly') is no alias. Did you mean '@daily'"),
    (Cron, (5,), {}, "Cron(expression=5): expects text, got int."),
    (Cron, ("@daily", "Europe/Wien"), {}, "Cron(timezone='Europe/Wien'): there is no such time zone. Did you mean"),
    (Cron, ("@daily", "Europe"), {}, "Cron(timezone='Europe'): there is no such time zone."),
    (Cron, ("@daily", None), {}, "Cron(timezone=None): there is no such time zone."),
    (FixedRate, (), {}, "FixedRate(…) expects one of interval_minutes=15 and interval=timedelta(minutes=15)."),
    (FixedRate, (5,), {"interval": timedelta(1)}, "FixedRate(…) expects one of"),
    (FixedRate, (0,), {}, "FixedRate(interval_minutes)=0 must be more than 0."),
    (FixedRate, (0.001,), {}, "less than a second lies between two starts."),
    (FixedRate, (), {"interval": 5}, "FixedRate(interval=5): expects a timedelta"),
    (FixedRate, (5, "now"), {}, "FixedRate(start_time='now'): expects a datetime"),
    (Trigger, ("", HOURLY), {}, "Trigger(name=''): expects text that is not empty."),
    (Trigger, ("a", "@daily"), {}, "Trigger('a', automation='@daily'): expects Cron(…) or FixedRate(…)."),
    (Trigger, ("a", HOURLY), {"inputs": [1]}, "Trigger('a', inputs=[1]): expects a dictionary"),
    (Trigger, ("a", HOURLY), {"description": None}, "Trigger('a', description=None): expects text."),
    (Trigger, ("a", HOURLY), {"auto_activate": 1}, "Trigger('a', auto_activate=1): expects True or False."),
    (Trigger, ("a", HOURLY), {"overlap": "skipp"}, "is unknown. Did you mean 'skip'?"),
    (Trigger, ("a", HOURLY), {"catchup": 0}, "Trigger('a', catchup=0): expects 'none', 'latest', or how many from 1."),
    (Trigger, ("a", HOURLY), {"catchup": True}, "Trigger('a', catchup=True): expects"),
]


@pytest.mark.parametrize(
    ("make", "args", "fields", "message"),
    REFUSED,
    ids=[f"{make.__qualname__}-{args}-{fields}" for make, args, fields, _ in REFUSED],
)
def test_nonsense_is_refused_at_once_and_named(
    make: Any, args: tuple[Any, ...], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolicyError) as refusal:
        make(*args, **fields)
    assert message in str(refusal.value)
    assert isinstance(refusal.value, FlowError)
    assert isinstance(refusal.value, TaskError)


def test_a_pair_is_a_request_and_a_limit_and_a_single_amount_is_both() -> None:
    asked = Resources(cpu=("500m", "2"), memory="1G", gpu="A100:2", disk="2G")
    request, limit = asked.request(), asked.limit()
    assert (request.cpu, limit.cpu) == (0.5, 2.0)
    assert request.memory == limit.memory == 1000.0
    assert (limit.gpu, limit.disk, limit.shm) == (2, 2000.0, None)
    assert Resources(gpu="1").limit().gpu == 1
    assert Resources().limit() == Resources().request()


def test_automatic_shared_memory_follows_the_limit_of_memory_or_is_all_there_is() -> None:
    assert Resources(memory=("1G", "4G"), shm="auto").limit().shm == 4000.0
    assert Resources(shm="auto").limit().shm == math.inf


def test_a_count_of_retries_is_one_attempt_less_than_a_retry_has() -> None:
    assert RetryStrategy.of(3).retry().attempts == 4
    assert RetryStrategy.of(0) == RetryStrategy.of(None) == RetryStrategy()
    strategy = RetryStrategy(2, Backoff(timedelta(seconds=1), 3, cap=5))
    assert RetryStrategy.of(strategy) is strategy
    retry = strategy.retry()
    assert [backoff(retry, failures, dice=0.0) for failures in (1, 2, 3, 5000)] == [1.0, 3.0, 5.0, 5.0]


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 100), st.floats(0.1, 10), st.floats(0, 60))
def test_no_wait_is_longer_than_the_cap(failures: int, dice: float, base: float, factor: float, cap: float) -> None:
    assert 0 <= backoff(RetryStrategy(1, Backoff(base, factor, cap)).retry(), failures, dice) <= cap


def test_a_time_out_reads_seconds_time_deltas_and_limits() -> None:
    assert Timeout.of(None) is None
    assert Timeout.of(300) == Timeout.of(timedelta(minutes=5)) == Timeout(max_runtime=300) == Timeout(seconds=300)
    limits = Timeout(max_runtime=timedelta(minutes=1), max_queued_time=5, deadline=timedelta(hours=1))
    assert (limits.max_runtime, limits.max_queued_time, limits.deadline) == (60.0, 5, 3600.0)
    assert Timeout.of(limits) is limits
    assert Timeout(deadline=5).max_runtime is None
    assert limits.replace(deadline=None).deadline is None


def test_a_cache_is_read_from_its_behavior_or_taken_as_it_is() -> None:
    assert Cache.of(None) == Cache.of("disable")
    assert not Cache.of(None).enabled
    assert Cache.of("auto") == Cache()
    policy = Cache("override", version_override="2", ignored_inputs="verbose", salt="x")
    assert Cache.of(policy) is policy
    assert policy.ignored_inputs == ("verbose",)
    assert policy.enabled


def test_a_secret_has_a_variable_a_file_or_both() -> None:
    assert Secret("api-key").variable == "API_KEY"
    assert Secret("api-key", as_env_var="TOKEN").variable == "TOKEN"
    assert Secret("api-key", mount="/run/key").variable is None
    assert Secret("api-key", mount="/run/key", as_env_var="TOKEN").variable == "TOKEN"
    assert Secret("password", group="db").name == "db/password"
    assert Secret.of("api-key") == Secret("api-key")


@pytest.mark.parametrize(
    "expression",
    ["* * * * *", "*/5 9-17 * * MON-FRI", "0,30 0 1 JAN sun", "0 0 L * *", "0 0 29 2 *", "5/15 * * * 7", "@Daily"],
)
def test_a_schedule_that_cron_knows_is_taken(expression: str) -> None:
    assert Cron(expression, timezone="America/Argentina/Buenos_Aires").expression == expression


def test_an_alias_stands_for_five_fields() -> None:
    assert Cron("@daily").fields == "0 0 * * *"
    assert Cron("1 2 * * *").fields == "1 2 * * *"


def test_a_fixed_rate_is_minutes_or_a_time_delta_and_begins_at_a_moment_with_a_time_zone() -> None:
    assert FixedRate(90) == FixedRate(interval=timedelta(minutes=90)) == FixedRate(interval_minutes=90)
    assert FixedRate(timedelta(hours=1)).seconds == 3600
    assert FixedRate(5, datetime(2026, 1, 1)).start_time == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001
    assert FixedRate(5).replace(interval_minutes=6) == FixedRate(6)


def test_a_trigger_keeps_what_it_was_given_and_the_time_of_firing_stays_itself_when_it_travels() -> None:
    trigger = Trigger("nightly", Cron("0 3 * * *"), inputs={"day": TriggerTime}, overlap="queue", catchup=3)
    again = pickle.loads(pickle.dumps(trigger))
    assert again == trigger
    assert again.inputs["day"] == TriggerTime
    assert repr(TriggerTime) == "TriggerTime"


def test_policies_load_no_heavy_module() -> None:
    program = (
        "import sys, laminar; laminar.Resources, laminar.Secret, laminar.Trigger; "
        "print(*sorted({'asyncio', 'cronsim', 'dataclasses', 'datetime', 'inspect', 'typing', 'zoneinfo'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "\n"
