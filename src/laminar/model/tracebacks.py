"""Tracebacks as text, without the frames that are none of the user's."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
ASYNCIO = os.path.join(os.path.dirname(os.__file__), "asyncio", "")
#: Files whose frames are none of the user's.
NOT_USERS = (PACKAGE, "<frozen", f"{ASYNCIO}runners.py", f"{ASYNCIO}base_events.py")
#: Files of laminar that stand for a user's: the flows that suites run.
#: Begins the note of an exception that has come from elsewhere, with its traceback there.
REMOTE = "Raised in "
AS_USERS = os.path.join(PACKAGE, "testing", "")


def _is_ours(file: str) -> bool:
    return file.startswith(NOT_USERS) and not file.startswith(AS_USERS)


def passed_users_code(error: BaseException) -> bool:
    """Tell whether an exception came through code that laminar has called, and so has frames to show."""
    frames = error.__traceback__
    inside = False
    while frames is not None:
        ours = _is_ours(frames.tb_frame.f_code.co_filename)
        if inside and not ours:
            return True
        inside = inside or ours
        frames = frames.tb_next
    return False


def own_traceback(error: BaseException, *, remote: bool = True) -> str:
    """Give the traceback of an exception without the frames of laminar and of the import system.

    Args:
        error: The exception.
        remote: Whether the notes with its tracebacks elsewhere are shown too.
    """
    import traceback  # only when there is one to show

    shown = traceback.TracebackException.from_exception(error)
    todo: list[traceback.TracebackException | None] = [shown]
    while todo:
        part = todo.pop()
        if part is not None:
            own = [frame for frame in part.stack if not _is_ours(frame.filename)]
            part.stack = traceback.StackSummary.from_list(own)
            if part.__notes__ and not remote:
                part.__notes__ = [note for note in part.__notes__ if not str(note).startswith(REMOTE)]
            todo += [part.__cause__, part.__context__, *(part.exceptions or ())]
    return "".join(shown.format())


def users_traceback(error: BaseException, *, remote: bool = True) -> str:
    """Give the traceback of an exception that code called by laminar has raised; empty if it has come through none.

    Args:
        error: The exception.
        remote: Whether the notes with its tracebacks elsewhere are shown too.
    """
    try:
        return own_traceback(error, remote=remote) if passed_users_code(error) else ""
    except Exception as second:
        return f"<its traceback could not be made: {type(second).__name__}>"
