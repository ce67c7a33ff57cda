"""How task calls become actions: what the room of tasks knows, found by name, as rooms below it cannot."""

from __future__ import annotations

import contextlib
import importlib
import sys
from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from laminar.data.values import Values
    from laminar.engine.contract import Work
    from laminar.executors.contract import Executor
    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.wire.messages import Answer, Call, Message

    Ask = Callable[[AttemptKey, Message, Callable[[Answer], None]], None]

#: The module of the room of tasks that makes actions of calls.
MAKER = "laminar.tasks.program"


class Calls(ABC):
    """Makes actions of task calls."""

    @abstractmethod
    def work(self, call: Call, key: ActionKey, depth: int) -> Work:
        """Make an action of a call.

        Args:
            call: The call.
            key: The action's name.
            depth: How deep below the first actions of the run it was called.

        Raises:
            TaskError: There is no such task here.
        """


class Late(Calls):
    """Makes actions of the calls of layers: what it takes is loaded with the first."""

    def __init__(self, executors: Mapping[str, Executor], values: Values) -> None:
        """Remember where they may run, and where their values lie."""
        self._executors = executors
        self._values = values
        self._made: Calls | None = None

    def work(self, call: Call, key: ActionKey, depth: int) -> Work:
        """Make an action of a call."""
        if self._made is None:
            made: Calls = importlib.import_module(MAKER).calls(self._executors, self._values)  # a plug-in by name
            self._made = made
        return self._made.work(call, key, depth)


def loaded() -> bool:
    """Tell whether the program has tasks, so that there may be calls."""
    return "laminar.tasks.environment" in sys.modules


@contextlib.contextmanager
def caller(key: AttemptKey, values: Values, ask: Ask) -> Iterator[None]:
    """Let the code of an attempt in this process call tasks.

    Args:
        key: The attempt.
        values: Packs and unpacks what it passes on.
        ask: Asks the engine.
    """
    from laminar.worker.calling import Caller, current  # 50 ms of asyncio that flows without tasks do not need

    token = current.set(Caller(key, key.action.name, values, ask))
    try:
        yield
    finally:
        current.reset(token)


def call_from(key: AttemptKey, values: Values, ask: Ask) -> None:
    """Let the code of the current context call tasks from now on; see :func:`caller`."""
    from laminar.worker.calling import Caller, current  # loaded by then

    current.set(Caller(key, key.action.name, values, ask))


def task_factory() -> Any:
    """Give what makes the tasks of event loops, so that each part of an attempt has a path."""
    from laminar.worker.calling import task_factory as factory  # 50 ms of asyncio that flows do not need

    return factory
