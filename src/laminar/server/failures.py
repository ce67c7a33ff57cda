"""Errors on a server: by their words alone. What users have pickled is handed on, and never looked into."""

from __future__ import annotations

from laminar.engine.contract import Failures
from laminar.errors import NonRecoverableError, RemoteError
from laminar.model.action import Failure


def describe(error: BaseException) -> Failure:
    """Turn an error of the server's own into data."""
    if isinstance(error, RemoteError) and isinstance(error.failure, Failure):
        return error.failure
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return Failure(name, str(error), final=isinstance(error, NonRecoverableError))


def revive(failure: Failure, where: str) -> BaseException:  # noqa: ARG001 - it is not shown here
    """Turn data into an error that says the same."""
    error = RemoteError(f"{failure.type_name}: {failure.message}")
    error.type_name = failure.type_name
    error.failure = failure
    return error


FAILURES = Failures(describe, revive)
