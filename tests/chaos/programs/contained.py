"""Splits in containers that found families of processes, every second one deaf to being asked to end.

Usage: ``contained.py ROOT RUN GRACE [warm]``
"""

import os
import signal
import subprocess
import sys
import time

from journal import VARIABLE, note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import Container, ForEach, Parameter, ReusePolicy
from laminar.configurations.schedulers import Scheduler

#: A process that hides: it ignores what it may, leads a session, and its parent is gone.
STRAY = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
while True:
    time.sleep(60)
"""
SPLITS = 3


class Contained(Flow): ...


@Contained.register(container=Container(env={VARIABLE: os.environ[VARIABLE]}))
class Start(Layer):
    def __call__(self) -> None:
        note("start", "Start", 0)
        self.shard(items=range(SPLITS))


@Contained.register(
    foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]),
    container=Container(env={VARIABLE: os.environ[VARIABLE]}),
)
class Fan(Layer):
    def __call__(self, start: Start) -> None:
        note("start", "Fan", self.index)
        if self.index % 2:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
        for _ in range(2):
            subprocess.Popen([sys.executable, "-c", STRAY, os.environ[VARIABLE]])
        while True:
            time.sleep(0.01)


if __name__ == "__main__":
    root, run, grace = sys.argv[1:4]
    kept = ReusePolicy(replicas=(0, 2), idle_ttl=30) if "warm" in sys.argv else None
    flow = Contained(
        datastore=datastores.Local(root=root),
        executor=executors.Docker(concurrency=2, reuse=kept),
        scheduler=Scheduler(grace=float(grace)),
    )
    if flow:
        flow(execution=run)
