"""What every ledger must do; :class:`laminar.ledger.sql.Ledger` passes in memory and as a file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from laminar.errors import LedgerError, RunExistsError, RunHeldError, UnknownRunError
from laminar.host import processes
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import State

if TYPE_CHECKING:
    from laminar.host.processes import ProcessIdentity
    from laminar.ledger.sql import Ledger

FINAL = [State.SUCCEEDED, State.FAILED, State.CANCELLED]


def dead() -> ProcessIdentity:
    """Name a process of this place that is no more."""
    return processes.identity().replace(pid=2**22 + 1, started="1")


def elsewhere() -> ProcessIdentity:
    """Name a process of another machine, which cannot be seen from here."""
    return processes.identity().replace(host="elsewhere", place="another boot")


class LedgerConformance:
    """Subclass it and give the fixture ``ledger``: an empty one."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        """Give an empty ledger."""
        raise NotImplementedError("Give the fixture 'ledger'.")

    @pytest.fixture
    def epoch(self, ledger: Ledger) -> int:
        """Take the run ``Flow``/``run`` for this process."""
        return ledger.claim("Flow", "run", processes.identity(), "main.py", resume=False)

    # Taking and leaving

    def test_a_new_run_is_taken_under_epoch_one(self, ledger: Ledger) -> None:
        """The row says who holds it, since when, and from which file it came."""
        before = time.time()
        assert ledger.find("Flow", "run") is None
        assert ledger.claim("Flow", "run", processes.identity(), "main.py", resume=False) == 1
        row = ledger.find("Flow", "run")
        assert row is not None
        assert (row.state, row.epoch, row.holder, row.source) == (State.RUNNING, 1, processes.identity(), "main.py")
        assert before <= row.started <= time.time()
        assert (row.ended, row.error) == (None, None)
        assert row.held(time.time())

    def test_a_run_that_is_held_is_refused_with_its_holder(self, ledger: Ledger, epoch: int) -> None:
        """To begin it and to resume it are refused alike."""
        for resume in (False, True):
            with pytest.raises(RunHeldError, match=rf"held by process {processes.identity().pid} on .*laminar abort"):
                ledger.claim("Flow", "run", dead(), None, resume=resume)
        row = ledger.find("Flow", "run")
        assert row is not None
        assert row.epoch == epoch

    def test_runs_of_two_flows_under_one_id_are_apart(self, ledger: Ledger, epoch: int) -> None:
        """A chain runs several flows under one id."""
        assert ledger.claim("Other", "run", processes.identity(), None, resume=False) == epoch
        assert [row.space for row in ledger.runs_of("run")] == ["Flow", "Other"]

    @pytest.mark.parametrize("state", FINAL)
    def test_a_run_that_has_ended_is_taken_only_to_resume(self, ledger: Ledger, epoch: int, state: State) -> None:
        """Each holder has an epoch of its own, and the end before is wiped out."""
        ledger.end("Flow", "run", epoch, state, "why")
        row = ledger.find("Flow", "run")
        assert row is not None
        assert (row.state, row.error) == (state, "why")
        assert row.ended is not None
        assert not row.held(time.time())
        with pytest.raises(RunExistsError, match=rf"exists already and is {state.value}.*resume"):
            ledger.claim("Flow", "run", processes.identity(), None, resume=False)
        assert ledger.claim("Flow", "run", processes.identity(), None, resume=True) == epoch + 1
        row = ledger.find("Flow", "run")
        assert row is not None
        assert (row.state, row.ended, row.error, row.source) == (State.RUNNING, None, None, "main.py")

    def test_a_run_whose_holder_is_dead_is_taken_at_once(self, ledger: Ledger) -> None:
        """Where the process can be seen, its death counts, not its lease."""
        ledger.claim("Flow", "run", dead(), None, resume=False)
        assert ledger.claim("Flow", "run", processes.identity(), None, resume=True) == 2

    def test_a_run_held_elsewhere_is_taken_once_its_lease_is_over(self, ledger: Ledger) -> None:
        """Where the process cannot be seen, its word counts for as long as the lease."""
        ledger.claim("Flow", "run", elsewhere(), None, resume=False)
        row = ledger.find("Flow", "run")
        assert row is not None
        assert row.held(row.lease - 0.001)
        assert not row.held(row.lease + 0.001)
        with pytest.raises(RunHeldError, match="on elsewhere"):
            ledger.claim("Flow", "run", processes.identity(), None, resume=True)

    def test_a_lease_is_extended_only_by_its_holder(self, ledger: Ledger, epoch: int) -> None:
        """A beat under an older epoch, or after the end, is refused."""
        row = ledger.find("Flow", "run")
        assert row is not None
        assert ledger.extend("Flow", "run", epoch)
        later = ledger.find("Flow", "run")
        assert later is not None
        assert later.lease >= row.lease
        assert not ledger.extend("Flow", "run", epoch - 1)
        assert not ledger.extend("Flow", "other", epoch)
        ledger.end("Flow", "run", epoch, State.FAILED, None)
        assert not ledger.extend("Flow", "run", epoch)

    def test_an_end_under_an_older_epoch_changes_nothing(self, ledger: Ledger, epoch: int) -> None:
        """A scheduler that has lost the run cannot end it."""
        ledger.end("Flow", "run", epoch, State.FAILED, "first")
        again = ledger.claim("Flow", "run", processes.identity(), None, resume=True)
        ledger.end("Flow", "run", epoch, State.SUCCEEDED, "late")
        row = ledger.find("Flow", "run")
        assert row is not None
        assert (row.state, row.epoch, row.error) == (State.RUNNING, again, None)

    # What happens

    def test_an_action_goes_from_waiting_to_its_end(self, ledger: Ledger, epoch: int) -> None:
        """Each step is seen once it is flushed, with its reason and its times."""
        key = ActionKey("Flow", "run", "A", 0)
        ledger.group("Flow", "run", "A", State.RUNNING, size=2, started=1.0)
        ledger.wait("Flow", "run", "A", [0, 1], epoch, "waits for a slot")
        ledger.flush()
        waiting = ledger.actions("Flow", "run")
        assert [(row.name, row.index, row.state, row.reason, row.attempts) for row in waiting] == [
            ("A", 0, State.WAITING, "waits for a slot", 0),
            ("A", 1, State.WAITING, "waits for a slot", 0),
        ]
        ledger.start(AttemptKey(key, 1, epoch), 2.0, "/logs/A")
        ledger.flush()
        assert [(row.state, row.attempts, row.reason) for row in ledger.actions("Flow", "run", "A", limit=1)] == [
            (State.RUNNING, 1, None)
        ]
        ledger.finish(AttemptKey(key, 1, epoch), State.FAILED, "raised: ValueError", 3.0, 0.5, 40.0)
        ledger.settle(key, epoch, State.WAITING, "waits 0.1 s to try again", 3.0)
        ledger.start(AttemptKey(key, 2, epoch), 4.0, "/logs/A2")
        ledger.finish(AttemptKey(key, 2, epoch), State.SUCCEEDED, "succeeded", 5.0, None, None)
        ledger.settle(key, epoch, State.SUCCEEDED, None, 5.0)
        ledger.group("Flow", "run", "A", State.SUCCEEDED, ended=6.0)
        ledger.flush()
        done = ledger.actions("Flow", "run", "A")[0]
        assert (done.state, done.attempts, done.started, done.ended) == (State.SUCCEEDED, 2, 2.0, 5.0)
        attempts = ledger.attempts("Flow", "run", "A", 0)
        assert [(row.number, row.state, row.outcome, row.ended, row.cpu, row.memory, row.log) for row in attempts] == [
            (1, State.FAILED, "raised: ValueError", 3.0, 0.5, 40.0, "/logs/A"),
            (2, State.SUCCEEDED, "succeeded", 5.0, None, None, "/logs/A2"),
        ]
        group = ledger.groups("Flow", "run")[0]
        assert (group.name, group.state, group.size, group.started, group.ended, group.done) == (
            "A",
            State.SUCCEEDED,
            2,
            1.0,
            6.0,
            1,
        )

    @pytest.mark.usefixtures("epoch")
    def test_a_call_that_starts_before_it_is_flushed_waits_for_nothing(self, ledger: Ledger, epoch: int) -> None:
        """What it waited for is over; what the cache had to do with it stays."""
        for name, reason in (("slot", "waits for a slot"), ("miss", "cache: not read")):
            key = ActionKey("Flow", "run", name, 0)
            ledger.call(key, epoch, "env.task", "a0", "", State.WAITING, reason)
            ledger.start(AttemptKey(key, 1, epoch), 2.0, "/logs/A")
        ledger.flush()
        rows = {row.name: (row.state, row.reason) for row in ledger.actions("Flow", "run")}
        assert rows == {"slot": (State.RUNNING, None), "miss": (State.RUNNING, "cache: not read")}

    def test_nothing_is_seen_before_it_is_flushed(self, ledger: Ledger) -> None:
        """Changes are collected, and written together."""
        ledger.event("Flow", "run", "kind", "detail")
        assert ledger.events("Flow", "run") == []
        ledger.flush()
        assert [event.detail for event in ledger.events("Flow", "run")] == ["detail"]
        ledger.flush()
        assert len(ledger.events("Flow", "run")) == 1

    @pytest.mark.usefixtures("epoch")
    def test_what_is_flushed_together_keeps_its_order(self, ledger: Ledger) -> None:
        """Events of all kinds are listed as they happened, and the last word on a layer counts."""
        for number in range(50):
            ledger.event("Flow", "run", "step", str(number), "A", number)
            ledger.group("Flow", "run", "A", State.RUNNING, reason=str(number))
        ledger.flush()
        assert [event.detail for event in ledger.events("Flow", "run")] == [str(number) for number in range(50)]
        assert ledger.groups("Flow", "run")[0].reason == "49"

    def test_a_group_of_changes_is_written_whole_or_not_at_all(self, ledger: Ledger, epoch: int) -> None:
        """One change that is refused takes those that were collected with it."""
        key = AttemptKey(ActionKey("Flow", "run", "A", 0), 1, epoch)
        ledger.wait("Flow", "run", "A", [0], epoch, "")
        ledger.start(key, 1.0, "")
        ledger.finish(key, State.SUCCEEDED, "", 2.0, None, None)
        ledger.flush()
        ledger.event("Flow", "run", "before", "")
        ledger.finish(key, State.FAILED, "late", 3.0, None, None)
        ledger.event("Flow", "run", "after", "")
        with pytest.raises(LedgerError, match="an attempt that has ended does not change"):
            ledger.flush()
        assert ledger.events("Flow", "run") == []
        ledger.event("Flow", "run", "next", "")
        ledger.flush()
        assert [event.kind for event in ledger.events("Flow", "run")] == ["next"]

    @pytest.mark.parametrize("late", [*FINAL, State.RUNNING, State.WAITING])
    @pytest.mark.parametrize("first", FINAL)
    def test_an_attempt_that_has_ended_never_changes(
        self, ledger: Ledger, epoch: int, first: State, late: State
    ) -> None:
        """The ledger itself refuses it, whoever asks."""
        key = AttemptKey(ActionKey("Flow", "run", "A", 0), 1, epoch)
        ledger.wait("Flow", "run", "A", [0], epoch, "")
        ledger.start(key, 1.0, "")
        ledger.finish(key, first, "first", 2.0, None, None)
        ledger.flush()
        ledger.finish(key, late, "late", 3.0, None, None)
        with pytest.raises(LedgerError):
            ledger.flush()
        row = ledger.attempts("Flow", "run")[0]
        assert (row.state, row.outcome, row.ended) == (first, "first", 2.0)

    @pytest.mark.parametrize("first", FINAL)
    def test_an_action_that_has_ended_changes_only_under_a_new_holder(
        self, ledger: Ledger, epoch: int, first: State
    ) -> None:
        """Resuming may try it again; nothing else may."""
        key = ActionKey("Flow", "run", "A", 0)
        ledger.wait("Flow", "run", "A", [0], epoch, "")
        ledger.settle(key, epoch, first, "first", 1.0)
        ledger.flush()
        for late in (*FINAL, State.WAITING):
            ledger.settle(key, epoch, late, "late", 2.0)
            with pytest.raises(LedgerError):
                ledger.flush()
        assert [(row.state, row.reason) for row in ledger.actions("Flow", "run")] == [(first, "first")]
        ledger.end("Flow", "run", epoch, State.FAILED, None)
        again = ledger.claim("Flow", "run", processes.identity(), None, resume=True)
        ledger.wait("Flow", "run", "A", [0], again, "again")
        ledger.flush()
        ledger.settle(key, epoch, State.FAILED, "late", 3.0)
        ledger.flush()
        assert [(row.state, row.reason) for row in ledger.actions("Flow", "run")] == [(State.WAITING, "again")]

    @pytest.mark.parametrize("first", FINAL)
    def test_a_run_that_has_ended_never_changes_under_its_holder(
        self, ledger: Ledger, epoch: int, first: State
    ) -> None:
        """Success does not become failure, nor failure success."""
        ledger.end("Flow", "run", epoch, first, "first")
        for late in FINAL:
            with pytest.raises(LedgerError):
                ledger.end("Flow", "run", epoch, late, "late")
        row = ledger.find("Flow", "run")
        assert row is not None
        assert (row.state, row.error) == (first, "first")

    def test_a_new_holder_closes_the_attempts_of_the_one_before(self, ledger: Ledger) -> None:
        """Nothing is left running for ever."""
        epoch = ledger.claim("Flow", "run", dead(), None, resume=False)
        ledger.wait("Flow", "run", "A", [0, 1], epoch, "")
        for index in (0, 1):
            ledger.start(AttemptKey(ActionKey("Flow", "run", "A", index), 1, epoch), 1.0, "")
        ledger.finish(AttemptKey(ActionKey("Flow", "run", "A", 0), 1, epoch), State.SUCCEEDED, "", 2.0, None, None)
        ledger.flush()
        ledger.claim("Flow", "run", processes.identity(), None, resume=True)
        rows = ledger.attempts("Flow", "run")
        assert [(row.index, row.state) for row in rows] == [(0, State.SUCCEEDED), (1, State.CANCELLED)]
        assert rows[1].outcome == "its scheduler died"
        assert rows[1].ended is not None

    def test_kept_actions_count_as_done(self, ledger: Ledger, epoch: int) -> None:
        """What a resumed run does not run again is counted with the rest."""
        ledger.group("Flow", "run", "A", State.RUNNING, size=3)
        ledger.keep("Flow", "run", "A", [0, 2], epoch, "kept from before")
        ledger.wait("Flow", "run", "A", [1], epoch, "waits")
        ledger.flush()
        group = ledger.groups("Flow", "run")[0]
        assert (group.done, group.running, group.failed) == (2, 0, 0)
        assert [row.reason for row in ledger.actions("Flow", "run")] == [
            "kept from before",
            "waits",
            "kept from before",
        ]

    def test_actions_are_paged(self, ledger: Ledger, epoch: int) -> None:
        """A page has the size that was asked for, in the order of the splits."""
        ledger.wait("Flow", "run", "A", range(30), epoch, "")
        ledger.wait("Flow", "run", "B", [0], epoch, "")
        ledger.flush()
        page = ledger.actions("Flow", "run", "A", limit=10, offset=25)
        assert [row.index for row in page] == [25, 26, 27, 28, 29]
        assert len(ledger.actions("Flow", "run")) == 31

    def test_calls_are_paged_in_the_order_of_names(self, ledger: Ledger, epoch: int) -> None:
        """What starts or ends between two pages stays where it was."""
        names = ["d", "a", "c", "b"]
        for name in names:
            ledger.call(ActionKey("Flow", "run", name), epoch, f"env.{name}", "a0", "", State.WAITING, None)
        ledger.wait("Flow", "run", "A", [0], epoch, "no call")
        ledger.flush()
        first = ledger.calls_after("Flow", "run", ("", 0), 2)
        ledger.settle(ActionKey("Flow", "run", "d"), epoch, State.SUCCEEDED, None, 1.0)
        ledger.flush()
        rest = ledger.calls_after("Flow", "run", (first[-1].name, first[-1].index), 5)
        assert [row.name for row in (*first, *rest)] == sorted(names)
        done = ledger.calls_after("Flow", "run", ("", 0), 5, state=State.SUCCEEDED)
        assert [row.name for row in done] == ["d"]
        assert [row.name for row in ledger.calls_after("Flow", "run", ("a", 0), 5, task="env.a")] == []

    # Requests and look-ups

    def test_a_request_is_found_by_the_holder_and_dropped_for_the_next(self, ledger: Ledger, epoch: int) -> None:
        """An abort stops the run that was meant, not the resumed one."""
        assert ledger.requested("Flow", "run", "abort") is None
        ledger.request("Flow", "run", "abort", "by hand")
        ledger.request("Flow", "run", "abort", "by hand, again")
        assert ledger.requested("Flow", "run", "abort") == "by hand, again"
        assert ledger.requested("Other", "run", "abort") is None
        ledger.end("Flow", "run", epoch, State.CANCELLED, None)
        ledger.claim("Flow", "run", processes.identity(), None, resume=True)
        assert ledger.requested("Flow", "run", "abort") is None

    def test_runs_are_listed_newest_first(self, ledger: Ledger) -> None:
        """As many as were asked for."""
        for number in range(5):
            ledger.claim("Flow", f"run-{number}", dead(), None, resume=False)
        assert [row.run for row in ledger.runs()] == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
        assert [row.run for row in ledger.runs(limit=2)] == ["run-4", "run-3"]

    def test_a_run_is_found_by_the_beginning_of_its_id(self, ledger: Ledger) -> None:
        """If that is enough to tell it from the others; else the nearest known ones are named."""
        for run in ("abc1", "abc2", "xyz", "abc"):
            ledger.claim("Flow", run, dead(), None, resume=False)
        assert [row.run for row in ledger.runs_of("x")] == ["xyz"]
        assert [row.run for row in ledger.runs_of("abc")] == ["abc"]
        with pytest.raises(UnknownRunError, match="More than one run begins as 'ab'"):
            ledger.runs_of("ab")
        with pytest.raises(UnknownRunError, match=r"No run is known as 'xyy'.*'xyz'"):
            ledger.runs_of("xyy")
        with pytest.raises(UnknownRunError):
            ledger.runs_of("")
        with pytest.raises(UnknownRunError):
            ledger.runs_of("a%")
