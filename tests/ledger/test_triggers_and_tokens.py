"""Decisions about a trigger are kept once, with the runs that they start; tokens are found, revoked and noted."""

from __future__ import annotations

import pytest

from laminar.errors import LedgerError
from laminar.ledger.database import Database
from laminar.ledger.server_rows import FiringRow, Submission, TriggerRow
from laminar.ledger.submissions import Submissions
from laminar.ledger.tokens import Tokens
from laminar.ledger.triggers import Triggers
from laminar.model.token import TokenRow

SPACE = "project/development"
WHICH = (SPACE, "env.task", "nightly")


@pytest.fixture
def triggers(database: Database) -> Triggers:
    return Triggers(database)


def fresh(**changes: object) -> TriggerRow:
    return TriggerRow(*WHICH, "v1", '{"cron": "0 6 * * *"}', active=True, state="{}", due=100.0).replace(**changes)


def firing(due: int, decision: str, run: str | None = None) -> FiringRow:
    return FiringRow(*WHICH, due, decision, None if run else "a reason", run, 1.0)


def submission(run: str) -> Submission:
    return Submission(SPACE, run, "task", "env.task", "v1", 1.0, "", {}, "{}", trigger="nightly")


def current(triggers: Triggers) -> TriggerRow:
    row = triggers.find(*WHICH)
    assert row is not None
    return row


def test_triggers_are_found_when_they_are_due(triggers: Triggers) -> None:
    assert triggers.add(fresh())
    assert not triggers.add(fresh(version="v2"))
    assert triggers.add(fresh(name="paused", active=False, due=50.0))
    assert triggers.add(fresh(name="later", due=200.0))
    assert [row.name for row in triggers.due(99.0)] == []
    assert [row.name for row in triggers.due(200.0)] == ["nightly", "later"]
    assert [row.name for row in triggers.all(SPACE)] == ["later", "nightly", "paused"]
    assert triggers.all(SPACE, "other") == []
    row = current(triggers)
    assert row == fresh(revision=1, created=row.created)


def test_of_two_that_decide_on_the_same_state_one_is_heard(triggers: Triggers, database: Database) -> None:
    triggers.add(fresh())
    row = current(triggers)
    decided = row.replace(state='{"considered": 100}', due=200.0)
    assert triggers.change(decided, [firing(100, "started", "run-100")], [submission("run-100")])
    assert not triggers.change(decided, [firing(100, "skipped")], [submission("other")])
    assert current(triggers) == decided.replace(revision=2)
    assert [(one.due, one.decision, one.run) for one in triggers.firings(*WHICH)] == [(100, "started", "run-100")]
    assert Submissions(database).find(SPACE, "other") is None
    assert triggers.running(*WHICH) == {100: "run-100"}


def test_the_first_decision_about_a_due_time_counts_and_only_what_waited_becomes_another(
    triggers: Triggers, database: Database
) -> None:
    triggers.add(fresh())
    first = [firing(1, "started", "run-1"), firing(2, "queued"), firing(3, "skipped")]
    assert triggers.change(current(triggers), first, [submission("run-1")])
    later = [firing(1, "skipped"), firing(2, "started", "run-2"), firing(3, "started", "run-3")]
    assert triggers.change(current(triggers), later, [submission("run-1"), submission("run-2")])
    assert [(one.due, one.decision) for one in triggers.firings(*WHICH)] == [
        (3, "skipped"),
        (2, "started"),
        (1, "started"),
    ]
    assert triggers.running(*WHICH) == {1: "run-1", 2: "run-2"}
    assert Submissions(database).withdraw(SPACE, "run-1", "by hand")
    assert triggers.running(*WHICH) == {2: "run-2"}
    assert len(triggers.firings(*WHICH, limit=2)) == 2
    triggers.drop(*WHICH)
    assert triggers.find(*WHICH) is None
    assert len(triggers.firings(*WHICH)) == 3


def test_tokens_are_kept_found_noted_and_revoked_once(database: Database) -> None:
    tokens = Tokens(database)
    first = TokenRow("id1", "ann", "admin", "digest", 1.0)
    second = TokenRow("id2", "bob", "viewer", "digest", 2.0, expires=9.0)
    for row in (second, first):
        tokens.add(row)
    with pytest.raises(LedgerError):
        tokens.add(first.replace(name="eve"))
    assert tokens.all() == [first, second]
    tokens.used("id2", 3.0)
    assert tokens.revoke("id1", 4.0)
    assert not tokens.revoke("id1", 5.0)
    assert not tokens.revoke("id3", 5.0)
    assert tokens.find("id1") == first.replace(revoked=4.0)
    assert tokens.find("id2") == second.replace(last_used=3.0)
    assert tokens.find("id3") is None
