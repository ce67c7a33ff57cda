"""A layer, four splits and a join that note when they start and end; a gate file lets the splits go on.

Usage: ``held.py ROOT RUN GRACE [stubborn] [resume]``
"""

import os
import signal
import subprocess
import sys
import time

from journal import note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.configurations.schedulers import Scheduler

SPLITS = 4


class Held(Flow): ...


@Held.register
class Start(Layer):
    def __call__(self) -> None:
        note("start", "Start", 0)
        self.shard(items=range(SPLITS))
        note("end", "Start", 0)


@Held.register(foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]))
class Fan(Layer):
    def __call__(self, start: Start) -> None:
        if "stubborn" in sys.argv:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # A grandchild that leads a session and has no variables of ours must not outlive this split.
        stray = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True, env={})
        note("stray", stray.pid)
        note("start", "Fan", self.index)
        while not os.path.exists(os.environ["CHAOS_GATE"]):
            time.sleep(0.01)
        self.value = start.items * 10
        note("end", "Fan", self.index)


@Held.register
class End(Layer):
    def __call__(self, fan: Fan) -> None:
        note("start", "End", 0)
        assert list(fan.value) == [item * 10 for item in range(SPLITS)]
        note("end", "End", 0)


if __name__ == "__main__":
    root, run, grace = sys.argv[1:4]
    flow = Held(
        datastore=datastores.Local(root=root),
        executor=executors.Process(concurrency=SPLITS),
        scheduler=Scheduler(grace=float(grace)),
    )
    if flow:
        if sys.argv[-1] == "resume":
            flow.execution(run).resume()
        else:
            flow(execution=run)
