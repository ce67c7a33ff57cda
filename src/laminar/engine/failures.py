"""From how an attempt ended to the exception that the caller of the run gets."""

from __future__ import annotations

from laminar.errors import (
    AttemptError,
    AttemptExitedError,
    AttemptKilledError,
    AttemptLostError,
    AttemptTimeoutError,
    OutOfMemoryError,
    RunAbortedError,
)
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.engine.contract import Failed, Failures
    from laminar.model.action import Ended

#: Characters of a line that says how something ended.
LINE = 500


def exception_of(ended: Ended, where: str, failures: Failures) -> BaseException:
    """Make the exception for an attempt that failed.

    Args:
        ended: How it ended.
        where: Name of the layer and split, for people.
        failures: Makes exceptions of data.

    Returns:
        The user's own exception with the remote traceback in its notes, or one of laminar's for an end without one.
    """
    if ended.manifest is not None and ended.manifest.failure is not None:
        return failures.revive(ended.manifest.failure, where)
    if ended.error is not None:
        ended.error.add_note(f"It was to run {where}.")
        return ended.error
    error = _without_result(ended, where)
    if ended.output:
        error.add_note(f"The last that it printed:\n{ended.output}")
    return error


def _without_result(ended: Ended, where: str) -> BaseException:
    detail = f"{where[0].upper()}{where[1:]} ended without a result: {ended.detail}."
    match ended.outcome:
        case Outcome.OUT_OF_MEMORY:
            return OutOfMemoryError(f"{detail} Give it more memory, or Retry(memory=…, memory_max=…).")
        case Outcome.KILLED:
            killed = AttemptKilledError(detail)
            killed.signal = ended.signal or 0
            return killed
        case Outcome.EXITED:
            exited = AttemptExitedError(detail)
            exited.code = ended.code or 0
            return exited
        case Outcome.TIMED_OUT:
            return AttemptTimeoutError(f"{where[0].upper()}{where[1:]} {ended.detail}.")
        case Outcome.LOST:
            return AttemptLostError(detail)
        case Outcome.CANCELLED:
            return RunAbortedError(detail)
        case _:
            return AttemptError(detail)


def text_of(ended: Ended) -> str:
    """Say how an attempt ended, in one line."""
    failure = ended.manifest.failure if ended.manifest is not None else None
    if failure is not None:
        return f"{failure.type_name.removeprefix('builtins.')}: {failure.message}"[:LINE]
    return f"{ended.outcome.value}: {ended.detail}" if ended.detail else ended.outcome.value


def line_of(error: BaseException) -> str:
    """Say what an error is, in one line."""
    return f"{type(error).__name__}: {error}"[:LINE]


def first_line(failed: Failed) -> str:
    """Say what has failed and how, with the first line of what the error says."""
    return f"{failed.where}: {line_of(failed.error)}".partition("\n")[0]
