"""Exceptions of user code as plain data, and back."""

from __future__ import annotations

from laminar.data.serde import pickled
from laminar.errors import AttemptExitedError, NonRecoverableError, RemoteError
from laminar.model.action import Failure
from laminar.model.tracebacks import REMOTE, users_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Gives a note for an exception that the place explains in which this process runs.
advice: Callable[[BaseException], str | None] | None = None


def annotate(error: BaseException) -> None:
    """Note on an exception what the place has to do with it."""
    note = None if advice is None else advice(error)
    if note is not None and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def describe(error: BaseException) -> Failure:
    """Turn an exception into what can be handed on and kept.

    The traceback shows the user's frames. Those of where the exception has come from stay in its notes: shown here
    too, they would double with each task that lets it through. ``sys.exit`` becomes :class:`AttemptExitedError`, so
    that it ends the attempt, not the process that hears of it.
    """
    raised, frames = error, error.__traceback__
    text = users_traceback(error, remote=False)
    annotate(error)
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else (0 if error.code is None else 1)
        error = AttemptExitedError(f"it called sys.exit({error.code!r})")
        error.code = code
    kind = type(error)
    data = _pickle(error)
    if data is None:
        text = users_traceback(raised.with_traceback(frames))
    return Failure(
        type_name=f"{kind.__module__}.{kind.__qualname__}",
        message=_text(error),
        traceback=text,
        pickled=data,
        final=isinstance(error, NonRecoverableError),
    )


def revive(failure: Failure, where: str) -> BaseException:
    """Make the user's own exception again, with the remote traceback in its notes.

    Args:
        failure: The exception as data.
        where: Name of the layer or task that raised it, for people.
    """
    error: BaseException | None = None
    if failure.pickled is not None:
        try:
            error = pickled.loads(failure.pickled)
        except Exception:
            error = None  # its class is not there in this process; its words are
    if error is None:
        remote = RemoteError(f"{failure.type_name}: {failure.message}")
        remote.type_name = failure.type_name
        error = remote
    if failure.traceback:
        error.add_note(f"{REMOTE}{where}:\n{failure.traceback.rstrip()}")
    else:
        error.add_note(f"{REMOTE}{where}.")
    return error


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<its text could not be made: {type(second).__name__}>"


def _pickle(error: BaseException) -> bytes | None:
    """Pickle an exception, if it has a text, and what comes back is of the same type and says the same."""
    try:
        str(error)
    except Exception:
        return None
    for candidate in (error.with_traceback(None), _Parts(error)):
        try:
            data = pickled.dumps(candidate)
            again = pickled.loads(data)
        except Exception:  # noqa: S112 - then its words must do
            continue
        if type(again).__qualname__ == type(error).__qualname__ and _text(again) == _text(error):
            return data
    return None


class _Parts:
    """An exception taken apart: of a type that is not made again by calling it with its arguments, or that holds
    something that cannot be pickled, which is left out. The exceptions of a group are taken apart too.
    """

    def __init__(self, error: BaseException) -> None:
        self._kind = type(error)
        self._args: tuple[Any, ...] = error.args if _can_be_pickled(error.args) else (_text(error),)
        if isinstance(error, BaseExceptionGroup):
            self._args = (error.message, [_Parts(part) for part in error.exceptions])
        self._state = {name: value for name, value in vars(error).items() if _can_be_pickled(value)}

    def __reduce__(self) -> tuple[Any, ...]:
        return put_together, (self._kind, self._args, self._state)


def put_together(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Make an exception from its parts, without calling its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


def _can_be_pickled(value: Any) -> bool:
    try:
        pickled.loads(pickled.dumps(value))
    except Exception:
        return False
    return True
