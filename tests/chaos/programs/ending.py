"""Two splits in containers, of which each attempt ends in another way, and the last well.

Usage: ``ending.py ROOT RUN [warm]``; ``CHAOS_WAYS`` names the ways, with commas between.
"""

import os
import signal
import sys
import time

from journal import VARIABLE, note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import Container, ForEach, Parameter, Retry, ReusePolicy, Timeout

WAYS = os.environ["CHAOS_WAYS"].split(",")
ENVIRONMENT = {name: os.environ[name] for name in (VARIABLE, "CHAOS_WAYS")}


class Ending(Flow): ...


@Ending.register(container=Container(memory=128, env=ENVIRONMENT))
class Start(Layer):
    def __call__(self) -> None:
        self.shard(items=range(2))


@Ending.register(
    foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]),
    container=Container(memory=128, env=ENVIRONMENT),
    retry=Retry(attempts=1000, delay=0.001, backoff=1),
    timeout=Timeout(15),
)
class Fan(Layer):
    def __call__(self, start: Start) -> None:
        ways = WAYS[self.index :: 2]
        if self.attempt > len(ways):
            return
        way = ways[self.attempt - 1]
        if way == "memory":
            hog = bytearray(400_000_000)
            assert not hog
        elif way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif way == "exit":
            os._exit(137)
        else:
            note(way, os.uname().nodename)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)


if __name__ == "__main__":
    root, run = sys.argv[1:3]
    kept = ReusePolicy(replicas=(0, 2), idle_ttl=30) if "warm" in sys.argv else None
    if flow := Ending(datastore=datastores.Local(root=root), executor=executors.Docker(concurrency=2, reuse=kept)):
        flow(execution=run)
