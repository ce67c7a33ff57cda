"""What must not be seen of the running attempt: asked by whatever makes words of its values, or hands on its errors."""

from __future__ import annotations

import contextlib
import contextvars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from laminar.model.action import Failure
    from laminar.worker.redaction import Redactor

_redactor: contextvars.ContextVar[Redactor | None] = contextvars.ContextVar("laminar_redactor", default=None)


@contextlib.contextmanager
def hidden(redactor: Redactor) -> Iterator[None]:
    """Hide secrets in what the current context hands on.

    Args:
        redactor: Knows them.
    """
    token = _redactor.set(redactor)
    try:
        yield
    finally:
        _redactor.reset(token)


def value(value: Any) -> Any:
    """Give a value without secrets, before it is cut short: no piece of one could be known again."""
    redactor = _redactor.get()
    return value if redactor is None else redactor.value(value)


def failure(failure: Failure) -> Failure:
    """Give a failure without secrets."""
    redactor = _redactor.get()
    return failure if redactor is None else redactor.failure(failure)
