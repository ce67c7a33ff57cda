"""Room in warm containers that a scheduler finds taken by attempts of the one before it."""

from __future__ import annotations

from yards import JOINED, Yard

ONE_PLACE = "ReusePolicy(replicas=(0, 1), idle_ttl=30)"
#: Split 0 fails once, and waits for its retry while split 1 runs.
FAILS_FIRST = """
    if name == "0" and self.attempt == 1 and not os.path.exists("@"):
        raise ValueError("the first time")
"""


def test_an_attempt_that_waits_for_the_room_of_one_taken_back_gets_it(yard: Yard) -> None:
    body = FAILS_FIRST.replace("@", str(yard.signs / "well"))
    yard.flow(
        JOINED,
        warm=ONE_PLACE,
        body=body,
        CONCURRENCY=1,
        LAYER="retry=Retry(attempts=2, delay=60)",
        layer="retry=Retry(attempts=2, delay=60)",
    )
    yard.hold("1")
    first = yard.begin()
    yard.reached("1")
    yard.kill(first)
    (yard.signs / "well").touch()
    resumed = yard.begin("resume", "one")
    yard.until(lambda: len([row for row in yard.attempts() if row.epoch == 2]) == 1, "the failed one is begun again")
    yard.release("1")
    code, said = yard.end(resumed)
    assert code == 0, said
    assert yard.noted("total") == ["2"]
