"""``laminar.trace``: checkpoints of a task, for helpers that are no tasks themselves."""

from __future__ import annotations

import functools
import inspect
import time
from typing import Any, ParamSpec, TypeVar

from laminar.data.serde.failures import describe
from laminar.errors import DigestError, TaskError
from laminar.model.action import Output
from laminar.tasks import fingerprints
from laminar.tasks.group import label
from laminar.wire.messages import Checkpoint, Recall
from laminar.worker import hiding
from laminar.worker.calling import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.worker.calling import Caller

P = ParamSpec("P")
R = TypeVar("R")


def trace(function: Callable[P, R]) -> Callable[P, R]:
    """Record what a helper returns, so that it does not run again when its task is tried again or resumed.

    The helper runs where its task runs. Each call is one line in the journal of the run, and an entry in its tree.
    Outside of a run it is the plain function.

    Args:
        function: The helper, synchronous or asynchronous.

    Raises:
        TaskError: It is a generator.

    Usage::

        @laminar.trace
        async def ask(prompt: str) -> str: ...
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TaskError(f"laminar.trace: {function.__qualname__} is a generator, and has no result to be recorded.")
    name = f"{function.__module__}.{function.__qualname__}"
    made = _asynchronous(function, name) if inspect.iscoroutinefunction(function) else _synchronous(function, name)
    return functools.wraps(function)(made)


def _asynchronous(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        caller = current.get()
        if caller is None:
            return await function(*args, **kwargs)
        id_ = _id(caller, name, args, kwargs)
        if not caller.fresh:
            answer = await caller.call(Recall(id_))
            if answer.output is not None:
                return caller.value(answer)
        started = time.time()
        try:
            result = await function(*args, **kwargs)
        except Exception as error:
            await caller.call(Checkpoint(id_, name, label(), started, None, hiding.failure(describe(error))))
            raise
        await caller.call(_returned(caller, id_, name, started, result))
        return result

    return traced


def _synchronous(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Any:
        caller = current.get()
        if caller is None:
            return function(*args, **kwargs)
        id_ = _id(caller, name, args, kwargs)
        if not caller.fresh:
            answer = caller.call_blocking(Recall(id_))
            if answer.output is not None:
                return caller.value(answer)
        started = time.time()
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            caller.call_blocking(Checkpoint(id_, name, label(), started, None, hiding.failure(describe(error))))
            raise
        caller.call_blocking(_returned(caller, id_, name, started, result))
        return result

    return traced


def _returned(caller: Caller, id_: str, name: str, started: float, result: Any) -> Checkpoint:
    return Checkpoint(id_, name, label(), started, Output((caller.values.pack(result),)))


def _id(caller: Caller, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    try:
        inputs = fingerprints.digest((args, kwargs))
    except DigestError as error:
        raise TaskError(f"laminar.trace: an argument of {name} cannot be told from others: {error}") from error
    return caller.name(f"trace {name}", inputs)
