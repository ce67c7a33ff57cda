"""What an exception of user code has to do with the container that it was raised in."""

from __future__ import annotations

PIDS = ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")


def in_container(error: BaseException) -> str | None:
    """Give a note for an exception that the container explains.

    Args:
        error: What user code has raised.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return (
            f"The container has no module {error.name}. A package from an index goes into the image: "
            f"Container(image=Image.from_debian_base().with_pip_packages({package!r})), or dependencies in the "
            "script's '# /// script' block. A module of yours that is found by no import statement travels with "
            "executors.Docker(copy_style='all')."
        )
    if isinstance(error, (BlockingIOError, RuntimeError)):
        return _too_many()
    return None


def _too_many() -> str | None:
    """Tell whether the container was ever refused a process or thread."""
    for folder in PIDS:
        try:
            with open(f"{folder}/pids.events") as events, open(f"{folder}/pids.max") as most:
                refused, limit = int(events.read().split()[1]), most.read().strip()
        except (OSError, ValueError, IndexError):
            continue
        if refused:
            return f"This container may have {limit} processes and threads at a time: executors.Docker(pids_limit=…)."
    return None
