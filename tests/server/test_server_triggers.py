"""Triggers on a server: what is deployed, what becomes of due times, pausing; by a clock that tests set."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jobs
import pytest

from laminar import Cron, FixedRate, Trigger
from laminar.core.schedule import next_firings
from laminar.errors import PolicyError, UnknownTriggerError
from laminar.ledger.catalog import Catalog
from laminar.ledger.opening import open_database
from laminar.ledger.server_rows import DeploymentRow, EntityRow
from laminar.ledger.submissions import Submissions
from laminar.ledger.triggers import Triggers
from laminar.server.schedules import Schedules, run_name
from laminar.wire.deployments import DeploymentView, DeployRequest
from laminar.wire.specs import EntitySpec, TriggerSpec

SPACE = "default/development"
NIGHT = Cron("30 2 * * *", timezone="Europe/Vienna")
EACH_MINUTE = Cron("* * * * *")
#: A whole minute.
START = 1_795_000_020


class World:
    """Schedules on a database of their own, with a clock that stands still."""

    def __init__(self, path: str) -> None:
        self.now = float(START)
        self.database = open_database(path)
        self.catalog = Catalog(self.database)
        self.submissions = Submissions(self.database)
        self.rings = 0
        self.schedules = self.another()

    def another(self) -> Schedules:
        return Schedules(Triggers(self.database), self.catalog, self._ring, self._stop, lambda: self.now)

    def _ring(self) -> None:
        self.rings += 1

    def _stop(self, space: str, run: str, reason: str) -> None:
        self.submissions.withdraw(space, run, reason)

    def deploy(self, *triggers: TriggerSpec, version: str = "v1", task: str = "jobs.work") -> None:
        entity = EntitySpec(
            kind="task", name=task, module="jobs", qualname="work", loader="laminar:load", triggers=triggers
        )
        plain = json.dumps({"triggers": [one.name for one in triggers]})
        name = task.rpartition(".")[0]
        row = DeploymentRow(SPACE, "environment", name, version, version.ljust(64, "0"), "", plain, self.now, "me")
        self.catalog.deploy(row, [EntityRow(SPACE, task, version, "task", "", plain, self.now)])
        bundle = "A" * 22 + "=="
        content = "0" * 64
        request = DeployRequest(
            kind="environment", name=name, version=version, content=content, bundle=bundle, entities=(entity,)
        )
        self.schedules.deployed(SPACE, request)

    def at(self, seconds: float) -> None:
        """Let the schedules look, so many seconds after the beginning."""
        self.now = START + seconds
        self.schedules.tick()

    def runs(self) -> dict[str, dict[str, Any]]:
        return {row.run: json.loads(row.request) for row in self.submissions.page(SPACE, limit=1000)}

    def end(self, *due: float) -> None:
        for one in due:
            assert self.submissions.withdraw(SPACE, run_name("jobs.work", "t", int(START + one)), "done")

    def fates(self) -> dict[int, str]:
        rows = self.schedules.table.firings(SPACE, "jobs.work", "t", 1000)
        return {row.due - START: row.decision for row in sorted(rows, key=lambda row: row.due)}

    def reason(self, due: int) -> str:
        rows = self.schedules.table.firings(SPACE, "jobs.work", "t", 1000)
        return next(row.reason or "" for row in rows if row.due == START + due)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(f"sqlite:///{tmp_path}/server.db")
    yield found
    found.database.close()


def trigger(automation: Cron | FixedRate = EACH_MINUTE, name: str = "t", **settings: Any) -> TriggerSpec:
    return TriggerSpec.of(Trigger(name, automation, **settings), {})


def test_a_due_time_starts_a_run_that_is_named_by_it(world: World) -> None:
    world.deploy(trigger())
    world.at(59.9)
    assert world.runs() == {}
    world.at(60)
    assert list(world.runs()) == [run_name("jobs.work", "t", START + 60)]
    assert world.fates() == {60: "started"}
    world.at(60.5)
    assert len(world.runs()) == 1
    assert world.rings == 1


def test_inputs_that_are_the_time_are_told_it_in_the_zone_of_the_schedule(world: World) -> None:
    spec = TriggerSpec(name="t", automation=TriggerSpec.of(Trigger("t", NIGHT), {}).automation, inputs={"n": 3})
    world.deploy(TriggerSpec(**{name: getattr(spec, name) for name in spec.__struct_fields__} | {"times": ("day",)}))
    due = next_firings(NIGHT, START, 1)[0]
    world.at(due - START)
    (request,) = world.runs().values()
    day = datetime.datetime.fromtimestamp(due, ZoneInfo("Europe/Vienna"))
    assert request["inputs"] == {"n": 3, "day": day.isoformat()}
    assert request["inputs"]["day"].endswith(("+01:00", "+02:00"))


def test_a_run_that_goes_on_lets_the_next_be_skipped_and_the_reason_names_it(world: World) -> None:
    world.deploy(trigger(overlap="skip"))
    world.at(60)
    world.at(120)
    assert world.fates() == {60: "started", 120: "skipped"}
    assert "still goes on" in world.reason(120)
    world.end(60)
    world.at(180)
    assert world.fates()[180] == "started"


def test_due_times_that_are_queued_start_as_soon_as_the_run_before_has_ended(world: World) -> None:
    world.deploy(trigger(overlap="queue"))
    world.at(60)
    world.at(120)
    assert world.fates() == {60: "started", 120: "queued"}
    world.at(121)
    assert len(world.runs()) == 1
    world.end(60)
    world.at(122)
    assert world.fates() == {60: "started", 120: "started"}
    assert len(world.runs()) == 2


def test_the_newest_cancels_the_old_and_starts_when_that_has_ended(world: World) -> None:
    world.deploy(trigger(overlap="cancel-old"))
    world.at(60)
    world.at(120)
    old = world.submissions.find(SPACE, run_name("jobs.work", "t", START + 60))
    assert old is not None
    assert old.state.terminal
    assert "takes its place" in (old.error or "")
    world.at(121)
    assert world.fates() == {60: "started", 120: "started"}


def test_what_was_missed_is_said_once_and_the_latest_is_caught_up(world: World) -> None:
    world.deploy(trigger(overlap="allow", catchup="latest"))
    world.at(3600)
    assert world.fates() == {3480: "missed", 3540: "started", 3600: "started"}
    assert "nothing could be started" in world.reason(3480)


def test_a_trigger_that_is_paused_starts_nothing_and_catches_nothing_up(world: World) -> None:
    world.deploy(trigger(overlap="queue"))
    world.at(60)
    world.at(120)
    world.schedules.pause(SPACE, "jobs.work", "t")
    assert world.fates()[120] == "skipped"
    assert "paused" in world.reason(120)
    world.end(60)
    world.at(600)
    assert list(world.fates()) == [60, 120]
    world.schedules.resume(SPACE, "jobs.work", "t")
    world.at(600)
    assert list(world.fates()) == [60, 120]
    world.at(660)
    assert world.fates()[660] == "started"


def test_a_trigger_that_is_not_there_is_named(world: World) -> None:
    world.deploy(trigger())
    with pytest.raises(UnknownTriggerError, match=r"There is no trigger 'x' of jobs\.work in default/development"):
        world.schedules.pause(SPACE, "jobs.work", "x")


def test_a_new_version_goes_on_where_the_old_one_was(world: World) -> None:
    world.deploy(trigger(FixedRate(1)))
    world.at(90)
    world.deploy(trigger(FixedRate(1), description="better", overlap="allow"), version="v2")
    world.at(120)
    assert world.fates() == {60: "started", 120: "started"}
    versions = [request["version"] for request in world.runs().values()]
    assert versions == ["v2", "v1"]


def test_a_new_version_with_other_times_begins_anew(world: World) -> None:
    world.deploy(trigger(FixedRate(1)))
    world.at(50)
    world.deploy(trigger(FixedRate(2)), version="v2")
    world.at(100)
    assert world.fates() == {}
    world.at(170)
    assert world.fates() == {170: "started"}


def test_a_version_without_the_trigger_ends_it_and_leaves_those_of_other_environments(world: World) -> None:
    world.deploy(trigger())
    world.deploy(trigger(name="o"), task="others.work")
    world.deploy(version="v2")
    assert [row.entity for row in world.schedules.table.all(SPACE)] == ["others.work"]
    world.at(60)
    assert len(world.runs()) == 1


def test_a_pause_outlives_a_new_version_and_a_trigger_may_begin_paused(world: World) -> None:
    world.deploy(trigger(auto_activate=False))
    world.at(60)
    assert world.runs() == {}
    world.schedules.resume(SPACE, "jobs.work", "t")
    world.deploy(trigger(auto_activate=False, description="more"), version="v2")
    world.at(120)
    assert world.fates() == {120: "started"}
    world.schedules.pause(SPACE, "jobs.work", "t")
    world.deploy(trigger(auto_activate=False), version="v3")
    world.at(180)
    assert list(world.fates()) == [120]
    world.deploy(trigger(auto_activate=True), version="v4")
    world.at(240)
    assert list(world.fates()) == [120, 240]


def test_two_servers_that_look_at_once_start_each_run_once(world: World) -> None:
    world.deploy(trigger(FixedRate(interval=datetime.timedelta(seconds=1)), overlap="allow"))
    others = [world.schedules, world.another(), world.another()]
    for second in range(1, 40):
        world.now = START + second + 0.3
        others[second % 3].tick()
        others[(second + 1) % 3].tick()
    assert list(world.fates()) == list(range(1, 40))
    assert len(world.runs()) == 39


def test_a_trigger_that_cannot_fire_leaves_the_others_alone(world: World) -> None:
    world.deploy(trigger())
    world.deploy(trigger(name="o"), task="others.work")
    world.database.transact(lambda connection: connection.execute("DELETE FROM entities WHERE name = 'jobs.work'"))
    world.at(60)
    assert [request["entity"] for request in world.runs().values()] == ["others.work"]


def test_names_of_runs_tell_triggers_apart_whatever_these_are_called() -> None:
    names = {
        run_name(entity, name, START) for entity in ("a.b", "a.c") for name in ("x y", "x/y", "x-y", "…", "é" * 200)
    }
    assert len(names) == 10
    assert all(len(name) <= 100 and name.isascii() for name in names)


# At a real server

TASKS = '''
import datetime

@env.task(
    triggers=[
        Trigger("second", FixedRate(interval=datetime.timedelta(seconds=1)), {{"when": TriggerTime}}, overlap="allow"),
        Trigger("night", Cron("30 2 * * *", timezone="Europe/Vienna"), inputs={{"when": TriggerTime}}),
    ]
)
def tell(when: datetime.datetime) -> str:
    """Note the time."""
    with open({journal!r}, "a") as journal:
        journal.write(f"{{type(when).__name__}} {{when.tzinfo is not None}} {{when.timestamp():.0f}}\\n")
    return str(when)
'''


def test_a_deployed_task_runs_by_itself_until_its_trigger_is_paused(tmp_path: Path) -> None:
    with jobs.serving(tmp_path) as served:
        done = served.deploy(TASKS.format(journal=str(tmp_path / "journal")))
        assert done.returncode == 0, done.stderr
        assert jobs.holds(lambda: len(served.journal()) >= 3)
        moments = [int(line.split()[-1]) for line in served.journal()]
        assert len(set(moments)) == len(moments)
        due = sorted(served.firings("jobs.tell", "second"))
        assert due == list(range(due[0], due[0] + len(due)))
        assert set(moments) <= set(due)
        assert all(line.startswith("datetime True ") for line in served.journal())
        listed = served.laminar("get", "triggers", "-o", "json")
        assert listed.returncode == 0, listed.stderr
        night, second = json.loads(listed.stdout)["triggers"]
        assert (night["name"], night["active"], len(night["next"])) == ("night", True, 5)
        assert night["next"] == next_firings(NIGHT, night["created"], 5)
        assert second["last"]["decision"] == "started"
        paused = served.laminar("trigger", "pause", "jobs.tell", "second")
        assert paused.returncode == 0, paused.stderr
        assert "paused" in served.laminar("get", "triggers").stdout
        assert not served.triggers()["second"].active
        said = served.laminar("get", "firings", "jobs.tell", "second", "--limit", "2").stdout
        assert said.count("started") == 2
        assert served.laminar("trigger", "resume", "jobs.tell", "second").returncode == 0
        assert served.triggers()["second"].active
        unknown = served.laminar("trigger", "pause", "jobs.tell", "secund")
        assert unknown.returncode != 0
        assert "Did you mean 'jobs.tell second'" in unknown.stderr
        unknown = served.laminar("get", "firings", "jobs.tell", "secund")
        assert (unknown.returncode, unknown.stdout) == (2, "")
        assert "Did you mean 'jobs.tell second'" in unknown.stderr


def test_two_triggers_of_one_name_are_refused_before_anything_is_deployed(tmp_path: Path) -> None:
    with jobs.serving(tmp_path) as served:
        entity = EntitySpec(
            kind="task", name="e.t", module="m", qualname="t", loader="m:load", triggers=(trigger(), trigger(NIGHT))
        )
        request = DeployRequest(
            kind="environment", name="e", version="v1", content="0" * 64, bundle="A" * 22 + "==", entities=(entity,)
        )
        with pytest.raises(PolicyError, match=r"e\.t has two triggers of one name: t, t\."):
            served.client.call("POST", served.client.space_path("/deployments"), body=request, returns=DeploymentView)
        assert served.triggers() == {}


def test_a_task_in_a_queue_that_is_not_there_is_not_deployed(tmp_path: Path) -> None:
    with jobs.serving(tmp_path) as served:
        task = """
@gpu.task
def work() -> None: ...
"""
        done = served.deploy(task, "gpu")
        assert done.returncode != 0
        assert "There is no queue 'gpu' in default/development. Make it: laminar queue create gpu" in done.stderr
        assert served.laminar("queue", "create", "gpu", "--size", "2").returncode == 0
        assert served.deploy(task, "gpu").returncode == 0
        assert "gpu" in served.laminar("get", "queues").stdout
