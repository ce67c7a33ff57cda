"""Exceptions of user code as plain data."""

from __future__ import annotations

from laminar.data.serde import pickled
from laminar.errors import AttemptExitedError, NonRecoverableError
from laminar.model.action import Failure
from laminar.model.tracebacks import users_traceback


def describe(error: BaseException) -> Failure:
    """Turn an exception into what can be handed on and kept.

    The traceback shows the user's frames. ``sys.exit`` becomes :class:`AttemptExitedError`, so that it ends
    the attempt, not the process that hears of it.
    """
    text = users_traceback(error)
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else (0 if error.code is None else 1)
        error = AttemptExitedError(f"it called sys.exit({error.code!r})")
        error.code = code
    kind = type(error)
    return Failure(
        type_name=f"{kind.__module__}.{kind.__qualname__}",
        message=_text(error),
        traceback=text,
        pickled=_pickle(error),
        final=isinstance(error, NonRecoverableError),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<its text could not be made: {type(second).__name__}>"


def _pickle(error: BaseException) -> bytes | None:
    """Pickle an exception, if what comes back is one of the same type."""
    try:
        data = pickled.dumps(error.with_traceback(None))
        again = pickled.loads(data)
    except Exception:
        return None
    return data if type(again).__qualname__ == type(error).__qualname__ else None
