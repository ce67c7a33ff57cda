"""What every executor must do, as the engine relies on it."""

from __future__ import annotations

import fcntl
import os
import queue
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from laminar.errors import FlowError
from laminar.executors.contract import Host
from laminar.host import processes
from laminar.model.action import Ended, Request
from laminar.model.code import Code
from laminar.model.ids import ActionKey, AttemptKey, new_run_id
from laminar.model.policies import Resources
from laminar.model.states import Outcome
from laminar.runs.packing import Packer
from laminar.testing import deeds
from laminar.testing.applicable import Applicable, where
from laminar.worker.capture import Capture, captured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from laminar.executors.contract import Executor
    from laminar.model.action import Event, Manifest

#: Seconds after which what a test waits for counts as never coming.
PATIENCE = 60.0


class Bench:
    """An executor at work without an engine: starts deeds, and collects how they end."""

    def __init__(self, executor: Executor, folder: Path) -> None:
        """Open a session of an executor, with a folder for its files."""
        self.folder = folder
        self.run = new_run_id()
        self.events: list[Event] = []
        self._started: list[AttemptKey] = []
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._capture: Any = nullcontext() if executor.leaves_process else Capture()
        (folder / "private").mkdir()
        host = Host(
            deliver=self._queue.put,
            call=self._call,
            code=Code(None, None, (), tuple(sys.path), tuple(sys.argv), os.getcwd()),
            entry=deeds.ENTRY,
            label=f"{self.run}/Suite/{self.run}/1",
            folder=str(folder / "private"),
            mounts=[str(folder)],
            state=str(folder),
            packaging=Packer(None, str(folder / "logs"), ()),
        )
        self._entered = False
        self.session = executor.open(host)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the session."""
        self.session.close()
        if self._entered:
            self._capture.__exit__(None, None, None)

    @staticmethod
    def _call(request: Request) -> Manifest:
        with captured(request.log):
            return deeds.Deeds().call(request)

    def start(self, *deed: Any, env: dict[str, str] | None = None) -> AttemptKey:
        """Start an attempt that does a deed, once the session is ready."""
        until("the session was ready", lambda: self.session.capacity)
        if not self._entered:
            self._capture.__enter__()  # not in a fixture: pytest changes the streams between it and the test
            self._entered = True
        number = len(self._started) + 1
        key = AttemptKey(ActionKey("Suite", self.run, "Deed", number), 1, 1)
        self._started.append(key)
        log, manifest = str(self.folder / f"{number}.log"), str(self.folder / "private" / f"{number}.manifest")
        self.session.start(Request(key, deed, env or {}, Resources(), log, manifest))
        return key

    def log(self, key: AttemptKey) -> str:
        """Read what an attempt has printed."""
        path = self.folder / f"{key.action.index}.log"
        return path.read_text() if path.exists() else ""

    def end(self, key: AttemptKey) -> Ended:
        """Wait for the end of an attempt."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.ends(key)):
            try:
                self.events.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"The end of {key} was never delivered.") from None
        return found[0]

    def ends(self, key: AttemptKey) -> list[Ended]:
        """List the ends of an attempt that have been delivered so far."""
        while not self._queue.empty():
            self.events.append(self._queue.get())
        return [event for event in self.events if isinstance(event, Ended) and event.key == key]

    def place(self, name: str) -> Path:
        """Make a folder where attempts leave signs."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def clear(self) -> None:
        """End what a test has left, so that the next has all of the session."""
        for key in [key for key in self._started if not self.ends(key)]:
            self.session.stop(key, 0.0)
            self.end(key)


def until(what: str, condition: Any) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: It does not within a minute.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.002)


def alive(folder: Path) -> dict[str, bool]:
    """Tell which processes that have left a sign in a folder are alive, on this machine or in its containers."""
    found = {}
    for sign in folder.iterdir():
        with sign.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found[sign.name] = True
            else:
                found[sign.name] = False
    return found


#: The session that tests of a class share.
BENCH = pytest.StashKey[Bench]()


def _close(suite: pytest.Class) -> None:
    bench = suite.stash[BENCH]
    del suite.stash[BENCH]
    bench.session.close()


class ExecutorConformance(Applicable):
    """Subclass it and give the fixture ``executor``: one that runs at least two attempts at a time.

    Attributes:
        isolated: Whether each attempt has a process of its own, which can be killed and may die.
        in_place: Whether attempts run in the scheduler's working directory, with its arguments.
        hidden: The ways to hide that a process started by an attempt may use and still be found; see
            :func:`laminar.testing.deeds.found_a_family`.
        load: How many attempts are many for it.
    """

    isolated = True
    in_place = True
    load = 40
    hidden: tuple[str, ...] = ("child", "session", "orphan", "bare", "deaf")

    @pytest.fixture
    def executor(self) -> Executor:
        """Give an executor."""
        raise NotImplementedError("Give the fixture 'executor'.")

    @pytest.fixture
    def bench(
        self,
        executor: Executor,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Iterator[Bench]:
        """Give an open session of it; where attempts leave the process, all tests of the class share one."""
        if not executor.leaves_process:
            with Bench(executor, tmp_path) as bench:
                yield bench
            return
        suite = request.node.getparent(pytest.Class)
        if BENCH not in suite.stash:
            suite.stash[BENCH] = Bench(executor, tmp_path_factory.mktemp("bench"))
            suite.addfinalizer(lambda: _close(suite))
        yield suite.stash[BENCH]
        suite.stash[BENCH].clear()

    # How attempts end

    def test_a_success_hands_over_its_manifest(self, bench: Bench) -> None:
        """What the entry gave arrives as it was."""
        ended = bench.end(bench.start("echo", ["value", 1]))
        assert (ended.outcome, ended.code, ended.signal) == (Outcome.SUCCEEDED, None, None)
        assert deeds.result_of(ended.manifest) == ["value", 1]

    def test_a_failure_hands_over_its_exception(self, bench: Bench) -> None:
        """The manifest says what was raised, and where."""
        ended = bench.end(bench.start("fail", "on purpose"))
        assert ended.outcome is Outcome.RAISED
        assert ended.manifest is not None
        failure = ended.manifest.failure
        assert failure is not None
        assert (failure.type_name, failure.message) == ("builtins.ValueError", "on purpose")

    def test_sys_exit_ends_the_attempt_and_nothing_else(self, bench: Bench) -> None:
        """It is a failure of the attempt, whichever code it names."""
        keys = [bench.start("leave_politely", code) for code in (0, 3)]
        for key in keys:
            ended = bench.end(key)
            assert ended.outcome is Outcome.RAISED
            assert ended.manifest is not None
            assert ended.manifest.failure is not None
            assert "sys.exit" in ended.manifest.failure.message
        assert bench.end(bench.start("echo", 1)).outcome is Outcome.SUCCEEDED

    @where(isolated=True)
    @pytest.mark.parametrize("code", [0, 1, 42, 255])
    def test_an_exit_without_a_result_is_told_with_its_code(self, bench: Bench, code: int) -> None:
        """Also if the code is 0."""
        ended = bench.end(bench.start("leave", code))
        assert (ended.outcome, ended.code, ended.manifest) == (Outcome.EXITED, code, None)
        assert f"code {code}" in ended.detail

    @where(isolated=True)
    @pytest.mark.parametrize(
        "number",
        [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM, signal.SIGRTMIN + 1],
        ids=["SEGV", "ABRT", "KILL", "TERM", "RTMIN+1"],
    )
    def test_a_signal_that_ends_an_attempt_is_told(self, bench: Bench, number: int) -> None:
        """By its number, and by its name where it has one."""
        ended = bench.end(bench.start("suffer", number))
        assert (ended.outcome, ended.signal, ended.manifest) == (Outcome.KILLED, number, None)
        name = signal.Signals(number).name if number in list(signal.Signals) else str(int(number))
        assert name in ended.detail

    def test_each_end_is_delivered_once(self, bench: Bench) -> None:
        """Under load, and still after the session is closed."""
        keys = [bench.start("echo", number) for number in range(self.load)]
        assert [deeds.result_of(bench.end(key).manifest) for key in keys] == list(range(self.load))
        bench.session.stop(keys[0], 0.0)
        bench.end(bench.start("echo", "last"))
        assert [len(bench.ends(key)) for key in keys] == [1] * self.load

    # What attempts see

    def test_what_an_attempt_prints_is_in_its_log(self, bench: Bench) -> None:
        """Each has its own, with both streams in order."""
        keys = [bench.start("say", lines) for lines in (3, 1)]
        for key in keys:
            bench.end(key)
        assert bench.log(keys[0]).split("\n") == ["out 0", "err 0", "out 1", "err 1", "out 2", "err 2", ""]
        assert bench.log(keys[1]) == "out 0\nerr 0\n"

    @where(isolated=True)
    def test_what_its_processes_print_is_in_its_log_too(self, bench: Bench) -> None:
        """Also what goes past Python's streams, and what came before a sudden end."""
        keys = [bench.start("say_beneath", "from beneath"), bench.start("say_and_leave", "last words")]
        for key in keys:
            bench.end(key)
        assert bench.log(keys[0]) == "from beneath\nbare\n"
        assert bench.log(keys[1]) == "last words"

    @where(isolated=True, in_place=True)
    def test_an_attempt_sees_where_it_was_started(self, bench: Bench) -> None:
        """Its variables, the folder and arguments of the scheduler, and no input."""
        env = {"SUITE_VARIABLE": "value", "LAMINAR_LAYER_NAME": "Deed"}
        seen = deeds.result_of(bench.end(bench.start("surroundings", "SUITE_VARIABLE", env=env)).manifest)
        pid = seen.pop("pid")
        assert seen == {"variable": "value", "layer": "Deed", "cwd": os.getcwd(), "argv": sys.argv, "input": ""}
        assert pid != os.getpid()
        assert "SUITE_VARIABLE" not in os.environ

    @where(isolated=True)
    def test_attempts_share_no_memory(self, bench: Bench) -> None:
        """What one changes, the next does not find."""
        keys = [bench.start("count") for _ in range(4)]
        assert [deeds.result_of(bench.end(key).manifest) for key in keys] == [1, 1, 1, 1]

    def test_as_many_run_at_a_time_as_it_says(self, executor: Executor, bench: Bench) -> None:
        """All of them come together."""
        place = bench.place("meeting")
        keys = [bench.start("meet", str(place), executor.concurrency) for _ in range(executor.concurrency)]
        assert {bench.end(key).outcome for key in keys} == {Outcome.SUCCEEDED}

    # Stopping

    def test_a_stopped_attempt_ends_once_as_cancelled(self, bench: Bench) -> None:
        """And others go on."""
        place = bench.place("signs")
        stopped, other = bench.start("wait", str(place)), bench.start("meet", str(place), 3)
        until("both have begun", lambda: len(list(place.iterdir())) == 2)
        bench.session.stop(stopped, 5.0)
        ended = bench.end(stopped)
        assert (ended.outcome, ended.manifest) == (Outcome.CANCELLED, None)
        (place / "third").touch()
        assert bench.end(other).outcome is Outcome.SUCCEEDED
        bench.session.stop(stopped, 0.0)
        bench.end(bench.start("echo", 1))
        assert len(bench.ends(stopped)) == 1

    def test_to_stop_what_never_ran_does_no_harm(self, bench: Bench) -> None:
        """Nothing is delivered for it."""
        key = AttemptKey(ActionKey("Suite", bench.run, "Other", 0), 1, 1)
        bench.session.stop(key, 0.0)
        bench.end(bench.start("echo", 1))
        assert bench.ends(key) == []

    @where(isolated=True)
    def test_an_attempt_that_takes_no_hint_is_killed(self, bench: Bench) -> None:
        """Once its grace is over."""
        place = bench.place("signs")
        key = bench.start("defy", str(place))
        until("it has begun", lambda: list(place.iterdir()))
        bench.session.stop(key, 0.1)
        assert bench.end(key).outcome is Outcome.CANCELLED

    @where(isolated=True)
    def test_an_attempt_may_use_its_grace_to_end_well(self, bench: Bench) -> None:
        """What it hands over is kept."""
        place = bench.place("signs")
        key = bench.start("finish_when_asked", str(place))
        until("it has begun", lambda: list(place.iterdir()))
        bench.session.stop(key, PATIENCE)
        ended = bench.end(key)
        assert ended.outcome is Outcome.SUCCEEDED
        assert deeds.result_of(ended.manifest) == "finished"

    @where(isolated=True)
    @pytest.mark.parametrize("then", ["wait", "return", "leave", "die"])
    def test_what_an_attempt_has_started_ends_with_it(self, bench: Bench, then: str) -> None:
        """Whether it is stopped, returns, leaves or dies, and wherever its processes hide."""
        family = bench.place("family")
        key = bench.start("found_a_family", str(family), list(self.hidden), then)
        if then == "wait":
            until("all have begun", lambda: len(list(family.iterdir())) == len(self.hidden))
            assert alive(family) == dict.fromkeys(self.hidden, True)
            bench.session.stop(key, 0.5)
        bench.end(key)
        until("all are gone", lambda: not any(alive(family).values()))
        assert len(alive(family)) == len(self.hidden)

    @where(isolated=True)
    def test_closing_ends_what_still_runs(self, executor: Executor, tmp_path: Path) -> None:
        """With all that it has started."""
        with Bench(executor, tmp_path) as bench:
            family, place = bench.place("family"), bench.place("signs")
            bench.start("defy", str(place))
            bench.start("found_a_family", str(family), list(self.hidden), "wait")
            until("all have begun", lambda: list(place.iterdir()) and len(list(family.iterdir())) == len(self.hidden))
        until("all are gone", lambda: not any(alive(family).values()))
        left = [pid for pid in processes.labelled(f"{bench.run}/") if processes.start_time(pid) is not None]
        assert left == []

    def test_a_session_without_work_can_be_closed(self, executor: Executor, tmp_path: Path) -> None:
        """A run may have nothing to do."""
        with Bench(executor, tmp_path) as bench:
            pass
        assert processes.labelled(f"{bench.run}/") == []

    # Configuration

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, "2", True])
    def test_nonsense_is_refused_at_once(self, executor: Executor, concurrency: Any) -> None:
        """With what was given, and what was expected."""
        with pytest.raises(FlowError, match=r"concurrency=.*expects a whole number from 1"):
            type(executor)(concurrency=concurrency)
        with pytest.raises(FlowError, match="timeout"):
            type(executor)(timeout=-1)
