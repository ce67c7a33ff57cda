"""What a server says when it refuses: problem details (RFC 9457), one type for each class of laminar's errors."""

from __future__ import annotations

import functools
import re

import msgspec

from laminar import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The media type of a problem.
MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:laminar:"
#: The status of each class; others have that of the nearest class above.
STATUSES: dict[type[BaseException], int] = {
    errors.LaminarError: 500,
    errors.RequestError: 400,
    errors.AuthenticationError: 401,
    errors.PermissionDeniedError: 403,
    errors.UnknownProjectError: 404,
    errors.UnknownEntityError: 404,
    errors.UnknownTokenError: 404,
    errors.UnknownQueueError: 404,
    errors.UnknownTriggerError: 404,
    errors.UnknownRunError: 404,
    errors.VersionConflictError: 409,
    errors.RunExistsError: 409,
    errors.RunHeldError: 409,
    errors.StaleAttemptError: 409,
    errors.UploadRefusedError: 422,
    errors.FlowError: 422,
    errors.TaskError: 422,
    errors.ConfigurationError: 422,
    errors.RateLimitError: 429,
    errors.ServerBusyError: 503,
    errors.LedgerError: 503,
    errors.StorageError: 507,
}


class Problem(msgspec.Struct, kw_only=True, frozen=True):
    """Why a request was refused.

    Attributes:
        type: ``urn:laminar:`` and the name of the error's class in kebab case.
        title: The name of the class in words.
        status: Status of the answer.
        detail: What happened, to what, and what to do next.
        request: The request's id in the server's log.
    """

    type: str
    title: str
    status: int
    detail: str
    request: str = ""


def type_of(kind: type[errors.LaminarError]) -> str:
    """Name the type of the problems that a class of errors makes."""
    return PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def problem_of(error: errors.LaminarError, request: str = "") -> Problem:
    """Tell of an error.

    Args:
        error: The error; a ``RequestError`` brings its own status.
        request: The request's id in the server's log.
    """
    kind = type(error)
    nearest = next(above for above in kind.__mro__ if above in STATUSES)
    status = error.status if isinstance(error, errors.RequestError) else STATUSES[nearest]
    title = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind.__name__.removesuffix("Error")).capitalize()
    return Problem(type=type_of(kind), title=title, status=status, detail=str(error), request=request)


def error_of(problem: Problem) -> errors.LaminarError:
    """Make the error that a problem tells of: of the same class, or a ``ServerError`` if that is not known here."""
    error = _kinds().get(problem.type, errors.ServerError)(problem.detail)
    if isinstance(error, errors.RequestError):
        error.status = problem.status
    return error


@functools.cache
def _kinds() -> Mapping[str, type[errors.LaminarError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LaminarError)]
    return {type_of(kind): kind for kind in found}
