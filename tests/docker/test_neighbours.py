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
