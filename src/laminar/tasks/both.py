"""Methods that wait: called plainly they block, ``.aio`` of them is awaited."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Generic, ParamSpec, TypeVar, overload

from laminar.errors import BlockingCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

P = ParamSpec("P")
R = TypeVar("R")


class Both(Generic[P, R]):
    """A function that waits for something.

    Called where an event loop runs, it refuses, since it would block all else there; ``await it.aio(…)`` waits in a
    thread.
    """

    def __init__(self, function: Callable[P, R], *, briefly: bool = False) -> None:
        """Take the function.

        Args:
            function: The function.
            briefly: Whether it waits so shortly that it may be called plainly where an event loop runs.
        """
        self._function = function
        self._briefly = briefly
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Wait here.

        Raises:
            BlockingCallError: An event loop runs here.
        """
        if not self._briefly and asyncio._get_running_loop() is not None:
            name = self._function.__name__
            raise BlockingCallError(f"{name}(…) waits, and would block the event loop. Write: await ….{name}.aio(…)")
        return self._function(*args, **kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Wait beside all else on the event loop."""
        return await asyncio.to_thread(self._function, *args, **kwargs)


class waits(Generic[P, R]):  # noqa: N801 - used as a decorator
    """Make a method one that waits."""

    briefly = False

    def __init__(self, function: Callable[..., R]) -> None:
        """Take the method."""
        self._function = function
        self.__doc__ = function.__doc__

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Both[..., R]: ...

    def __get__(self, instance: object, owner: type) -> Any:
        """Bind it."""
        if instance is None:
            return self
        return Both(functools.wraps(self._function)(functools.partial(self._function, instance)), briefly=self.briefly)


class begins(waits[P, R]):  # noqa: N801 - used as a decorator
    """Make a method one that begins something, and waits for no more than that."""

    briefly = True
