"""A seeded bug: of an attempt that is stopped or has ended, only its own process is killed."""

import signal

from laminar.host import processes
from laminar.worker import forks


def kill_tree(root: int) -> None:
    processes.signal_process(root, signal.SIGKILL)


def kill_orphans(self: object) -> None:
    return


processes.kill_tree = kill_tree
forks.Forks._kill_orphans = kill_orphans  # type: ignore[method-assign]
