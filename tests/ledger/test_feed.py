"""On a server each change of state is an event, what a lost holder writes is refused, and spaces share no results."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from laminar.errors import StaleEpochError
from laminar.host import processes
from laminar.ledger.database import Database
from laminar.ledger.sql import Ledger
from laminar.model.action import Output, Ref
from laminar.model.cache import CacheKey
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import State

SPACE = "project/development"


@pytest.fixture
def opened(database: Database) -> Callable[..., Ledger]:
    return lambda scope=SPACE: Ledger(database, scope=scope, feed=True)


def told(ledger: Ledger, after: int = 0) -> list[tuple[Any, ...]]:
    rows = ledger.events_after(SPACE, "run", after)
    return [(row.kind, row.name, row.index, json.loads(row.detail)) for row in rows]


def test_each_change_of_a_run_an_action_and_an_attempt_is_an_event_in_order(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    epoch = ledger.claim(SPACE, "run", processes.identity(), None, resume=False)
    key = ActionKey(SPACE, "run", "a1", 0)
    ledger.call(key, epoch, "env.task", "a0", "", State.WAITING, "waits for a slot")
    ledger.start(AttemptKey(key, 1, epoch), 1.0, "log")
    ledger.finish(AttemptKey(key, 1, epoch), State.FAILED, "raised", 2.0, None, None)
    ledger.settle(key, epoch, State.WAITING, "waits to try again", 2.0)
    ledger.flush()
    ledger.start(AttemptKey(key, 2, epoch), 3.0, "log")
    ledger.finish(AttemptKey(key, 2, epoch), State.SUCCEEDED, "succeeded", 4.0, None, None)
    ledger.settle(key, epoch, State.SUCCEEDED, None, 4.0)
    ledger.end(SPACE, "run", epoch, State.SUCCEEDED, None)
    assert told(ledger) == [
        ("run", None, None, {"state": "RUNNING", "epoch": 1}),
        ("action", "a1", 0, {"state": "WAITING", "reason": "waits for a slot", "task": "env.task", "parent": "a0"}),
        ("action", "a1", 0, {"state": "RUNNING"}),
        ("attempt", "a1", 0, {"state": "RUNNING", "number": 1}),
        ("attempt", "a1", 0, {"state": "FAILED", "number": 1, "outcome": "raised"}),
        ("action", "a1", 0, {"state": "WAITING", "reason": "waits to try again"}),
        ("action", "a1", 0, {"state": "RUNNING"}),
        ("attempt", "a1", 0, {"state": "RUNNING", "number": 2}),
        ("attempt", "a1", 0, {"state": "SUCCEEDED", "number": 2, "outcome": "succeeded"}),
        ("action", "a1", 0, {"state": "SUCCEEDED"}),
        ("run", None, None, {"state": "SUCCEEDED"}),
    ]
    assert [(row.state, row.attempts) for row in ledger.actions(SPACE, "run")] == [(State.SUCCEEDED, 2)]


def test_layers_and_what_waits_or_is_kept_are_told_too(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    epoch = ledger.claim(SPACE, "run", processes.identity(), None, resume=False)
    ledger.group(SPACE, "run", "A", State.RUNNING, size=2)
    ledger.wait(SPACE, "run", "A", [0], epoch, "waits")
    ledger.keep(SPACE, "run", "A", [1], epoch, "kept")
    ledger.flush()
    assert told(ledger)[1:] == [
        ("group", "A", None, {"state": "RUNNING", "size": 2}),
        ("action", "A", 0, {"state": "WAITING", "reason": "waits"}),
        ("action", "A", 1, {"state": "SUCCEEDED", "reason": "kept"}),
    ]


def test_who_follows_goes_on_after_the_last_event_that_it_knows(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    for number in range(25):
        ledger.event(SPACE, "run", "step", json.dumps(number))
        ledger.event(SPACE, "other", "step", json.dumps(number))
    ledger.flush()
    seen: list[int] = []
    last = 0
    while page := ledger.events_after(SPACE, "run", last, limit=10):
        assert len(page) <= 10
        seen += [json.loads(row.detail) for row in page]
        last = page[-1].sequence
    assert seen == list(range(25))
    ledger.event(SPACE, "run", "step", "25")
    ledger.flush()
    assert told(ledger, last) == [("step", None, None, 25)]


def test_a_local_ledger_tells_nothing(database: Database) -> None:
    ledger = Ledger(database)
    epoch = ledger.claim(SPACE, "run", processes.identity(), None, resume=False)
    ledger.wait(SPACE, "run", "A", [0], epoch, "waits")
    ledger.end(SPACE, "run", epoch, State.FAILED, "why")
    assert ledger.events(SPACE, "run") == []


def test_what_a_server_writes_for_a_run_that_another_has_taken_is_refused_whole(opened: Callable[..., Ledger]) -> None:
    old, new = opened(), opened()
    first = old.claim(SPACE, "run", processes.identity().replace(pid=2**22 + 1), None, resume=False)
    old.hold(SPACE, "run", first)
    old.wait(SPACE, "run", "A", [0], first, "waits")
    old.flush()
    second = new.claim(SPACE, "run", processes.identity(), None, resume=True)
    before = told(new)
    old.settle(ActionKey(SPACE, "run", "A", 0), first, State.FAILED, "late", 1.0)
    old.group(SPACE, "run", "A", State.FAILED)
    with pytest.raises(StaleEpochError, match=rf"not held under epoch {first} any more, but under epoch {second}"):
        old.flush()
    assert new.groups(SPACE, "run") == []
    assert [row.reason for row in new.actions(SPACE, "run")] == ["waits"]
    with pytest.raises(StaleEpochError):
        old.end(SPACE, "run", first, State.FAILED, "late")
    assert told(new) == before
    new.hold(SPACE, "run", second)
    new.end(SPACE, "run", second, State.SUCCEEDED, None)
    assert told(new)[-1] == ("run", None, None, {"state": "SUCCEEDED"})


def test_results_are_shared_within_a_space_and_not_between_two(opened: Callable[..., Ledger]) -> None:
    cache = CacheKey("key", {"code": "c", "inputs": "i"}, {"body": "b"})
    here, beside, elsewhere = opened(), opened(), opened("project/production")
    here.keep_result("env.task", cache, Output((Ref("int", "d", b"1"),)), "run", "a1", 1.0)
    here.flush()
    found = beside.cached("env.task", "key")
    assert found is not None
    assert (found.run, found.output.refs[0].data) == ("run", b"1")
    assert beside.result_of("run", "a1") == ("env.task", found)
    assert beside.results("env.task", 2.0, found) == [found]
    assert beside.code("env.task", "c") == {"body": "b"}
    assert elsewhere.cached("env.task", "key") is None
    assert elsewhere.result_of("run", "a1") is None
    assert elsewhere.results("env.task", 2.0, found) == []
    assert elsewhere.code("env.task", "c") == {}
