"""Runs of a server are asked for once, taken by one server at a time, listed by what they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from laminar.errors import RunExistsError, StaleEpochError
from laminar.ledger import submissions as ledger_submissions
from laminar.ledger.database import Database
from laminar.ledger.journal import CallJournal
from laminar.ledger.opening import open_database
from laminar.ledger.server_rows import Submission
from laminar.ledger.sql import Ledger
from laminar.ledger.submissions import Submissions
from laminar.model.action import Failure, Output, Ref
from laminar.model.entries import Entry
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import State

SPACE = "project/development"
MINUTE = 60.0


def asked(run: str, created: float = 1.0, **changes: Any) -> Submission:
    plain = Submission(SPACE, run, "task", "env.task", "v1", created, "ann", {"team": "red"}, '{"inputs": {}}')
    return plain.replace(**changes)


@pytest.fixture
def submissions(database: Database) -> Submissions:
    return Submissions(database)


def test_a_run_that_is_asked_for_waits_with_all_that_was_said(submissions: Submissions, database: Database) -> None:
    submissions.submit(asked("run", rerun_of="before", trigger="nightly"))
    row = submissions.find(SPACE, "run")
    assert row is not None
    assert {name: getattr(row, name) for name in Submission.fields__} == vars(
        asked("run", rerun_of="before", trigger="nightly")
    )
    assert (row.state, row.epoch, row.server, row.started, row.ended) == (State.WAITING, 0, "", None, None)
    assert [row.detail for row in Ledger(database).events_after(SPACE, "run", 0)] == ['{"state": "WAITING"}']
    assert submissions.find("project/production", "run") is None


def test_an_id_is_given_once_in_a_space(submissions: Submissions) -> None:
    submissions.submit(asked("run"))
    with pytest.raises(RunExistsError, match=f"Run run of {SPACE} exists already"):
        submissions.submit(asked("run", entity="other"))
    submissions.submit(asked("run", space="project/production", entity="other"))
    found = submissions.find(SPACE, "run")
    assert found is not None
    assert found.entity == "env.task"


def test_a_run_is_taken_by_one_server_and_by_another_once_the_lease_is_over(submissions: Submissions) -> None:
    submissions.submit(asked("run"))
    assert submissions.claim(SPACE, "run", "one", "http://one", MINUTE) == 1
    assert submissions.claim(SPACE, "run", "two", "http://two", MINUTE) is None
    assert submissions.claimable(10) == []
    assert submissions.holder_url(SPACE, "run") == "http://one"
    row = submissions.find(SPACE, "run")
    assert row is not None
    assert (row.state, row.epoch, row.server) == (State.RUNNING, 1, "one")
    assert submissions.extend("one", -1.0) == {(SPACE, "run"): 1}  # over at once
    assert [(row.run, row.epoch) for row in submissions.claimable(10)] == [("run", 1)]
    assert submissions.claim(SPACE, "run", "two", "http://two", MINUTE) == 2
    again = submissions.find(SPACE, "run")
    assert again is not None
    assert (again.server, again.started) == ("two", row.started)
    assert submissions.extend("one", MINUTE) == {}
    assert submissions.extend("two", MINUTE) == {(SPACE, "run"): 2}


def test_taking_a_run_closes_the_attempts_of_the_holder_before(submissions: Submissions, database: Database) -> None:
    submissions.submit(asked("run"))
    epoch = submissions.claim(SPACE, "run", "one", "", -1.0)
    assert epoch == 1
    ledger = Ledger(database)
    key = ActionKey(SPACE, "run", "a0", 0)
    ledger.wait(SPACE, "run", "a0", [0], epoch, "")
    ledger.start(AttemptKey(key, 1, epoch), 1.0, "")
    ledger.flush()
    assert submissions.claim(SPACE, "run", "two", "", MINUTE) == 2
    assert [row.state for row in ledger.attempts(SPACE, "run")] == [State.CANCELLED]


def test_a_server_that_leaves_gives_its_runs_to_the_others_at_once(submissions: Submissions) -> None:
    for run in ("a", "b"):
        submissions.submit(asked(run))
        submissions.claim(SPACE, run, "one", "http://one", MINUTE)
    submissions.release("one")
    assert submissions.extend("one", MINUTE) == {}
    assert submissions.holder_url(SPACE, "a") is None
    assert {row.run for row in submissions.claimable(10)} == {"a", "b"}


def test_what_was_abandoned_comes_before_what_waits_and_is_counted_apart(submissions: Submissions) -> None:
    for number in range(6):
        submissions.submit(asked(f"run-{number}", created=float(10 - number)))
    for number in (0, 1, 2):
        submissions.claim(SPACE, f"run-{number}", "one", "", -1.0)
    assert [row.epoch for row in submissions.claimable(10)] == [1, 1, 1, 0, 0, 0]
    assert [row.run for row in submissions.claimable(10, recovered=0)] == ["run-5", "run-4", "run-3"]
    assert [row.epoch for row in submissions.claimable(3, recovered=1)] == [1, 0, 0]
    assert len(submissions.claimable(2)) == 2


def test_a_stop_is_heard_by_whoever_holds_the_run(submissions: Submissions) -> None:
    submissions.submit(asked("run"))
    submissions.request(SPACE, "run", "by hand")
    submissions.claim(SPACE, "run", "one", "", -1.0)
    assert submissions.requests("one") == [(SPACE, "run", "by hand")]
    submissions.claim(SPACE, "run", "two", "", MINUTE)
    assert submissions.requests("one") == []
    assert submissions.requests("two") == [(SPACE, "run", "by hand")]


def test_a_run_that_nobody_has_taken_is_withdrawn_and_one_that_is_taken_is_not(submissions: Submissions) -> None:
    submissions.submit(asked("waits"))
    submissions.submit(asked("goes-on"))
    submissions.claim(SPACE, "goes-on", "one", "", MINUTE)
    assert submissions.withdraw(SPACE, "waits", "by hand")
    assert not submissions.withdraw(SPACE, "goes-on", "by hand")
    assert not submissions.withdraw(SPACE, "waits", "by hand")
    row = submissions.find(SPACE, "waits")
    assert row is not None
    assert (row.state, row.error) == (State.CANCELLED, "by hand")
    assert submissions.claim(SPACE, "waits", "one", "", MINUTE) is None


def test_a_run_that_failed_waits_again_to_be_resumed(submissions: Submissions, database: Database) -> None:
    submissions.submit(asked("run"))
    epoch = submissions.claim(SPACE, "run", "one", "", MINUTE)
    assert epoch == 1
    submissions.request(SPACE, "run", "by hand")
    assert not submissions.reopen(SPACE, "run")
    Ledger(database).end(SPACE, "run", epoch, State.FAILED, "why")
    assert submissions.reopen(SPACE, "run")
    row = submissions.find(SPACE, "run")
    assert row is not None
    assert (row.state, row.ended, row.error) == (State.WAITING, None, None)
    assert submissions.claim(SPACE, "run", "one", "", MINUTE) == 3
    assert submissions.requests("one") == []
    Ledger(database).end(SPACE, "run", 3, State.SUCCEEDED, None)
    assert not submissions.reopen(SPACE, "run")


def created(number: int) -> float:
    """Say when a run of the list was asked for: two at a time."""
    return float(number - number % 2)


FILTERS: list[tuple[dict[str, Any], Callable[[int], bool]]] = [
    ({}, lambda number: True),
    ({"state": State.FAILED}, lambda number: number % 5 == 0),
    ({"state": State.SKIPPED}, lambda number: False),
    ({"entity": "env.even"}, lambda number: number % 2 == 0),
    ({"label": "third=1"}, lambda number: number % 3 == 1),
    ({"prefix": "run-1"}, lambda number: 10 <= number < 20),
    ({"prefix": "run-%"}, lambda number: False),
    ({"prefix": "run-15"}, lambda number: number == 15),
    ({"prefix": "run-1", "state": State.SKIPPED}, lambda number: False),
    ({"label": "third=2", "prefix": "run-23"}, lambda number: number == 23),
    ({"since": 5.0, "until": 20.0}, lambda number: 5 <= created(number) < 20),
    ({"state": State.WAITING, "entity": "env.odd"}, lambda number: number % 5 != 0 and number % 2 == 1),
    (
        {"label": "third=0", "state": State.WAITING, "since": 3.0, "until": 27.5},
        lambda number: number % 3 == 0 and number % 5 != 0 and 3 <= created(number) < 27.5,
    ),
    ({"label": "third=2", "entity": "env.odd", "prefix": "run-2"}, lambda number: number in (23, 29)),
]


@pytest.mark.parametrize(("filters", "passes"), FILTERS, ids=[str(number) for number in range(len(FILTERS))])
def test_a_list_is_filtered_and_paged_newest_first(
    submissions: Submissions,
    database: Database,
    filters: dict[str, Any],
    passes: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger_submissions, "FEW", 5)  # the names of ten begin like run-1, and are not few
    ledger = Ledger(database)
    for number in range(30):
        run, entity = f"run-{number:02d}", f"env.{'odd' if number % 2 else 'even'}"
        labels = {"third": str(number % 3), "all": "x"}
        submissions.submit(asked(run, created=created(number), entity=entity, labels=labels))
        if number % 5 == 0:
            epoch = submissions.claim(SPACE, run, "one", "", MINUTE)
            assert epoch is not None
            ledger.end(SPACE, run, epoch, State.FAILED, "why")
    submissions.submit(asked("run-10", space="project/production"))
    expected = [number for number in range(30) if passes(number)]
    seen: list[str] = []
    before = None
    while page := submissions.page(SPACE, **filters, before=before, limit=4):
        assert len(page) <= 4
        seen += [row.run for row in page]
        before = (page[-1].created, page[-1].run)
    assert seen == [f"run-{number:02d}" for number in reversed(expected)]


def entry(id: str, value: int | None, parent: str = "a0") -> Entry:  # noqa: A002
    output = None if value is None else Output((Ref("int", f"d{value}", b"%d" % value),))
    failure = Failure("ValueError", "wrong", "Traceback", None) if value is None else None
    return Entry(id, "env.task", parent, output, failure, 1, 1.0, 2.0, b"inputs")


def test_a_journal_is_read_as_it_was_written(submissions: Submissions, database: Database) -> None:
    submissions.submit(asked("run"))
    assert submissions.claim(SPACE, "run", "one", "", MINUTE) == 1
    journal = CallJournal(database, SPACE, "run", 1)
    assert not journal.flush()
    for one in (entry("a1", 1), entry("a2", None), entry("a3", 3)):
        journal.add(one)
    assert journal.read() == {}
    assert journal.flush()
    journal.forget("a3")
    journal.add(entry("a4", 4))
    assert journal.flush()
    read = CallJournal(database, SPACE, "run", 1).read()
    assert read == {"a1": entry("a1", 1), "a2": entry("a2", None), "a4": entry("a4", 4)}
    assert CallJournal(database, SPACE, "other", 1).read() == {}


def test_only_who_holds_the_run_writes_its_journal(submissions: Submissions, database: Database) -> None:
    submissions.submit(asked("run"))
    submissions.claim(SPACE, "run", "one", "", -1.0)
    late = CallJournal(database, SPACE, "run", 1)
    late.add(entry("a1", 1))
    assert submissions.claim(SPACE, "run", "two", "", MINUTE) == 2
    with pytest.raises(StaleEpochError, match="under epoch 2"):
        late.flush()
    journal = CallJournal(database, SPACE, "run", 2)
    journal.add(entry("a1", 2))
    journal.flush()
    assert journal.read() == {"a1": entry("a1", 2)}


def test_of_many_that_want_a_run_one_takes_it(url: str) -> None:
    databases = [open_database(url)] if url == "sqlite://" else [open_database(url) for _ in range(2)]
    try:
        count = 60
        for number in range(count):
            Submissions(databases[0]).submit(asked(f"run-{number}"))
        start = threading.Barrier(6)

        def claim(thread: int) -> list[str]:
            submissions = Submissions(databases[thread % len(databases)])
            taken: list[str] = []
            start.wait()
            while found := submissions.claimable(10):
                wanted = [row.run for row in found]
                taken += [run for run in wanted if submissions.claim(SPACE, run, f"server-{thread}", "", MINUTE)]
            return taken

        with ThreadPoolExecutor(6) as threads:
            taken = [run for runs in threads.map(claim, range(6)) for run in runs]
        assert sorted(taken) == sorted(f"run-{number}" for number in range(count))
    finally:
        for database in databases:
            database.close()
