"""Hooks: functions of a layer or flow that run at certain moments of each layer's life.

=============  =============================  =====================================================================
hook           where                          when
=============  =============================  =====================================================================
entry          in the scheduler's process     before a layer; a falsy answer skips it
submission     in the scheduler's process     before each attempt is submitted; may change ``self.configuration``
execution      where the layer runs           around ``__call__``
retry          in the scheduler's process     after a failed attempt, before the next; may change the configuration
=============  =============================  =====================================================================

A hook is a plain function, or a generator that yields once: what stands before the ``yield`` is the set-up, what stands
after it the tear-down, which also runs when what lay between has failed. An entry hook that is a generator yields its
answer, and is torn down once all have answered.
"""

from __future__ import annotations

from enum import Enum
from types import FunctionType, GeneratorType
from weakref import WeakKeyDictionary

from laminar.errors import FlowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    EntryT = TypeVar("EntryT", bound=Callable[..., Any])
    HookT = TypeVar("HookT", bound=Callable[..., Iterator[Any] | None])

MARK = "__laminar_hook__"
#: Flags of the code of coroutines and asynchronous generators, as the inspect module has them.
ASYNCHRONOUS = 0x80 | 0x200


class Kind(Enum):
    """Kind of a hook."""

    ENTRY = "entry"
    SUBMISSION = "submission"
    EXECUTION = "execution"
    RETRY = "retry"


def _mark(hook: EntryT, kind: Kind) -> EntryT:
    if not isinstance(hook, FunctionType):
        raise FlowError(
            f"@hooks.{kind.value} expects a function of a layer or flow, got {hook!r}. Write it without brackets."
        )
    if hook.__code__.co_flags & ASYNCHRONOUS:
        raise FlowError(f"@hooks.{kind.value} {hook.__qualname__}: hooks are plain functions. Write it without async.")
    setattr(hook, MARK, kind)
    return hook


def entry(hook: EntryT) -> EntryT:
    """Mark a hook that decides whether a layer runs: truthy runs it, falsy skips it.

    Usage::

        @hooks.entry
        def worthwhile(self, score: Score) -> bool:
            return score.value > 0.9
    """
    return _mark(hook, Kind.ENTRY)


def submission(hook: HookT) -> HookT:
    """Mark a hook that runs in the scheduler before each attempt; it may change ``self.configuration``.

    Usage::

        @hooks.submission
        def size(self, load: Load) -> None:
            self.configuration.container.memory = load.megabytes * 3
    """
    return _mark(hook, Kind.SUBMISSION)


def execution(hook: HookT) -> HookT:
    """Mark a hook that runs around the layer's ``__call__``, where that runs.

    Usage::

        @hooks.execution
        def connected(self) -> Generator[None, None, None]:
            open_connection()
            yield
            close_connection()
    """
    return _mark(hook, Kind.EXECUTION)


def retry(hook: HookT) -> HookT:
    """Mark a hook that runs in the scheduler after a failed attempt and before the next.

    Usage::

        @hooks.retry
        def more(self) -> None:
            self.configuration.container.memory *= 2
    """
    return _mark(hook, Kind.RETRY)


_collected: WeakKeyDictionary[type, dict[Kind, list[Callable[..., Any]]]] = WeakKeyDictionary()


def collect(kind: type) -> dict[Kind, list[Callable[..., Any]]]:
    """Collect the hooks of a class, base classes first, in the order of definition; a redefined hook counts once."""
    known = _collected.get(kind)
    if known is not None:
        return known
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            if isinstance(getattr(getattr(value, "__func__", value), MARK, None), Kind):
                if not isinstance(value, FunctionType):
                    kind_of = type(value).__name__
                    raise FlowError(f"{base.__qualname__}.{name}: a hook is a plain method; take {kind_of} away.")
                found[name] = value
    collected: dict[Kind, list[Callable[..., Any]]] = {each: [] for each in Kind}
    for hook in found.values():
        collected[getattr(hook, MARK)].append(hook)
    _collected[kind] = collected
    return collected


class Contexts:
    """Hooks that have been set up and await their tear-down."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: list[tuple[Callable[..., Any], GeneratorType[Any, Any, Any]]] = []

    def enter(self, hooks: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        """Run hooks, generators up to their ``yield``; if one raises, those before it are torn down.

        Returns:
            What each hook has returned or yielded.
        """
        answers = []
        try:
            for hook, arguments in hooks:
                answer = hook(*arguments)
                if isinstance(answer, GeneratorType):
                    generator, answer = answer, next(answer, self)
                    if answer is self:
                        raise FlowError(
                            f"The hook {hook.__qualname__} is a generator that did not yield; it must yield once."
                        )
                    self._open.append((hook, generator))
                answers.append(answer)
        except BaseException:
            self.leave()
            raise
        return answers

    def leave(self) -> None:
        """Run the tear-downs, last first, all of them.

        Raises:
            BaseException: What the first one that failed raised.
        """
        error: BaseException | None = None
        while self._open:
            hook, generator = self._open.pop()
            try:
                if next(generator, self) is not self:
                    generator.close()
                    raise FlowError(f"The hook {hook.__qualname__} yielded more than once.")
            except BaseException as raised:
                error = error or raised
        if error is not None:
            raise error
