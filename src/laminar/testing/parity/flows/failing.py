"""A flow that fails, in the way that it is told."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks
from laminar.configurations.layers import Retry
from laminar.exceptions import NonRecoverableError
from laminar.testing.parity import signs
from laminar.testing.parity.samples import CodedError, LockedError, MuteError, PlainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn


class GoneError(NonRecoverableError):
    """No retry can help."""


class FailingFlow(Flow):
    """Fails."""


@FailingFlow.register
class Fail(Layer):
    """Fails as the parameters say."""

    @hooks.submission
    def settle(self, parameters: Parameters) -> None:
        """Let the parameters say how often it is tried, and with how much memory."""
        self.configuration.retry = Retry(attempts=parameters.attempts, delay=0)
        self.configuration.container.memory = parameters.memory

    @hooks.execution
    def around(self, parameters: Parameters) -> Iterator[None]:
        """Fail here, if that is the way."""
        if parameters.how == "set_up":
            raise PlainError("in the set-up")
        yield
        signs.leave(parameters.signs, f"torn-down-{parameters.how}")
        if parameters.how == "tear_down":
            raise PlainError("in the tear-down")

    def __call__(self, parameters: Parameters) -> None:
        signs.leave(parameters.signs, f"tried-{parameters.how}")
        self.before = 1
        WAYS[parameters.how](self)
        self.after = True


@FailingFlow.register
class Follow(Layer):
    """Needs what fails."""

    def __call__(self, fail: Fail) -> None:
        self.ran = True


# Ways to fail


def plainly(layer: Any) -> NoReturn:
    """Raise an exception of a module, with arguments and a note."""
    error = PlainError("said", 1, ("two",))
    error.add_note("a note of the user's")
    raise error


def with_a_code(layer: Any) -> NoReturn:
    """Raise what wants more than a text."""
    raise CodedError("has a code", 7)


def with_a_cause(layer: Any) -> NoReturn:
    """Raise from another exception."""
    raise PlainError("wrapped") from KeyError("key")


def as_a_group(layer: Any) -> NoReturn:
    """Raise several at once."""
    raise ExceptionGroup("several", [PlainError("one"), ExceptionGroup("more", [CodedError("two", 2)])])


def with_a_lock(layer: Any) -> NoReturn:
    """Raise what holds something that cannot be pickled."""
    raise LockedError


def mutely(layer: Any) -> NoReturn:
    """Raise what has no text."""
    raise MuteError


def locally(layer: Any) -> NoReturn:
    """Raise an exception of a class that nobody can import."""

    class HiddenError(Exception):
        """Is defined inside a function."""

    raise HiddenError("hidden")


def deeply(layer: Any) -> NoReturn:
    """Never come to an end."""
    deeply(layer)
    raise AssertionError


def as_interrupted(layer: Any) -> NoReturn:
    """Raise what is no Exception."""
    raise KeyboardInterrupt


def for_good(layer: Any) -> NoReturn:
    """Say that no retry can help."""
    raise GoneError("for good")


def with_the_attempt(layer: Any) -> NoReturn:
    """Say which try it is."""
    raise PlainError(f"try {layer.attempt}")


def with_an_artifact(layer: Any) -> None:
    """Assign what cannot be pickled."""
    layer.wrong = {"deep": [threading.Lock()]}


def by_exit(layer: Any) -> NoReturn:
    """End as scripts do."""
    sys.exit(3)


def by_exit_with_words(layer: Any) -> NoReturn:
    """End as scripts do, with a message."""
    sys.exit("with words")


def by_exit_at_once(layer: Any) -> NoReturn:
    """End the process behind everybody's back."""
    os.write(1, b"last words\n")
    os._exit(3)


def by_success_at_once(layer: Any) -> NoReturn:
    """End the process as if all were well."""
    os._exit(0)


def by_kill(layer: Any) -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def by_abort(layer: Any) -> NoReturn:
    """End as C libraries do that have lost their way."""
    os.abort()


def by_crash(layer: Any) -> None:
    """Read where there is nothing."""
    ctypes.string_at(0)


def by_memory(layer: Any) -> None:
    """Take more memory than the container has."""
    held = [bytes([number]) * 2**24 for number in range(1, 21)]
    layer.megabytes = sum(map(len, held)) / 1e6


def not_at_all(layer: Any) -> None:
    """Leave the failing to the hooks."""


WAYS: dict[str, Callable[[Any], None]] = {
    **{
        way.__name__: way
        for way in (
            *(plainly, with_a_code, with_a_cause, as_a_group, with_a_lock, mutely, locally, deeply, as_interrupted),
            *(for_good, with_the_attempt, with_an_artifact, by_exit, by_exit_with_words, by_exit_at_once),
            *(by_success_at_once, by_kill, by_abort, by_crash, by_memory),
        )
    },
    "set_up": not_at_all,
    "tear_down": not_at_all,
}
