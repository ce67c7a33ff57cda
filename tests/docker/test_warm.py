"""Warm containers: kept within bounds, each split isolated in a fresh fork, used again only where nothing differs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import textwrap
from pathlib import Path

import pytest
from yards import KEPT, ONE, POOL, Yard

from laminar.errors import PlacementError
from laminar.executors.docker.locks import alone

#: Says in which container a split is, by its host name.
WHERE = "sign('where', os.uname().nodename)"
ONLY = "ReusePolicy(replicas=1, idle_ttl=30)"


def up(yard: Yard) -> list[str]:
    """List the warm containers that run."""
    return sorted(yard.containers(POOL, "running"))


def ran(yard: Yard, *arguments: str) -> None:
    code, said = yard.run(*arguments)
    assert code == 0, said


def test_splits_in_one_container_share_its_files_and_nothing_else(yard: Yard) -> None:
    body = """
    import signs
    sign("found", getattr(signs, "left", None), os.environ.get("LEFT"), os.path.exists("/tmp/left"), os.getcwd())
    signs.left, os.environ["LEFT"] = 1, "1"
    open("/tmp/left", "w").close()
    os.chdir("/")
    """
    yard.flow(warm=ONLY, SPLITS=3, body=f"{body}\n    {WHERE}")
    ran(yard)
    assert len(set(yard.noted("where"))) == 1
    assert yard.noted("found") == [
        "None None False /laminar",
        "None None True /laminar",
        "None None True /laminar",
    ]


def test_what_a_split_leaves_running_is_ended_with_it(yard: Yard) -> None:
    yard.flow(warm=ONLY, body="if first.number == 0: family('plain', 'session', 'orphan', 'deaf')")
    yard.hold("1")
    scheduler = yard.begin()
    yard.reached("1")
    assert len(yard.noted("stray")) == 4
    assert [line for line in yard.alive() if line.endswith(str(yard.signs))] == []
    yard.release("1")
    assert yard.end(scheduler)[0] == 0


def test_no_more_containers_than_the_most(yard: Yard) -> None:
    yard.flow(warm="ReusePolicy(replicas=(0, 2), idle_ttl=30)", SPLITS=5, CONCURRENCY=5, body=WHERE)
    ran(yard)
    assert len(set(yard.noted("where"))) == len(up(yard)) == 2
    yard.flow(warm=ONLY, SPLITS=5, CONCURRENCY=5, body=WHERE)
    (yard.signs / "journal").unlink()
    ran(yard, "two")
    assert len(set(yard.noted("where"))) == 1, "also if more are up from before"


def test_the_fewest_are_up_from_the_start_and_stay_the_same_in_the_next_run(yard: Yard) -> None:
    yard.flow(ONE, warm="ReusePolicy(replicas=2, idle_ttl=30)", body="held('0')")
    for run in ("one", "two"):
        yard.hold("0")
        scheduler = yard.begin(run)
        yard.until(lambda: len(yard.noted("begins")) == (run == "two") + 1, "the layer has begun")  # noqa: B023
        found = up(yard)
        assert len(found) == 2
        yard.release("0")
        assert yard.end(scheduler)[0] == 0
        assert up(yard) == found


def test_several_splits_at_a_time_in_one_container(yard: Yard) -> None:
    yard.flow(warm="ReusePolicy(replicas=1, idle_ttl=30, concurrency=3)", SPLITS=3, CONCURRENCY=3, body=WHERE)
    for split in ("0", "1", "2"):
        yard.hold(split)
    scheduler = yard.begin()
    yard.until(lambda: len(yard.noted("at")) == 3, "all three are held at a time")
    assert len(set(yard.noted("where"))) == 1
    for split in ("0", "1", "2"):
        yard.release(split)
    assert yard.end(scheduler)[0] == 0


@pytest.mark.parametrize("killed", [False, True], ids=["after a run", "after kill -9"])
def test_a_container_without_work_ends_by_itself(yard: Yard, killed: bool) -> None:
    yard.flow(ONE, warm="ReusePolicy(idle_ttl=0.5)", body="held('0')")
    yard.hold("0")
    scheduler = yard.begin()
    yard.reached("0")
    [container] = up(yard)
    if killed:
        yard.kill(scheduler)
    yard.release("0")
    assert yard.engine.docker("wait", container) == "0"
    assert yard.alive() == []
    yard.flow(ONE, warm=KEPT)
    ran(yard, *(["resume", "one"] if killed else ["two"]))
    assert container not in yard.containers(), "the next scheduler clears it away"


def test_the_next_run_uses_the_same_container_and_sees_changed_code(yard: Yard) -> None:
    yard.flow(ONE, warm=KEPT)
    ran(yard)
    found = up(yard)
    yard.flow(ONE, warm=KEPT, body="sign('changed')")
    ran(yard, "two")
    assert up(yard) == found
    assert len(found) == 1
    assert yard.noted("changed") == [""]


@pytest.mark.parametrize("other", ["image=IMAGE", "memory=300", "cpu=0.5", "env={'OTHER': '1'}"])
def test_a_container_that_differs_is_not_used(yard: Yard, other: str) -> None:
    name = yard.engine.prefix.removeprefix("laminar-")
    image = f"Image.from_debian_base(name='{name}-other').with_env_vars({{'OTHER': '1'}})"
    yard.flow(ONE, warm=KEPT)
    ran(yard)
    [first] = up(yard)
    yard.flow(ONE, warm=KEPT, layer=f"container=Container({other.replace('IMAGE', image)})")
    ran(yard, "two")
    assert len(up(yard)) == 2
    assert first in up(yard)


def test_schedulers_at_the_same_time_never_share_a_container(yard: Yard) -> None:
    yard.flow(ONE, warm=ONLY, body=f"{WHERE}\nheld('0')")
    ran(yard, "before")
    yard.hold("0")
    (yard.signs / "journal").unlink()
    runs = [yard.begin(f"run{number}") for number in range(3)]
    yard.until(lambda: len(yard.noted("at")) == 3, "all are held")
    assert len(set(yard.noted("where"))) == 3
    yard.release("0")
    for run in runs:
        code, said = yard.end(run)
        assert code == 0, said
    assert len(list((yard.root / ".warm").glob("laminar-*"))) == len(up(yard)) == 3


def test_a_container_that_idles_out_just_when_work_comes_is_replaced(yard: Yard) -> None:
    yard.flow(
        ONE,
        warm="ReusePolicy(replicas=1, idle_ttl=0.2)",
        layer="retry=Retry(attempts=20, delay=0.17, backoff=1, jitter=0.3)",
        body=f"{WHERE}\nif self.attempt < 12: raise ValueError('again')",
    )
    ran(yard)
    assert len(yard.outcomes("Only")) == len(yard.noted("begins")) == 12
    assert len(set(yard.noted("where"))) > 1, "it did idle out"


def test_a_memory_kill_hits_the_attempt_alone(yard: Yard) -> None:
    yard.flow(
        warm="ReusePolicy(replicas=1, idle_ttl=30, concurrency=2)",
        layer="container=Container(memory=150)",
        body=f"{WHERE}\nif first.number == 0: hog = bytearray(400_000_000)",
    )
    yard.hold("1")
    scheduler = yard.begin()
    yard.until(lambda: "out-of-memory" in yard.outcomes(), "one is killed")
    yard.until(lambda: yard.noted("at") == ["1"], "the other runs on")
    yard.release("1")
    code, said = yard.end(scheduler)
    assert code == 1
    assert "OutOfMemoryError" in said
    assert yard.noted("ends") == ["1"]
    assert len(set(yard.noted("where"))) == 1


def test_code_that_cannot_be_imported_is_told_and_the_container_stays(yard: Yard) -> None:
    yard.flow(ONE, warm=KEPT, layer="container=Container(env={'BREAKS': '1'})")
    main = yard.folder / "main.py"
    whole = main.read_text()
    main.write_text(f"{whole}\nif 'BREAKS' in os.environ: raise ImportError('told so')\n")
    code, said = yard.run()
    assert code == 1
    assert "told so" in said
    assert "told so" in (yard.attempts("Only")[0].outcome or "")
    found = up(yard)
    main.write_text(whole)
    ran(yard, "resume", "one")
    assert up(yard) == found


def test_the_end_of_the_process_that_forks_is_the_end_of_its_attempts_alone(yard: Yard) -> None:
    yard.flow(
        ONE,
        warm=KEPT,
        layer="retry=Retry(attempts=2, delay=0.01)",
        body=f"{WHERE}\nif self.attempt == 1: os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
    )
    ran(yard)
    assert yard.outcomes("Only") == ["killed", "succeeded"]
    assert len(set(yard.noted("where"))) == 1


def test_a_container_that_is_killed_after_a_memory_kill_in_it_is_told_as_that(yard: Yard) -> None:
    body = "if self.attempt == 1: hog = bytearray(400_000_000)\nif self.attempt == 2: held('0')"
    layer = "container=Container(memory=150), retry=Retry(attempts=3, delay=0.01)"
    yard.flow(ONE, warm=KEPT, layer=layer, body=body)
    yard.hold("0")
    scheduler = yard.begin()
    yard.reached("0")
    [container] = up(yard)
    yard.engine.docker("kill", container)
    code, said = yard.end(scheduler)
    assert code == 0, said
    assert yard.outcomes("Only") == ["out-of-memory", "killed", "succeeded"]


def test_a_link_in_the_place_of_the_code_is_not_followed(yard: Yard) -> None:
    precious = yard.folder / "precious"
    precious.mkdir()
    (precious / "file").touch()
    body = f"""
    import glob
    for code in glob.glob(".laminar/.warm/*/code") + glob.glob({str(yard.folder / ".laminar/.warm/*/code")!r}):
        os.rename(code, code + ".away")
        os.symlink({str(precious)!r}, code)
    """
    yard.flow(ONE, warm="ReusePolicy(replicas=(1, 1), idle_ttl=20)", body=body)
    code, said = yard.run()
    assert code == 0, said
    yard.flow(ONE, warm="ReusePolicy(replicas=(1, 1), idle_ttl=20)", body="print('other')")
    code, said = yard.run("two")
    assert (precious / "file").exists()
    assert [path.name for path in precious.iterdir()] == ["file"]
    assert code == 1
    assert "docker rm --force" in said


#: A layer that takes all processes that its container may have, and one that begins only then, in the same container.
CROWDED = """
    class Held(Flow): ...


    @Held.register
    class Full(Layer):
        def __call__(self) -> None:
            family = []
            try:
                while True:
                    family.append(subprocess.Popen(["sleep", "60"]))
            except BlockingIOError:
                held("full")
            self.size = len(family)


    @Held.register(container=Container(env={"OTHER": "1"}))
    class Elsewhere(Layer):
        def __call__(self) -> None:
            held("elsewhere")


    @Held.register
    class Late(Layer):
        def __call__(self, elsewhere: Elsewhere) -> None: ...
"""


def test_an_attempt_for_which_no_process_is_left_fails_alone(yard: Yard) -> None:
    warm = "ReusePolicy(replicas=1, idle_ttl=30, concurrency=2), pids_limit=12"
    yard.flow(CROWDED, warm=warm)
    yard.hold("full")
    yard.hold("elsewhere")
    scheduler = yard.begin()
    yard.reached("full")
    yard.release("elsewhere")
    yard.until(lambda: yard.outcomes("Late"), "the late one has ended")
    yard.release("full")
    code, said = yard.end(scheduler)
    assert code == 1
    assert "No process could be started for this attempt" in said
    assert "This container may have 12 processes and threads at a time: executors.Docker(pids_limit=…)." in said
    assert yard.outcomes("Full") == ["succeeded"]


@pytest.mark.parametrize("most", [2, 3], ids=["to load the code", "for the attempt"])
def test_a_warm_container_that_may_have_too_few_processes_says_so(yard: Yard, most: int) -> None:
    yard.flow(ONE, warm=f"ReusePolicy(replicas=1, idle_ttl=30), pids_limit={most}")
    code, said = yard.run()
    assert code == 1
    assert f"This container may have {most} processes and threads at a time" in said


def test_an_attempt_that_comes_while_the_process_that_could_not_load_the_code_ends_is_told_why(yard: Yard) -> None:
    container = "container=Container(env={'BREAKS': '1'}), retry=Retry(attempts=2, delay=0.01)"
    yard.flow(ONE, warm=ONLY, layer=container)
    main = yard.folder / "main.py"
    breaks = """
    if "BREAKS" in os.environ:
        leave = os._exit
        os._exit = lambda code: (held("exit"), leave(code))
        raise ImportError("told so")
    """
    main.write_text(f"{main.read_text()}\n{textwrap.dedent(breaks)}")
    yard.hold("exit")
    scheduler = yard.begin()
    yard.until(lambda: len(yard.outcomes("Only")) == 2 and "none" not in yard.outcomes("Only"), "both have ended")
    yard.release("exit")
    code, said = yard.end(scheduler)
    assert code == 1
    assert "told so" in said
    assert yard.noted("at") == ["exit"], "the second came to the same process"
    assert all("told so" in (row.outcome or "") for row in yard.attempts("Only"))


def test_a_lock_that_is_held_for_good_is_told_and_not_waited_for(tmp_path: Path) -> None:
    async def take() -> None:
        async with alone(str(tmp_path), patience=0.05):
            raise AssertionError("it has the lock")

    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PlacementError, match=r"lock has been locked by another process for 0\.05 s.*run again"):
            asyncio.run(take())


def test_the_lock_of_another_scheduler_is_waited_for(yard: Yard) -> None:
    yard.flow(ONE, warm=ONLY)
    ran(yard)
    path = yard.root / ".warm" / "lock"
    with open(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scheduler = yard.begin("two")
        yard.until(lambda: has_open(scheduler.pid, path), "it tries the lock")
    assert yard.end(scheduler)[0] == 0


def has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open."""
    links = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has closed that one meanwhile
            links.append(os.readlink(handle))
    return str(path) in links
