"""What is done about due times: by hand, against a clerk who decides by the rules, and through deaths of the server."""

from __future__ import annotations

import os
import random
from functools import cache
from itertools import product

import pytest
from calendars import CRONS, DECADE, ZONES, due_times, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from trigger_worlds import compare, restarts

from laminar import Cron, FixedRate, Trigger
from laminar.core.schedule import firings, local
from laminar.core.triggers import (
    Cancel,
    Missed,
    Queue,
    Skip,
    Start,
    State,
    activate,
    next_due,
    pause,
    resume,
    step,
)

FULL = os.environ.get("LAMINAR_CHAOS") == "full"
HOUR = 3600
DAY = 24 * HOUR
OVERLAPS = ("skip", "queue", "cancel-old", "allow")
CATCHUPS = ("none", "latest", 3)
RULES = tuple(product(OVERLAPS, CATCHUPS))


def hourly(**rules: object) -> Trigger:
    return Trigger("hourly", Cron("0 * * * *"), **rules)  # type: ignore[arg-type]


BEGUN = activate(10)


def test_nothing_happens_before_it_is_due() -> None:
    assert step(hourly(), BEGUN, HOUR - 1, []) == (BEGUN, [])
    assert next_due(hourly(), BEGUN) == HOUR


def test_what_is_due_starts_once() -> None:
    state, actions = step(hourly(), BEGUN, HOUR + 0.5, [])
    assert actions == [Start(HOUR)]
    assert step(hourly(), state, HOUR + 0.5, [HOUR]) == (state, [])
    assert step(hourly(), state, HOUR + 0.5, []) == (state, [])
    assert next_due(hourly(), state) == 2 * HOUR


def test_a_step_whose_state_was_lost_starts_the_same_run_again() -> None:
    _, first = step(hourly(), BEGUN, HOUR, [])
    _, again = step(hourly(), BEGUN, HOUR + 5, [HOUR])
    assert first == again == [Start(HOUR)]


def test_what_was_decided_a_moment_ago_is_not_decided_again() -> None:
    trigger = Trigger("often", FixedRate(0.2), overlap="allow")
    assert step(trigger, State(0, 48), 61, []) == (State(0, 60), [Start(60)])


def test_what_is_caught_up_lines_up_also_when_a_step_is_made_again() -> None:
    lines = [step(hourly(catchup=3), BEGUN, 10 * HOUR + 600, running)[1] for running in ([], [8 * HOUR])]
    for actions in lines:
        assert [(type(each), each.due // HOUR) for each in actions] == [
            (Missed, 7),
            (Start, 8),
            (Queue, 9),
            (Queue, 10),
        ]
        assert "catchup=3 starts only the latest 3." in actions[0].why


def test_a_run_does_not_take_its_own_place() -> None:
    trigger = hourly(overlap="cancel-old")
    assert step(trigger, State(0, HOUR), 2 * HOUR, [2 * HOUR]) == (State(0, 2 * HOUR), [Start(2 * HOUR)])


def test_a_clock_that_is_put_back_changes_nothing() -> None:
    state, _ = step(hourly(), BEGUN, HOUR, [])
    assert step(hourly(), state, HOUR - 600, []) == (state, [])


def test_skip_says_what_stands_in_the_way() -> None:
    state, actions = step(hourly(), State(0, HOUR), 2 * HOUR, [HOUR])
    assert actions == [
        Skip(
            2 * HOUR,
            "The run of 1970-01-01 01:00:00+00:00 still goes on, and overlap='skip' lets nothing start beside it.",
        )
    ]
    assert state == State(0, 2 * HOUR)


def test_queue_starts_what_waits_when_the_run_has_ended() -> None:
    trigger = hourly(overlap="queue")
    state, actions = step(trigger, State(0, HOUR), 2 * HOUR, [HOUR])
    assert actions == [Queue(2 * HOUR, "Waits until the run of 1970-01-01 01:00:00+00:00 has ended.")]
    assert step(trigger, state, 2 * HOUR + 9, [HOUR]) == (state, [])
    assert step(trigger, state, 2 * HOUR + 10, []) == (State(0, 2 * HOUR), [Start(2 * HOUR)])


def test_a_full_queue_keeps_what_waits_and_skips_what_comes() -> None:
    trigger = Trigger("often", FixedRate(1), overlap="queue")
    waiting = tuple(range(120, 720, 60))
    state, actions = step(trigger, State(0, 660, waiting), 720, [60])
    assert state == State(0, 720, waiting)
    assert actions == [Skip(720, "As many as may wait, 10, wait already.")]


def test_cancel_old_starts_the_newest_when_the_old_one_is_gone() -> None:
    trigger = hourly(overlap="cancel-old")
    why = "The run of 1970-01-01 02:00:00+00:00 takes its place, as overlap='cancel-old' says."
    state, actions = step(trigger, State(0, HOUR), 2 * HOUR, [HOUR])
    assert actions == [
        Cancel(HOUR, why),
        Queue(2 * HOUR, "Waits until the run of 1970-01-01 01:00:00+00:00 has ended."),
    ]
    assert step(trigger, state, 2 * HOUR + 1, [HOUR]) == (state, [Cancel(HOUR, why)])
    assert step(trigger, state, 2 * HOUR + 2, []) == (State(0, 2 * HOUR), [Start(2 * HOUR)])


def test_catchup_says_how_many_of_those_missed_are_started() -> None:
    morning = 10 * HOUR + 600
    state, actions = step(hourly(overlap="allow"), BEGUN, morning, [])
    assert state.considered == 10 * HOUR
    assert actions == [
        Missed(
            10 * HOUR,
            HOUR,
            "From 1970-01-01 01:00:00+00:00 to 1970-01-01 10:00:00+00:00 nothing could be started, "
            "and catchup='none' starts none of them.",
        )
    ]
    _, actions = step(hourly(overlap="allow", catchup="latest"), BEGUN, morning, [])
    assert [type(each) for each in actions] == [Missed, Start]
    assert [each.due for each in actions] == [9 * HOUR, 10 * HOUR]


def test_a_decade_of_missed_minutes_is_one_decision() -> None:
    trigger = Trigger("minutely", Cron("* * * * *"), catchup=1)
    now = seconds(2020) + 600
    state, actions = step(trigger, activate(seconds(2010)), now, [])
    assert actions[0].due - actions[0].first > 9 * 365 * 24 * HOUR  # type: ignore[union-attr]
    assert [type(each) for each in actions] == [Missed, Start, Queue]
    assert state.considered == now


def test_a_pause_lets_nothing_start_and_nothing_be_caught_up() -> None:
    state, skipped = pause(State(10, HOUR, (HOUR,)))
    assert skipped == [Skip(HOUR, "The trigger was paused while this waited.")]
    state = resume(state, 9 * HOUR + 1)
    assert step(hourly(catchup=3), state, 10 * HOUR - 1, []) == (state, [])
    assert step(hourly(catchup=3), state, 10 * HOUR, [])[1] == [Start(10 * HOUR)]


def test_a_paused_fixed_rate_keeps_its_beat() -> None:
    trigger = Trigger("often", FixedRate(10))
    assert next_due(trigger, resume(activate(7), 1000)) == 1207


@st.composite
def moments(draw: st.DrawFn) -> tuple[Trigger, State, float, list[int]]:
    """Draw a trigger in some state, a time, and runs that go on."""
    overlap, catchup = draw(st.sampled_from(RULES))
    trigger = Trigger("any", draw(st.sampled_from([Cron("*/5 * * * *"), FixedRate(1), FixedRate(0.2)])), None, "", True)
    trigger = trigger.replace(overlap=overlap, catchup=catchup)
    now = draw(st.floats(5000, 9000))
    begins = draw(st.integers(0, 4000))
    considered = draw(st.integers(begins, 9000))
    past = firings(trigger.automation, max(begins, considered - 3000), considered, begins)
    chosen = draw(st.lists(st.sampled_from(past), unique=True, max_size=10)) if past else []
    running = draw(st.lists(st.sampled_from(past), unique=True, max_size=3)) if past else []
    queued = tuple(sorted(chosen)) if overlap != "allow" else ()
    return trigger, State(begins, considered, queued[-1:] if overlap == "cancel-old" else queued), now, running


@given(moments())
@settings(deadline=None, max_examples=500 if FULL else 150)
def test_each_due_time_is_decided_once(drawn: tuple[Trigger, State, float, list[int]]) -> None:
    trigger, before, now, running = drawn
    state, actions = step(trigger, before, now, running)
    dues = firings(trigger.automation, before.considered, now, before.begins)
    spans = [each for each in actions if isinstance(each, Missed)]
    decided = [each.due for each in actions if isinstance(each, (Start, Skip, Queue))]
    decided += [due for due in dues for span in spans if span.first <= due <= span.due]
    assert sorted(due for due in decided if due not in before.queued) == dues
    assert len(decided) == len(set(decided))
    assert all(each.why.endswith(".") for each in actions if not isinstance(each, Start))
    late = [
        each.due for each in actions if isinstance(each, (Start, Queue)) and before.considered < each.due <= now - 60
    ]
    assert len(late) <= {"none": 0, "latest": 1}.get(str(trigger.catchup), 3)
    assert len(state.queued) <= 10
    going_on = {*running, *(each.due for each in actions if isinstance(each, Start))}
    if trigger.overlap != "allow":
        assert len(going_on) <= max(1, len(running))
    again, more = step(trigger, state, now, going_on)
    assert again == state
    assert all(isinstance(each, Cancel) for each in more)


@pytest.mark.chaos
@pytest.mark.parametrize("zone", ZONES)
def test_every_rule_of_overlap_and_catchup_decides_as_the_clerk_does(zone: str) -> None:
    """Every tenth pair of a cron and a rule for a year; at full count every one for ten years."""
    first, last = (DECADE[0], DECADE[-1]) if FULL else (ZONES[zone], ZONES[zone])
    part = slice(None) if FULL else slice(list(ZONES).index(zone) % 10, None, 10)
    years = range(seconds(first), seconds(last + 1))
    wrong = []
    for number, (cron, (overlap, catchup)) in list(enumerate(product(CRONS, RULES)))[part]:
        trigger = Trigger("any", Cron(cron, timezone=zone), overlap=overlap, catchup=catchup)
        found = compare(trigger, due_times(cron, zone, first, last).tolist(), years, number)
        wrong += [f"{cron} {overlap} {catchup}: {each}" for each in found]
    assert not wrong


#: Crons with many due times in hours that are doubled or skipped somewhere.
NIGHTLY = ("*/10 * * * *", "*/20 0-4 * * *", "5,35 0-4 * * *", "30 1,2 * * *", "0 * * * *")


@cache
def changes(zone: str) -> list[int]:
    """List the days on which the clock is changed in a zone; all days if it never is."""
    clock = Cron("0 0 * * *", timezone=zone)
    days = range(seconds(ZONES[zone]) + 10 * DAY, seconds(ZONES[zone] + 1) - 10 * DAY, DAY)
    return [day for day in days if local(clock, day).utcoffset() != local(clock, day + DAY).utcoffset()] or [*days]


def trial(seed: int, overlap: str, *, by_local_time: bool = False) -> tuple[list[str], int]:
    dice = random.Random(seed)
    zone = dice.choice([*ZONES])
    cron = Cron(dice.choice(NIGHTLY), timezone=zone)
    day = dice.choice(changes(zone))
    dues = due_times(cron.expression, zone, ZONES[zone], ZONES[zone])
    dues = dues[(dues > day - DAY // 2) & (dues <= day + 3 * DAY // 2)].tolist()
    trigger = Trigger("any", cron, overlap=overlap, catchup=1000 if overlap == "allow" else dice.choice(CATCHUPS))
    if by_local_time:
        return restarts(trigger, dues, seed, lambda due: local(cron, due).replace(tzinfo=None))
    return restarts(trigger, dues, seed)


@pytest.mark.chaos
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_server_that_dies_about_a_due_time_neither_doubles_nor_misses_it(overlap: str) -> None:
    deaths = 0
    for seed in range(200 if FULL else 20):
        wrong, died = trial(seed, overlap)
        assert not wrong, f"seed {seed}"
        deaths += died
    assert deaths > 10


@pytest.mark.chaos
def test_names_by_local_time_would_be_noticed() -> None:
    assert any(trial(seed, "allow", by_local_time=True)[0] for seed in range(10))
