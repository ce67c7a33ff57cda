"""The machine: its cores, what its kernel killed for memory, and whom it takes first."""

from __future__ import annotations

import os

PROC = "/proc"
CGROUP = "/sys/fs/cgroup"


def cores() -> int:
    """Count the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def memory_kills() -> int | None:
    """Count the memory kills so far: of this process's cgroup where it has a counter, else of the whole machine.

    ``memory.events`` (cgroup v2), ``memory.oom_control`` (v1) or ``/proc/vmstat`` (Linux 4.13 and later). In a
    container, the files of its own cgroup lie at the root of what it sees.

    Returns:
        The count, or None where the system keeps none.
    """
    for path in (*_cgroup_counters(), f"{PROC}/vmstat"):
        try:
            with open(path) as file:
                for line in file:
                    name, _, count = line.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        except OSError:
            continue
    return None


def offer(points: int) -> None:
    """Have the kernel take this process sooner than others when memory runs out; what it starts inherits that.

    Args:
        points: How much sooner, up to 1000.
    """
    try:
        file = os.open(f"{PROC}/self/oom_score_adj", os.O_WRONLY)  # plainly: each attempt does it, just forked
        try:
            os.write(file, b"%d" % points)
        finally:
            os.close(file)
    except OSError:
        return  # then the kernel takes the largest, which this process may be anyway


def _cgroup_counters() -> list[str]:
    paths = []
    try:
        with open(f"{PROC}/self/cgroup") as file:
            for line in file:
                _, controllers, path = line.strip().split(":", 2)
                if controllers == "memory":
                    paths += [f"{CGROUP}/memory{path}/memory.oom_control", f"{CGROUP}/memory/memory.oom_control"]
                elif not controllers:
                    paths += [f"{CGROUP}{path}/memory.events", f"{CGROUP}/memory.events"]
    except OSError:
        return []
    return paths
