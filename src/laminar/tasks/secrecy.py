"""The secrets of a run: found when it begins, given to tasks that ask for them, hidden in what all of them print."""

from __future__ import annotations

import contextlib
import functools
import os

from laminar.errors import SecretError, SecretNotFoundError
from laminar.runs import secrets
from laminar.tasks import registry
from laminar.tasks.task import Task
from laminar.worker.capture import hide
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
        """Find those that the tasks of this process ask for. One that is nowhere is told of when its task is called.

        Args:
            root: The folder of local runs.
        """
        self._root = root
        self._known: dict[Secret, str] = {}
        for name in registry.names():
            with contextlib.suppress(SecretNotFoundError):
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
        return tuple(dict.fromkeys(self._known.values()))


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
        if payload.inside:
            hide(redactor)
        else:
            stack.enter_context(Sieve(redactor))
        for secret, value in payload.secrets:
            if secret.mount is not None:
                stack.callback(os.unlink, _lay_out(secret, value))
        yield


def _lay_out(secret: Secret, value: str) -> str:
    """Write the file of a secret, which only this user can read.

    Raises:
        SecretError: There is a file already, or it cannot be written.
    """
    path = os.fspath(secret.mount or "")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise SecretError(
            f"The file {path} for the secret {secret.name} cannot be made: {error.strerror}. "
            "Name another path with mount=…, or give it as a variable with as_env_var=…."
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(value)
    return path


def cleaned(payload: Payload, manifest: Manifest) -> Manifest:
    """Hide secrets in the error that an attempt hands over."""
    if not payload.hidden or manifest.failure is None:
        return manifest
    return manifest.replace(failure=_redactor(payload.hidden).failure(manifest.failure))
