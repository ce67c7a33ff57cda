"""Answers that tell of an error."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from laminar.errors import AuthenticationError, LedgerError, RateLimitError, RequestError, ServerBusyError
from laminar.wire.problems import MEDIA_TYPE, problem_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.errors import LaminarError


def answer(error: LaminarError, request: str) -> Response:
    """Answer with what went wrong.

    Args:
        error: What went wrong.
        request: The request's id.
    """
    problem = problem_of(error, request)
    return Response(msgspec.json.encode(problem), problem.status, _headers(error), MEDIA_TYPE)


def refusal(status: int, text: str) -> RequestError:
    """Make the error of a request that cannot be answered.

    Args:
        status: Status of the answer.
        text: What is wrong with the request, and what to do.
    """
    error = RequestError(text)
    error.status = status
    return error


def wrong_method(method: str, path: str, known: list[str]) -> RequestError:
    """Make the error of a method that a path does not have."""
    error = refusal(405, f"{path} cannot be asked for by {method}. Use {' or '.join(known)}.")
    error.allowed = tuple(known)
    return error


def _headers(error: LaminarError) -> dict[str, str]:
    if isinstance(error, AuthenticationError):
        return {"WWW-Authenticate": 'Bearer realm="laminar"'}
    if isinstance(error, (RateLimitError, ServerBusyError, LedgerError)):
        return {"Retry-After": "1"}
    if isinstance(error, RequestError) and error.allowed:
        return {"Allow": ", ".join(error.allowed)}
    return {}
