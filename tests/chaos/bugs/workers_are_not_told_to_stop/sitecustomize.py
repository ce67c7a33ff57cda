"""A seeded bug: a server drops cancelled attempts without telling who runs them."""

from laminar.model.action import Ended
from laminar.model.states import Outcome
from laminar.server import agents


def stop(self, key, grace):  # type: ignore[no-untyped-def]
    attempt = self._attempts.get(key)
    if attempt is not None:
        self._end(attempt, Ended(key, Outcome.CANCELLED))


agents.Agents.stop = stop  # type: ignore[method-assign]
