"""A fresh process that loads the user's code to run one attempt."""

from __future__ import annotations

from laminar.data.serde.failures import describe
from laminar.errors import CodeLoadError
from laminar.model.action import Manifest
from laminar.worker import assignment, child, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from laminar.model.action import Attempt


def main() -> NoReturn:
    """Take an order from standard input, run it, and leave."""
    perform(assignment.take())
    child.leave()


def perform(attempt: Attempt) -> None:
    """Load the code, run the attempt, and hand over its manifest."""
    action = attempt.request.key.action
    assignment.assign(assignment.Assignment(action.space, action.run, stops=True))
    try:
        entry = loading.load(attempt.code, attempt.entry)
    except CodeLoadError as error:
        child.hand_over(attempt.request, Manifest({}, describe(error)))
    else:
        child.run(entry, attempt.request)
