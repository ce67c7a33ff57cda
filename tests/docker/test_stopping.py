"""A run that is stopped leaves nothing: no process, no container, no attempt that is not told as stopped."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
from yards import ONE, Yard

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from gates import Gate

FAMILY = "family('plain', 'session', 'orphan', 'deaf')"


def begun(yard: Yard, *splits: str) -> subprocess.Popen[str]:
    """Start a run, and wait until its splits are held."""
    for split in splits:
        yard.hold(split)
    scheduler = yard.begin()
    for split in splits:
        yard.reached(split)
    return scheduler


def stopped(yard: Yard, scheduler: subprocess.Popen[str], *, warm: bool, layer: str = "Second") -> str:
    """Wait until a run that was stopped has ended, and see that nothing is left; gives what it has said."""
    yard.until(lambda: scheduler.poll() is not None, "the scheduler has ended")
    yard.settled(warm=warm)
    _, said = yard.end(scheduler)
    assert yard.state() == "CANCELLED", said
    assert all(row.state.terminal for row in yard.attempts(layer)), said
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_stops_all_and_what_hides(yard: Yard, policy: str | None, number: signal.Signals) -> None:
    yard.flow(warm=policy, body=FAMILY)
    scheduler = begun(yard, "0", "1")
    assert len(yard.alive()) >= 8
    scheduler.send_signal(number)
    said = stopped(yard, scheduler, warm=policy is not None)
    assert "laminar resume" in said
    assert yard.outcomes() == ["cancelled", "cancelled"]
    assert yard.noted("ends") == []


def test_an_attempt_that_is_stopped_may_use_its_grace(yard: Yard, policy: str | None) -> None:
    body = """
    def leave(*_):
        sign("leaves")
        sys.exit(3)

    signal.signal(signal.SIGTERM, leave)
    """
    yard.flow(warm=policy, body=body, GRACE=600)
    scheduler = begun(yard, "0", "1")
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=policy is not None)
    assert yard.noted("leaves") == ["", ""]
    assert yard.outcomes() == ["cancelled", "cancelled"]


def test_a_second_interrupt_stops_at_once_what_does_not_end_by_itself(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy, body=f"deaf()\n{FAMILY}", GRACE=600)
    scheduler = begun(yard, "0", "1")
    scheduler.send_signal(signal.SIGINT)
    yard.hears(scheduler, "stopping: SIGINT was received")
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=policy is not None)
    assert yard.outcomes() == ["cancelled", "cancelled"]


def test_podman_stops_all_and_what_hides(podman_yard: Yard) -> None:
    podman_yard.flow(body=f"deaf()\n{FAMILY}")
    scheduler = begun(podman_yard, "0", "1")
    scheduler.send_signal(signal.SIGINT)
    stopped(podman_yard, scheduler, warm=False)
    assert podman_yard.outcomes() == ["cancelled", "cancelled"]


def test_abort_stops_a_run_that_goes_on(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy, body=f"deaf()\n{FAMILY}")
    scheduler = begun(yard, "0", "1")
    answer = yard.laminar("abort", "one")
    assert answer.code == 0, answer.err
    said = stopped(yard, scheduler, warm=policy is not None)
    assert "aborted" in said
    assert yard.outcomes() == ["cancelled", "cancelled"]


def test_abort_ends_what_a_dead_scheduler_has_left(yard: Yard, policy: str | None) -> None:
    yard.flow(warm=policy, body=f"deaf()\n{FAMILY}")
    scheduler = begun(yard, "0", "1")
    yard.kill(scheduler)
    answer = yard.laminar("abort", "one")
    assert answer.code == 0, answer.err
    yard.settled(warm=policy is not None)
    assert yard.state() == "CANCELLED"
    assert yard.noted("ends") == []
    assert list((yard.root / ".attempts").iterdir()) == []


def test_a_time_out_stops_all_of_its_attempt_alone(yard: Yard, policy: str | None) -> None:
    body = f"""
    if first.number == 0:
        deaf()
        {FAMILY}
        time.sleep(600)
    """
    yard.flow(warm=policy, body=body, layer="timeout=Timeout(2)", GRACE=0.2)
    yard.hold("1")
    scheduler = yard.begin()
    yard.reached("1")
    yard.until(lambda: len(yard.noted("stray")) == 4, "the family lives")
    yard.until(lambda: not [line for line in yard.alive() if line.endswith("signs")], "the family is ended")
    yard.release("1")
    code, said = yard.end(scheduler)
    assert code == 1
    assert "AttemptTimeoutError" in said
    assert sorted(yard.outcomes())[-1] == "timed-out"
    yard.settled(warm=policy is not None)


def test_a_stop_while_a_container_is_made_starts_no_attempt(yard: Yard, gate: Gate, policy: str | None) -> None:
    yard.flow(ONE, warm=policy)
    gate.hold_at(r"POST \S+/start")
    scheduler = yard.begin()
    gate.reached()
    scheduler.send_signal(signal.SIGINT)
    yard.hears(scheduler, "stopping: SIGINT was received")
    if policy is None:
        yard.until(lambda: yard.orders() == [], "the order is withdrawn, whatever the engine does")
    gate.release()
    stopped(yard, scheduler, warm=policy is not None, layer="Only")
    assert yard.outcomes("Only") == ["cancelled"]
    assert yard.noted("begins") == []


def test_a_stop_while_attempts_wait_for_a_warm_container(yard: Yard) -> None:
    yard.flow(warm="ReusePolicy(replicas=1, idle_ttl=30)", SPLITS=4, CONCURRENCY=4)
    for split in range(4):
        yard.hold(str(split))
    scheduler = yard.begin()
    yard.until(lambda: yard.noted("begins"), "one split has begun")
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=True)
    assert len(yard.noted("begins")) == 1
    assert yard.outcomes() == ["cancelled"] * 4


def endless_build(yard: Yard, name: str) -> tuple[str, str]:
    """Declare an image whose build does not end: how, and what the build runs."""
    word = f"sleep 9{time.time_ns()}"
    name = f"{yard.engine.prefix.removeprefix('laminar-')}-{name}-stopped"
    return f"Image.from_debian_base(name={name!r}).with_commands({word!r})", word


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_stop_during_a_build_ends_the_build(yard: Yard, builder: str) -> None:
    yard.builds(builder)
    image, word = endless_build(yard, builder)
    yard.flow(ONE, layer=f"container=Container(image={image})")
    scheduler = yard.begin()
    yard.hears(scheduler, word)
    yard.until(lambda: yard.running(word), "the build is at it")
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=False, layer="Only")
    yard.until(lambda: not yard.running(word), "the build is ended")
    yard.until(lambda: not yard.running(f"{builder}-stopped"), "who builds has ended")


@pytest.fixture
def silent_registry() -> Iterator[tuple[str, socket.socket]]:
    """A registry that takes calls and says nothing: its address and its socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield f"127.0.0.1:{server.getsockname()[1]}", server


def answered(yard: Yard, server: socket.socket) -> socket.socket:
    """Wait until a registry is called."""
    try:
        return server.accept()[0]
    except TimeoutError:
        raise AssertionError(f"it was not called: {yard.last_words()}") from None


def test_a_stop_during_a_pull_does_not_wait_for_it(yard: Yard, silent_registry: tuple[str, socket.socket]) -> None:
    address, server = silent_registry
    yard.flow(ONE, layer=f"container=Container(image='{address}/none:1')")
    scheduler = yard.begin()
    called = answered(yard, server)
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=False, layer="Only")
    called.close()


def test_a_run_that_was_stopped_goes_on_by_resume(yard: Yard, policy: str | None, tmp_path: Path) -> None:
    yard.flow(warm=policy)
    scheduler = begun(yard, "1")
    yard.until(lambda: yard.noted("ends") == ["0"] and "succeeded" in yard.outcomes(), "the other split is done")
    scheduler.send_signal(signal.SIGINT)
    stopped(yard, scheduler, warm=policy is not None)
    yard.release("1")
    code, said = yard.run("resume", "one")
    assert code == 0, said
    assert yard.noted("begins") == ["0", "1", "1"]
    yard.settled(warm=policy is not None)


def test_a_stop_does_not_wait_for_the_image_of_a_single_attempt(yard: Yard) -> None:
    image, word = endless_build(yard, "single")
    hook = f"""
        @submission
        def image(self) -> None:
            self.configuration.container.image = {image}
    """
    yard.flow(ONE + hook)
    main = yard.folder / "main.py"
    main.write_text("from laminar.configurations.hooks import submission\n" + main.read_text())
    scheduler = yard.begin()
    yard.hears(scheduler, word)
    scheduler.send_signal(signal.SIGINT)
    said = stopped(yard, scheduler, warm=False, layer="Only")
    assert [row.outcome for row in yard.attempts("Only")] == ["cancelled: it was stopped before it had a container"], (
        said
    )
