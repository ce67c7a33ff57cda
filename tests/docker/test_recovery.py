"""A scheduler that dies loses nothing: the next one takes back, collects, runs again, and clears away."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from yards import ACTION, INSTALLATION, JOINED, KEPT, ONE, Yard

from engines import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from gates import Gate


def killed_amid(yard: Yard, *places: str) -> None:
    """Run until all places are reached, and kill the scheduler."""
    for place in places:
        yard.hold(place)
    scheduler = yard.begin()
    for place in places:
        yard.reached(place)
    yard.kill(scheduler)


def resumed_amid(yard: Yard, *places: str) -> None:
    """Resume, let all places go on once the second scheduler has attempts of them, and see that it succeeds."""
    resumed = yard.begin("resume", "one")
    begun = len(places)
    yard.until(lambda: len([row for row in yard.attempts() if row.epoch == 2]) == begun, "all are started again")
    for place in places:
        yard.release(place)
    code, said = yard.end(resumed)
    assert code == 0, said


def second_outcomes(yard: Yard) -> list[tuple[int, str | None]]:
    return [(row.index, row.outcome) for row in yard.attempts() if row.epoch == 2]


def take_back(yard: Yard, policy: str | None) -> None:
    yard.flow(JOINED, warm=policy)
    killed_amid(yard, "0", "1")
    resumed_amid(yard, "0", "1")
    assert yard.noted("begins") == ["0", "1"]
    assert yard.noted("total") == ["2"]
    assert second_outcomes(yard) == [(0, "succeeded"), (1, "succeeded")]
    assert yard.laminar("logs", "one", "Second/1").out == "begins 1\nends 1\n"
    yard.settled(warm=policy is not None)
    assert list((yard.root / ".attempts").iterdir()) == []


def test_attempts_that_run_on_are_taken_back(yard: Yard, policy: str | None) -> None:
    take_back(yard, policy)


def test_podman_gives_back_what_runs_on(podman_yard: Yard) -> None:
    take_back(podman_yard, None)


def test_a_scheduler_that_dies_twice_has_its_attempts_taken_back_twice(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy)
    killed_amid(yard, "0", "1")
    second = yard.begin("resume", "one")
    yard.until(lambda: "taken back" in "".join(yard.events()), "an attempt is taken back")
    yard.kill(second)
    third = yard.begin("resume", "one")
    yard.until(lambda: [row.epoch for row in yard.attempts()].count(3) == 2, "all are started again")
    for place in ("0", "1"):
        yard.release(place)
    assert yard.end(third)[0] == 0
    assert yard.noted("begins") == ["0", "1"]
    assert yard.laminar("logs", "one", "Second/0").out == "begins 0\nends 0\n"
    yard.settled(warm=policy is not None)


def test_attempts_that_ended_meanwhile_are_collected(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy)
    killed_amid(yard, "0", "1")
    for place in ("0", "1"):
        yard.release(place)
    ends = [yard.root / ".attempts" / "Held@one" / f"Second.{index}.1.1.manifest.end" for index in (0, 1)]
    yard.until(lambda: all(end.exists() for end in ends), "both have ended")
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert yard.noted("begins") == ["0", "1"]
    assert second_outcomes(yard) == [(0, "succeeded"), (1, "succeeded")]
    assert yard.laminar("logs", "one", "Second/1").out == "begins 1\nends 1\n"
    yard.settled(warm=policy is not None)
    assert list((yard.root / ".attempts").iterdir()) == []


@pytest.mark.parametrize(
    ("policy", "change"),
    [
        (None, {"body": "other = 1"}),
        (KEPT, {"body": "other = 1"}),
        (None, {"layer": "container=Container(memory=300)"}),
        (KEPT, {"layer": "container=Container(env={'OTHER': '1'})"}),
    ],
    ids=["cold code", "warm code", "cold memory", "warm env"],
)
def test_what_was_changed_meanwhile_runs_again(yard: Yard, policy: str | None, change: dict[str, str]) -> None:
    yard.flow(warm=policy)
    killed_amid(yard, "0", "1")
    yard.flow(warm=policy, **change)
    resumed = yard.begin("resume", "one")
    yard.until(lambda: len(yard.noted("begins")) == 4, "both run again")
    for place in ("0", "1"):
        yard.release(place)
    code, said = yard.end(resumed)
    assert code == 0, said
    assert yard.noted("begins") == ["0", "0", "1", "1"]
    assert yard.noted("ends") == ["0", "1"], "the attempts of before were ended first"
    yard.settled(warm=policy is not None)


def test_what_died_meanwhile_is_started_anew(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy)
    killed_amid(yard, "0", "1")
    for container in yard.containers(INSTALLATION):
        yard.engine.docker("kill", container)
    resumed = yard.begin("resume", "one")
    yard.until(lambda: len(yard.noted("begins")) == 4, "both run again")
    for place in ("0", "1"):
        yard.release(place)
    code, said = yard.end(resumed)
    assert code == 0, said
    assert second_outcomes(yard) == [(0, "succeeded"), (1, "succeeded")]
    yard.settled(warm=policy is not None)


def test_an_attempt_that_failed_meanwhile_is_told_with_its_error(yard: Yard) -> None:
    yard.flow(ONE, body="held('0')\nraise ValueError('told')")
    killed_amid(yard, "0")
    yard.release("0")
    end = yard.root / ".attempts" / "Held@one" / "Only.0.1.1.manifest.end"
    yard.until(end.exists, "it has failed")
    code, said = yard.run("resume", "one")
    assert code == 1
    assert "ValueError: told" in said
    yard.settled()


def test_containers_that_no_scheduler_holds_are_removed_and_others_are_left_alone(
    yard: Yard, tmp_path: Path, engine_named: Callable[[str], Engine]
) -> None:
    yard.flow(SPLITS=1)
    yard.hold("0")
    dead, live = yard.begin("dead"), yard.begin("live")
    yard.until(lambda: yard.noted("at") == ["0", "0"], "both are held")
    yard.kill(dead)
    [lost] = yard.containers("laminar.run=dead")
    [kept] = yard.containers("laminar.run=live")
    (tmp_path / "other").mkdir()
    other = Yard(tmp_path / "other", yard.engine)
    other.flow(SPLITS=1)
    assert other.run("third")[0] == 0
    assert yard.containers("laminar.run=dead") == [lost], "another installation is none of its business"
    third = yard.begin("third")
    yard.until(lambda: not yard.containers("laminar.run=dead"), "what nobody holds is removed")
    yard.until(lambda: yard.noted("at") == ["0", "0", "0"], "the third is held too")
    assert yard.containers("laminar.run=live") == [kept]
    yard.release("0")
    assert [yard.end(one)[0] for one in (live, third)] == [0, 0]
    assert yard.noted("ends") == ["0", "0"]
    yard.settled()


MOMENTS = [
    (r"POST \S+/containers/create", True),
    (r"POST \S+/containers/create", False),
    (r"POST \S+/start", True),
    (r"POST \S+/start", False),
]


@pytest.mark.parametrize(("word", "before"), MOMENTS, ids=["no container", "made", "made and told", "started"])
def test_a_scheduler_killed_while_it_makes_a_container(
    yard: Yard, gate: Gate, policy: str | None, word: str, before: bool
) -> None:
    yard.flow(ONE, warm=policy)
    gate.kill_at(word, before=before)
    code, _ = yard.run()
    assert code == -9
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert len(yard.noted("begins")) == 1
    assert yard.outcomes("Only")[-1] == "succeeded"
    yard.settled(warm=policy is not None)
    if policy is not None:
        kept = list((yard.root / ".warm").glob("laminar-*"))
        assert len(kept) == len(yard.containers()) == 1


def test_a_scheduler_killed_before_a_warm_container_was_told_of_an_attempt(yard: Yard, strace: str) -> None:
    yard.flow(ONE, warm=KEPT)
    placed = yard.root / ".attempts" / "Held@one" / "Only.0.1.1.manifest.placed"
    options = ["-f", "-qq", "-o", "/dev/null", "-P", f"{placed}.part", "-e", "trace=rename"]
    held = ["-e", "inject=rename:delay_exit=60000000"]
    tracer = yard.start(*options, *held, yard.python_program, "main.py", "one", program=strace)
    yard.until(placed.exists, "it is written down where the attempt is to run")
    yard.kill_below(tracer)
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert len(yard.noted("begins")) == 1
    yard.settled(warm=True)


@pytest.fixture
def strace(needs: Callable[[object, str], None]) -> str:
    found = shutil.which("strace")
    needs(found, "strace")
    assert found is not None
    return found


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_scheduler_killed_during_a_build(yard: Yard, builder: str) -> None:
    yard.builds(builder)
    name = f"{yard.engine.prefix.removeprefix('laminar-')}-{builder}-killed"
    word = f"sleep 3.{time.time_ns()}"  # which no cache has
    image = f"Image.from_debian_base(name={name!r}).with_commands({word!r})"
    yard.flow(ONE, layer=f"container=Container(image={image})")
    scheduler = yard.begin()
    yard.hears(scheduler, word)
    yard.kill(scheduler)
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert len(yard.noted("begins")) == 1


@pytest.mark.parametrize("act", ["rm --force", "kill"])
def test_a_container_that_somebody_ends_is_told_as_that_and_tried_again(
    yard: Yard, policy: str | None, act: str
) -> None:
    yard.flow(ONE, warm=policy, body="held('0')", layer="retry=Retry(attempts=2, delay=0.01)")
    yard.hold("0")
    scheduler = yard.begin()
    yard.reached("0")
    [container] = yard.containers(INSTALLATION if policy else ACTION)
    yard.engine.docker(*act.split(), container)
    yard.until(lambda: len(yard.noted("at")) == 2, "it is tried again")
    yard.release("0")
    code, said = yard.end(scheduler)
    assert code == 0, said
    first, second = [row.outcome for row in yard.attempts("Only")]
    assert second == "succeeded"
    assert first in ("lost: its container was removed", "killed: its process was killed by SIGKILL")
    yard.settled(warm=policy is not None)
