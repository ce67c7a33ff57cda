"""Runs beside each other, on one engine and in one folder, leave each other alone."""

from __future__ import annotations

from yards import ONE, Yard


def test_runs_whose_ids_end_alike_have_containers_of_their_own(yard: Yard) -> None:
    yard.flow(ONE, body="held(os.environ['LAMINAR_EXECUTION_ID'])")
    names = ["first-experiment", "other-experiment"]
    for name in names:
        yard.hold(name)
    schedulers = []
    for name in names:
        schedulers.append(yard.begin(name))
        yard.reached(name)
    for name in names:
        yard.release(name)
    for scheduler in schedulers:
        code, said = yard.end(scheduler)
        assert code == 0, said
    yard.settled()


def test_a_run_begins_anew_what_another_has_ended_in_a_warm_container_that_it_now_uses(yard: Yard) -> None:
    yard.flow(ONE, warm="ReusePolicy(replicas=(0, 1), idle_ttl=30)", body="held(os.environ['LAMINAR_EXECUTION_ID'])")
    for name in ("one", "two"):
        yard.hold(name)
    first = yard.begin("one")
    yard.reached("one")
    yard.kill(first)
    second = yard.begin("two")
    yard.reached("two")
    yard.release("one")
    code, said = yard.end(yard.begin("resume", "one"))
    assert code == 0, said
    yard.release("two")
    code, said = yard.end(second)
    assert code == 0, said
    assert yard.noted("at") == ["one", "one", "two"]
