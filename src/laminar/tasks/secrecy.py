"""The secrets of a run: found when it begins, given to tasks that ask for them, hidden in what all of them print."""

from __future__ import annotations

import contextlib
import functools

from laminar.errors import SecretError
from laminar.host import secrets
from laminar.tasks import registry
from laminar.tasks.mounting import mounted
from laminar.tasks.task import Task
from laminar.worker.capture import hide
from laminar.worker.hiding import hidden
from laminar.worker.redaction import Redactor
from laminar.worker.sieve import Sieve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.model.action import Manifest
    from laminar.model.secret import Secret
    from laminar.tasks.payload import Payload
    from laminar.tasks.settings import Settings


class Secrecy:
    """The secrets of one run."""

    def __init__(self, root: str) -> None:
        """Find those that the tasks of this process ask for. One that cannot be had is told of when its task is called.

        Args:
            root: The folder of local runs.
        """
        self._root = root
        self._known: dict[Secret, str] = {}
        for name in registry.names():
            with contextlib.suppress(SecretError):
                self.of(registry.find(name, "__main__", Task).settings)

    def of(self, settings: Settings) -> tuple[tuple[Secret, str], ...]:
        """Give the secrets of a task.

        Raises:
            SecretNotFoundError: One is nowhere.
            SecretError: One cannot be read, or cannot be hidden.
        """
        missing = [secret for secret in settings.secrets if secret not in self._known]
        if missing:
            self._known.update(secrets.resolve(missing, self._root))
        return tuple((secret, self._known[secret]) for secret in settings.secrets)

    @property
    def values(self) -> tuple[str, ...]:
        """The values of all of them: a task that asks for none may come by one, in the environment or from another."""
        return tuple(dict.fromkeys(self._known.values())) if self._known else ()


@functools.lru_cache(maxsize=16)
def _redactor(values: tuple[str, ...]) -> Redactor:
    return Redactor(values)


@contextlib.contextmanager
def kept(payload: Payload) -> Iterator[None]:
    """Hide secrets in what the running attempt prints, and lay out those that it is given as files."""
    if not payload.hidden:
        yield
        return
    redactor = _redactor(payload.hidden)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hidden(redactor))
        if payload.inside:
            hide(redactor)
        else:
            stack.enter_context(Sieve(redactor))
        for secret, value in payload.secrets:
            if secret.mount is not None:
                stack.enter_context(mounted(secret, value))
        yield


def cleaned(payload: Payload, manifest: Manifest) -> Manifest:
    """Hide secrets in the error that an attempt hands over."""
    if not payload.hidden or manifest.failure is None:
        return manifest
    return manifest.replace(failure=_redactor(payload.hidden).failure(manifest.failure))
