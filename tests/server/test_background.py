"""What a server does by itself goes on, whatever it meets; and nothing is left of what has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jobs
import pytest

from laminar.ledger.database import Database
from laminar.ledger.opening import open_database
from laminar.ledger.queues import Queues as Table
from laminar.model.action import Ended, Event
from laminar.model.ids import ActionKey, AttemptKey
from laminar.server import agents
from laminar.server.agents import Agents
from laminar.server.launchers.contract import Launcher
from laminar.server.lines import Lines
from laminar.server.place import Places, Shared
from laminar.server.pools import Attempt, Gone, Handle, Pool
from laminar.server.queues import Queues
from laminar.server.signing import Signer
from laminar.server.slots import Slots
from laminar.wire.agents import Chunk, Heard, Hello, Key, Report, Start
from laminar.wire.specs import EntitySpec

SPACE = "default/development"
LOUD = """

@env.task
def loud(folder: str) -> str:
    print("told before", flush=True)
    return work(folder, "loud")
"""
DEAF = """

@env.task
def deaf(folder: str) -> str:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return work(folder, "deaf")
"""


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    database: Database = open_database(f"sqlite:///{tmp_path}/server.db")
    yield Table(database)
    database.close()


class Broken(Launcher):
    """Finds agents of before that it cannot stop, and starts none."""

    def __init__(self) -> None:
        self.asked = 0

    def pool(self, space: str, bundle: str, entity: EntitySpec, memory: float | None, single: str) -> Pool:
        return Pool(space, bundle)

    def launch(self, id: str, token: str, pool: Pool, gone: Callable[[Gone], None]) -> Handle:  # noqa: A002
        raise BlockingIOError("no process can be started")

    def left(self) -> set[str]:
        return {"before"}

    def find(self, id: str, gone: Callable[[Gone], None]) -> Handle | None:  # noqa: A002
        self.asked += 1
        raise PermissionError("nobody may look")

    def close(self) -> None:
        """Do nothing: there is nothing."""


class Deserted(Broken):
    """Has no agents of before."""

    def left(self) -> set[str]:
        return set()

    def find(self, id: str, gone: Callable[[Gone], None]) -> Handle | None:  # noqa: A002
        return None


def key(run: str = "run", name: str = "a1", space: str = SPACE) -> AttemptKey:
    return AttemptKey(ActionKey(space, run, name, 0), 1, 1)


def attempt(told: list[Event]) -> Attempt:
    start = Start(
        key=Key.of(key()), token="t", entity="e", module="m", qualname="q", loader="l", inputs=b"{}", version="1"
    )
    return Attempt(key(), start, told.append)


def test_a_report_that_the_store_has_no_room_for_is_made_again(tmp_path: Path) -> None:
    with jobs.serving(tmp_path) as served:
        deployed = served.deploy(LOUD)
        assert deployed.returncode == 0, deployed.stderr
        logs = tmp_path / "store" / SPACE / "logs"
        logs.parent.mkdir(parents=True, exist_ok=True)
        logs.touch()  # nothing can lie below a file
        served.run("jobs.loud", "loud", folder=str(tmp_path))
        refused = 'route="/api/v1/agent/report",status="507"'
        assert jobs.holds(lambda: refused in served.parts.metrics.text().decode())
        logs.unlink()
        served.go()
        assert served.ended("loud") == ["SUCCEEDED"]
        assert "told before" in served.laminar("logs", "loud").stdout


def test_a_run_that_is_asked_to_stop_again_and_again_says_so_once(tmp_path: Path) -> None:
    with jobs.serving(tmp_path) as served:
        assert served.deploy(DEAF).returncode == 0
        served.run("jobs.deaf", "deaf", folder=str(tmp_path))
        assert jobs.holds(served.journal)
        for _ in range(3):
            served.stop("deaf")
        assert jobs.holds(lambda: "stop" in told(served, "deaf"))
        served.stop("deaf")
        served.go()
        assert served.ended("deaf") in (["CANCELLED"], ["SUCCEEDED"])
        assert told(served, "deaf").count("stop") == 1


def told(served: jobs.Jobs, run: str) -> list[str]:
    """Give the kinds of all events of a run so far."""
    events = served.client.events(served.client.space_path(f"/runs/{run}/events"), query={"wait": False})
    return [kind for _, kind, _ in events]


def test_a_run_for_which_there_is_no_thread_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = threading.Thread.start, list[str]()

    def scarce(thread: threading.Thread) -> None:
        if thread.name == "laminar-first" and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    with jobs.serving(tmp_path) as served:
        assert served.deploy(LOUD).returncode == 0
        monkeypatch.setattr(threading.Thread, "start", scarce)
        served.go()
        served.run("jobs.loud", "first", folder=str(tmp_path))
        assert served.ended("first") == ["SUCCEEDED"]
    assert refused == ["laminar-first"]


def test_agents_are_looked_at_after_a_look_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETURN", "GLANCE"):
        monkeypatch.setattr(agents, name, 0.01)
    launcher = Broken()
    made = Agents(launcher, Signer(b"k" * 32))
    made.begin()
    assert jobs.holds(lambda: made.hears() or made.settled())
    monkeypatch.setattr(made, "_expected", {"another"})
    assert jobs.holds(lambda: made.hears() or launcher.asked == 2)
    made.close()


def test_agents_of_a_server_before_are_waited_for_while_they_could_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RETURN", 0.2), ("GLANCE", 0.01)):
        monkeypatch.setattr(agents, name, seconds)
    made = Agents(launcher := Broken(), Signer(b"k" * 32))
    made.begin()
    time.sleep(0.6)  # in which nothing takes requests
    made.hears()
    assert not made.settled()
    assert jobs.holds(lambda: made.hears() or made.settled())
    assert launcher.asked == 1
    made.close()


def test_an_agent_is_silent_only_while_the_server_could_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("SILENCE", 0.2), ("GLANCE", 0.01)):
        monkeypatch.setattr(agents, name, seconds)
    made = Agents(Deserted(), Signer(b"k" * 32))
    made.begin()
    made.welcome({"agent": "agent", "pool": vars(Pool(SPACE, "0" * 32))}, Hello(live=[]), lambda _: "")
    time.sleep(0.6)  # in which nothing takes requests
    assert made.count() == (1, 0)
    made.hears()
    assert made.count() == (1, 0)

    def silent() -> bool:
        made.hears()
        return made.count() == (0, 0)

    assert jobs.holds(silent)
    made.close()


def test_agents_that_are_to_be_ready_and_cannot_be_started_hold_nobody_up() -> None:
    made = Agents(Broken(), Signer(b"k" * 32))
    made.make_ready(Pool(SPACE, "bundle", fewest=2))
    assert made.count() == (0, 0)


def test_an_attempt_ends_whose_worker_cannot_be_started() -> None:
    made, told = Agents(Broken(), Signer(b"k" * 32)), list[Event]()
    made.start(Pool(SPACE, "bundle"), attempt(told))
    [ended] = told
    assert isinstance(ended, Ended)
    assert "No worker could be started for it" in str(ended.error)
    assert "no process can be started" in str(ended.error)
    assert made.count() == (0, 0)


def test_an_agent_has_no_attempts_of_other_spaces(tmp_path: Path) -> None:
    own, other = Key.of(key("run")), Key.of(key("run", space="other/development"))
    with jobs.serving(tmp_path) as served:
        pool = {**vars(Pool(SPACE, "0" * 32)), "idle": 600.0}
        token = served.parts.signer.sign("agent", {"agent": "agent", "pool": pool}, 60.0)
        agent = type(served.client)(served.url, token)
        agent.call("POST", "/agent/hello", body=Hello(live=[own, other]))
        heard: Heard = agent.call("POST", "/agent/report", body=Report(started=[own, other]), returns=Heard)
        assert heard.unknown == [other]
        agent.close()


class Held(Deserted):
    """Finds agents only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.looks, self.may = threading.Event(), threading.Event()

    def find(self, id: str, gone: Callable[[Gone], None]) -> Handle | None:  # noqa: A002
        self.looks.set()
        self.may.wait(jobs.PATIENCE)
        return None


def test_what_an_agent_tells_while_it_is_taken_up_again_is_of_attempts_that_may_be_taken_back(tmp_path: Path) -> None:
    own, heard = Key.of(key("run")), list[Heard]()
    report = Report(started=[own], output=[Chunk(key=own, offset=0, data=b"said")])
    with jobs.serving(tmp_path) as served:
        served.parts.engine.agents.launcher = held = Held()
        token = served.parts.signer.sign("agent", {"agent": "agent", "pool": vars(Pool(SPACE, "0" * 32))}, 60.0)
        agent = type(served.client)(served.url, token)
        comes = threading.Thread(target=lambda: agent.call("POST", "/agent/hello", body=Hello(live=[own])))
        tells = threading.Thread(
            target=lambda: heard.append(agent.call("POST", "/agent/report", body=report, returns=Heard))
        )
        comes.start()
        assert held.looks.wait(jobs.PATIENCE)
        tells.start()
        tells.join(0.5)  # an answer that comes before all is known is there by then
        held.may.set()
        comes.join()
        tells.join()
        agent.close()
    assert [(answer.unknown, answer.later) for answer in heard] == [([], [own])]


def test_a_run_that_is_left_keeps_no_slot_and_waits_for_none(table: Table) -> None:
    table.put(SPACE, "gpu", 1)
    slots, queues, told = Slots(2), Queues(table, "server"), list[Event]()
    shared = Shared(Agents(Broken(), Signer(b"k" * 32)), Lines(Signer(b"k" * 32)), slots, queues)
    first, second = (Places((SPACE, run), shared, told.append) for run in ("first", "second"))
    third = threading.Event()
    queues.begin()
    assert first["gpu"].reserve(0, ActionKey(SPACE, "first", "a1", 0))
    assert not second["gpu"].reserve(0, ActionKey(SPACE, "second", "a1", 0))
    assert not queues.take(ActionKey(SPACE, "third", "a1", 0), "gpu", third.set)
    second.close(ended=False)
    queues.give(ActionKey(SPACE, "first", "a1", 0))
    assert third.wait(jobs.PATIENCE), "who still waits is told"
    assert queues.take(ActionKey(SPACE, "first", "a2", 0), "gpu", third.set)
    first.close(ended=False)
    assert slots.holders() == {}
    assert queues.take(ActionKey(SPACE, "fourth", "a1", 0), "", third.set)
    queues.beat()
    table.put(SPACE, "other", 1)
    assert queues.take(ActionKey(SPACE, "fourth", "a1", 0), "other", third.set)
    queues.beat()
    assert table.holders(SPACE, "gpu") == []
    queues.close()
