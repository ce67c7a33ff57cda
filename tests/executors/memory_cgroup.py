"""A memory cgroup of one's own, of version 1 or 2, for a process to run in."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def _parent() -> tuple[Path, bool] | None:
    """Find where a memory cgroup can be made: the folder, and whether it is version 2."""
    version_1 = ROOT / "memory"
    if (version_1 / "memory.limit_in_bytes").exists():
        return version_1, False
    controllers = ROOT / "cgroup.subtree_control"
    if not controllers.exists():
        return None
    with contextlib.suppress(OSError):
        if "memory" not in controllers.read_text().split():
            controllers.write_text("+memory")
        return ROOT, True
    return None


@contextlib.contextmanager
def limited_to(megabytes: int) -> Iterator[Path | None]:
    """Make a cgroup with a memory limit and no swap, for who is written to ``cgroup.procs``; None if it cannot be."""
    found = _parent() if os.geteuid() == 0 else None
    if found is None:
        yield None
        return
    parent, version_2 = found
    group = parent / f"laminar-test-{uuid.uuid4().hex[:12]}"
    limit = str(megabytes << 20)
    try:
        group.mkdir()
        (group / ("memory.max" if version_2 else "memory.limit_in_bytes")).write_text(limit)
        swap = group / ("memory.swap.max" if version_2 else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if version_2 else limit)
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        while True:
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.01)  # the kernel has not let go of its last process
