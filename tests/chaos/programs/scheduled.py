"""A task that starts each second, and one with a queue: what runs is noted outside laminar."""

from __future__ import annotations

import datetime
import os
import time

import laminar
from laminar import FixedRate, RetryStrategy, Trigger, TriggerTime

env = laminar.TaskEnvironment("scheduled", env_vars={"CHAOS_JOURNAL": os.environ.get("CHAOS_JOURNAL", "")})
gpu = laminar.TaskEnvironment("limited", queue="gpu")


def note(*words: object) -> None:
    """Add a line."""
    line = repr((*words, os.environ["LAMINAR_RUN_ID"], time.time())) + "\n"
    handle = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


@env.task(
    triggers=[
        Trigger(
            "second",
            FixedRate(interval=datetime.timedelta(seconds=1)),
            inputs={"when": TriggerTime},
            overlap="allow",
            catchup="none",
        )
    ],
)
def tick(when: datetime.datetime) -> None:
    """Note the due time."""
    note("tick", int(when.timestamp()))


@gpu.task(retries=RetryStrategy(10))
def hold(seconds: float) -> None:
    """Note when a slot of the queue is used."""
    pid = os.getpid()
    note("begin", pid)
    time.sleep(seconds)
    note("end", pid)
