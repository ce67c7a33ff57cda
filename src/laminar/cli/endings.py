"""How a command ends: what is said of an error, and the exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from laminar.cli import answers
from laminar.console import words
from laminar.errors import (
    CodeLoadError,
    ConfigurationError,
    DeploymentError,
    FlowError,
    LaminarError,
    LedgerError,
    RunAbortedError,
    RunExistsError,
    SecretError,
    TaskError,
    UnknownEntityError,
    UnknownProjectError,
    UnknownQueueError,
    UnknownRunError,
    UnknownTokenError,
    UnknownTriggerError,
)
from laminar.model.tracebacks import passed_users_code, users_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
MISUSES = (
    FlowError,
    TaskError,
    ConfigurationError,
    DeploymentError,
    SecretError,
    CodeLoadError,
    UnknownRunError,
    UnknownProjectError,
    UnknownEntityError,
    UnknownQueueError,
    UnknownTriggerError,
    UnknownTokenError,
    RunExistsError,
    LedgerError,
)
#: What to do about what the system refuses.
REMEDIES = {
    errno.ENOSPC: "Make room on its disk.",
    errno.EDQUOT: "Make room on its disk.",
    errno.EACCES: "Mend its permissions, or name another place.",
    errno.EPERM: "Mend its permissions, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOTDIR: "Name another place.",
    errno.EMFILE: "Raise the limit of open files: ulimit -n.",
}

#: How notes begin that the display tells in its own way.
TOLD = ("Raised in ", "Resume with: ", "Also failed: ")


def exit_code(command: Callable[[], int | None]) -> int:
    """Carry out a command, and say of an error what there is to say, never with a traceback of laminar's own.

    Returns:
        0; 1 if a run failed or was stopped; 2 if the command was used wrongly; 130 for Ctrl-C.
    """
    try:
        return command() or DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except LaminarError as error:
        answers.complain(f"{error}")
        return MISUSED if isinstance(error, MISUSES) else FAILED
    except OSError as error:
        answers.complain(_refused(error))
        return FAILED
    except Exception as error:
        answers.complain(f"{type(error).__name__}: {error}")
        return FAILED


def _refused(error: OSError) -> str:
    """Say what the system has refused, to what, and what to do."""
    if error.strerror is None:
        return f"{type(error).__name__}: {error}"
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}. {REMEDIES.get(error.errno or 0, '')}".rstrip()


def let_go_of_output() -> None:
    """Write what is left to be written; where nobody reads it, as at a closed terminal, that is no failure.

    The interpreter would end with the code 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def after_run(error: BaseException) -> int:
    """Say of an error that a run has ended with what the display has not said.

    Returns:
        The exit code.
    """
    notes = _notes(error)
    trace = _traceback(error)
    said = [trace, *(note for note in notes if not note.startswith(TOLD))] if trace else []
    if _silent():
        stopped = isinstance(error, (KeyboardInterrupt, RunAbortedError))
        head = str(error) if stopped else f"{type(error).__name__}: {error}"
        said = [trace or head, *(note for note in notes if note != trace)]
    if said:
        answers.complain("\n".join(said))
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def is_of_run(error: BaseException) -> bool:
    """Tell whether a run has ended with an error, rather than not begun, or the file around it failed."""
    from laminar.runs.local import RESUME  # loaded by then, but not for help texts

    return any(text.startswith(RESUME) for text in _notes(error)) or RESUME in str(error)


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _silent() -> bool:
    """Tell whether the display has said nothing, as the command line or the flow wanted."""
    flows = sys.modules.get("laminar.flows.flow")  # 40 ms that runs of tasks do not need
    made = () if flows is None else flows.made
    return words.silenced() or any(flow.configuration.scheduler.quiet for flow in made)


def _traceback(error: BaseException) -> str:
    """Give the traceback of the user's code: the remote one, or that of a hook; empty if there is none."""
    remote = next((note for note in _notes(error) if note.startswith("Raised in ") and "\n" in note), "")
    if remote:
        return remote
    error.__notes__ = []  # they are told apart from the traceback
    return f"Raised in a hook:\n{users_traceback(error).rstrip()}" if _in_hook(error) else ""


def _in_hook(error: BaseException) -> bool:
    """Tell whether code of the user has raised it that the run called in this process."""
    if isinstance(error, LaminarError):
        return False  # its message says all
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") != "laminar.runs.local":
        frames = frames.tb_next
    return frames is not None and passed_users_code(error.with_traceback(frames))
