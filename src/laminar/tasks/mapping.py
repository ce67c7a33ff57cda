"""``laminar.map``: a task over many items, side by side."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import deque
from itertools import islice
from typing import Any, Generic, TypeVar

from laminar.errors import BlockingCallError, TaskError
from laminar.model.amounts import whole
from laminar.tasks.task import Task
from laminar.worker.calling import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator

    from laminar.wire.messages import Answer
    from laminar.worker.calling import Caller

R = TypeVar("R")

#: Calls that are under way at a time, unless the user says otherwise: an iterable may have no end.
AHEAD = 1000


class Mapped(Generic[R]):
    """The results of a task over many items, in their order.

    Iterate over it, ``async for`` over it, or await it for a list. Made by :func:`map`.
    """

    def __init__(
        self, task: Task[..., R], calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]], ahead: int, keep: bool
    ) -> None:
        """Begin nothing yet.

        Args:
            task: The task.
            calls: Arguments of each call, by position and by name.
            ahead: Calls that are under way at a time.
            keep: Whether exceptions are results too.
        """
        self._task = task
        self._calls = iter(calls)
        self._ahead = ahead
        self._keep = keep

    def __iter__(self) -> Iterator[R]:
        """Give the results, waiting for each in this thread.

        Raises:
            BlockingCallError: An event loop runs here.
            Exception: What a call has raised, when its turn comes; calls that are under way are dismissed.
        """
        if asyncio._get_running_loop() is not None:
            raise BlockingCallError(
                "laminar.map(…) was iterated over where an event loop runs, and would block it. Write: "
                "[result async for result in laminar.map(…)], or: await laminar.map(…)"
            )
        caller = current.get()
        return self._plainly() if caller is None else self._blocking(caller)

    def __aiter__(self) -> AsyncIterator[R]:
        """Give the results, waiting for each on the event loop."""
        return self._results()

    def __await__(self) -> Generator[Any, None, list[R]]:
        """Wait for all results."""
        return self._all().__await__()

    async def aio(self) -> list[R]:
        """Wait for all results."""
        return await self._all()

    async def _all(self) -> list[R]:
        return [result async for result in self._results()]

    def _plainly(self) -> Iterator[R]:
        """Call the function for each item, outside of a run."""
        for args, kwargs in self._calls:
            try:
                result: Any = self._task(*args, **kwargs)
                result = asyncio.run(result) if self._task.is_async else result
            except Exception as error:
                if not self._keep:
                    raise
                result = error
            yield result

    def _blocking(self, caller: Caller) -> Iterator[R]:
        waiting: deque[_Asked] = deque()
        try:
            while True:
                for args, kwargs in islice(self._calls, self._ahead - len(waiting)):
                    waiting.append(_Asked(caller, self._task, args, kwargs))
                if not waiting:
                    return
                waiting[0].wait()
                yield self._value(waiting.popleft().value)
        finally:
            for asked in waiting:
                asked.dismiss()

    async def _results(self) -> AsyncIterator[R]:
        waiting: deque[asyncio.Task[R]] = deque()
        try:
            while True:
                for args, kwargs in islice(self._calls, self._ahead - len(waiting)):
                    waiting.append(asyncio.create_task(self._task.aio(*args, **kwargs)))
                if not waiting:
                    return
                first = waiting.popleft()
                try:
                    await asyncio.wait([first])
                except asyncio.CancelledError:
                    first.cancel()
                    raise
                yield self._value(first.result)
        finally:
            for task in waiting:
                task.cancel()

    def _value(self, take: Callable[[], R]) -> R:
        try:
            return take()
        except Exception as error:
            if not self._keep:
                raise
            return error  # type: ignore[return-value]


class _Asked:
    """A call that a thread waits for."""

    def __init__(self, caller: Caller, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._caller = caller
        self._done = threading.Event()
        self._answer: Answer | None = None
        call = task.call(caller, args, kwargs)
        self._id = call.id
        caller.ask(call, self._take)

    def _take(self, answer: Answer) -> None:
        self._answer = answer
        self._done.set()

    def wait(self) -> None:
        self._done.wait()

    def value(self) -> Any:
        assert self._answer is not None
        return self._caller.value(self._answer)

    def dismiss(self) -> None:
        if self._answer is None:
            self._caller.dismiss(self._id)


def map(  # noqa: A001 - the field's word
    task: Task[..., R] | functools.partial[R],
    *iterables: Iterable[Any],
    concurrency: int | None = None,
    return_exceptions: bool = False,
) -> Mapped[R]:
    """Call a task for each item of an iterable, side by side. The results come in the order of the items.

    Args:
        task: The task, or a ``functools.partial`` of it with arguments that are the same for all items.
        *iterables: One for each argument by position; the shortest ends it.
        concurrency: Calls that are under way at a time; None or 0 for as many as there is room for.
        return_exceptions: Whether an exception is a result like others; else the first one, in the order of the items,
            is raised and what is under way is dismissed.

    Raises:
        TaskError: It is no task, there is no iterable, or the concurrency is no whole number.

    Usage::

        scores = list(laminar.map(score, rows))               # in a synchronous task
        scores = await laminar.map(score, rows)               # in an asynchronous one
        async for score in laminar.map(score, rows, concurrency=8): ...
    """
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    known: Any = task
    if isinstance(task, functools.partial):
        known, args, kwargs = task.func, task.args, task.keywords
    if not isinstance(known, Task):
        raise TaskError(f"laminar.map expects a task, got {task!r}. Make the function one with @env.task.")
    if not iterables:
        raise TaskError(f"laminar.map({known.name}): expects at least one iterable.")
    if concurrency is not None and (not whole(concurrency) or concurrency < 0):
        raise TaskError(f"laminar.map(concurrency={concurrency!r}): expects a whole number; 0 or None is no limit.")
    calls = (((*args, *items), kwargs) for items in zip(*iterables))  # noqa: B905 - the shortest ends it, as in map()
    return Mapped(known, calls, concurrency or AHEAD, return_exceptions)
