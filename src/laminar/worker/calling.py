"""How a running attempt calls children: it names them, asks the engine, and waits for the answers.

A child's name is a digest of (parent, task, inputs, path, n): n counts the equal calls made so far on the same path.
The path tells concurrent parts of one attempt apart. It is inherited from who started the part, with what was started
(the coroutine function and its plain arguments) and how many such were started there before. So a name depends neither
on the order in which things complete nor on the text of the program.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import hashlib
import marshal
import threading
import weakref

from laminar.data.canonical import digest
from laminar.data.serde.failures import revive
from laminar.errors import ExecutionError, TaskError
from laminar.wire.messages import Dismiss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from laminar.data.values import Values
    from laminar.model.ids import AttemptKey
    from laminar.wire.messages import Answer, Message

    Ask = Callable[[AttemptKey, Message, Callable[[Answer], None]], None]

#: The attempt that the running code belongs to.
current: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("laminar_caller", default=None)
_path: contextvars.ContextVar[bytes] = contextvars.ContextVar("laminar_path", default=b"")
#: Code of coroutines that call a child: their path is that of who made the call.
_calls: set[object] = set()

SIZE = 10
#: Flags of code that takes ``*args`` and ``**kwargs``: :data:`inspect.CO_VARARGS`, :data:`inspect.CO_VARKEYWORDS`.
VARARGS, VARKEYWORDS = 4, 8


class Caller:
    """Calls children for one attempt.

    Attributes:
        key: The attempt.
        task: Full name of the task, or name of the layer.
        values: Packs and unpacks what it passes on and gets back.
        label: Name of the group that calls are made in.
    """

    def __init__(self, key: AttemptKey, task: str, values: Values, ask: Ask) -> None:
        """Begin without calls.

        Args:
            key: The attempt.
            task: Full name of the task, or name of the layer.
            values: Packs and unpacks what it passes on and gets back.
            ask: Takes a message for the engine, and what takes the answer from any thread.
        """
        self.key = key
        self.task = task
        self.values = values
        #: Whether it has ended: what it leaves behind is the engine's to end, or to keep for the next try.
        self.over = False
        #: Whether results that other runs have kept may be used.
        self.reads_cache = True
        #: Version of the code that runs, where a server knows several.
        self.version = ""
        self._ask = ask
        self._lock = threading.Lock()
        self._made: dict[bytes, int] = {}
        action = key.action
        #: Whose children these are: a split of a layer, or a call of a task whichever time it is tried.
        self.parent = f"{action.name}[{action.index}]" if action.index else action.name
        self._parts: dict[bytes, tuple[weakref.ref[Any], weakref.ref[Any]]] = {}

    def name(self, task: str, inputs: bytes) -> str:
        """Name the next call of a task with these inputs on the path of the running code.

        Args:
            task: Full name of the task.
            inputs: Digest of the inputs.

        Raises:
            TaskError: Parts that cannot be told apart have made equal calls.
        """
        what = b"\0".join((self.parent.encode(), task.encode(), _path.get(), inputs))
        digest = hashlib.blake2b(what, digest_size=16).digest()
        loop = asyncio._get_running_loop()
        if loop is not None and loop.get_task_factory() is not task_factory:
            self._stop_if_ambiguous(digest, task, loop)
        number = self._count(digest)
        name = hashlib.blake2b(digest + number.to_bytes(8, "big"), digest_size=SIZE).digest()
        return base64.b32encode(name).decode().lower()

    def _stop_if_ambiguous(self, digest: bytes, task: str, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse equal calls by several parts on an event loop of the program's own, where parts have no paths.

        Which is first there may differ from time to time, so that one might be given the result of the other.
        """
        part = asyncio.current_task(loop) or loop
        on, before = self._parts.setdefault(digest, (weakref.ref(loop), weakref.ref(part)))
        if on() is not loop:
            self._parts[digest] = (weakref.ref(loop), weakref.ref(part))
        elif before() is not part:
            raise TaskError(
                f"Two parts of {self.task} that run side by side have called {task} with equal inputs, on an event "
                "loop that it has made itself. There they cannot be told apart, so that a resumed run could give one "
                "the result of the other. Start the parts in an asynchronous task, or give the calls unequal inputs."
            )

    def _count(self, digest: bytes) -> int:
        with self._lock:
            number = self._made.get(digest, 0)
            self._made[digest] = number + 1
        return number

    def path_of(self, coroutine: Coroutine[Any, Any, Any]) -> bytes:
        """Give the path of a coroutine that is about to run beside the running code."""
        label = _label(coroutine)
        digest = hashlib.blake2b(b"\1" + _path.get() + label, digest_size=16).digest()
        return digest + self._count(digest).to_bytes(4, "big")

    @property
    def fresh(self) -> bool:
        """Whether nothing of this action can be recorded yet, since it is tried for the first time in a new run."""
        return self.key.number == 1 and self.key.epoch == 1 and self.key.action.index == 0

    def ask(self, message: Message, reply: Callable[[Answer], None]) -> None:
        """Ask; the answer is given in another thread."""
        self._ask(self.key, message, reply)

    async def call(self, message: Message) -> Answer:
        """Ask, and wait for the answer on the running event loop. A cancelled call dismisses its child."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._ask(self.key, message, Replies.of(loop, future))
        try:
            return await future
        except asyncio.CancelledError:
            if not self.over:
                self.dismiss(message.id)
            raise

    def dismiss(self, id: str) -> None:  # noqa: A002
        """Say that a child is needed no more."""
        self._ask(self.key, Dismiss(id), _ignore)

    def call_blocking(self, message: Message) -> Answer:
        """Ask, and wait for the answer in this thread."""
        waiting = _Waiting()
        self._ask(self.key, message, waiting.set)
        return waiting.get()

    def value(self, answer: Answer) -> Any:
        """Give what a call has returned, or raise what it has raised."""
        if answer.failure is not None:
            raise revive(answer.failure, answer.where)
        if answer.output is None:
            raise ExecutionError(f"{answer.where or answer.id} ended without a result.")
        return self.values.unpack(answer.output.refs[0])


class Replies:
    """Takes answers from the engine's thread to an event loop, many at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start empty."""
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.Future[Answer], Answer]] = []

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Answer]) -> Callable[[Answer], None]:
        """Give what takes the answer for a future of a loop."""
        replies: Replies | None = getattr(loop, "_laminar_replies", None)
        if replies is None:
            replies = cls(loop)
            loop._laminar_replies = replies  # type: ignore[attr-defined]
        return _Reply(replies, future)

    def add(self, future: asyncio.Future[Answer], answer: Answer) -> None:
        """Take an answer; the first of many wakes the loop."""
        with self._lock:
            self._waiting.append((future, answer))
            first = len(self._waiting) == 1
        if first:
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _deliver(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for future, answer in waiting:
            if not future.done():
                future.set_result(answer)


class _Reply:
    """Takes the answer for one future. There may be a hundred thousand at a time."""

    __slots__ = ("_future", "_replies")

    def __init__(self, replies: Replies, future: asyncio.Future[Answer]) -> None:
        self._replies = replies
        self._future = future

    def __call__(self, answer: Answer) -> None:
        self._replies.add(self._future, answer)


class _Waiting:
    """An answer that a thread waits for."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: Answer | None = None

    def set(self, answer: Answer) -> None:
        self._answer = answer
        self._done.set()

    def get(self) -> Answer:
        self._done.wait()
        assert self._answer is not None
        return self._answer


def _ignore(_: Answer) -> None:
    """Take an answer that nobody waits for."""


def makes_calls(code: object) -> None:
    """Say that coroutines of this code only call a child."""
    _calls.add(code)


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,
    context: contextvars.Context | None = None,
    **options: Any,
) -> asyncio.Task[Any]:
    """Make an :class:`asyncio.Task` whose code has a path of its own, and bears the name of its attempt."""
    caller = current.get()
    if caller is not None and not caller.over and getattr(coroutine, "cr_code", None) not in _calls:
        path = caller.path_of(coroutine)
        context = contextvars.copy_context() if context is None else context
        context.run(_path.set, path)
        options.setdefault("name", f"laminar {caller.key}")
    return asyncio.Task(coroutine, loop=loop, context=context, **options)


def _label(coroutine: Any) -> bytes:
    """Say what is started: the function's name, and its arguments as far as they can be told apart."""
    code = getattr(coroutine, "cr_code", None)
    frame = getattr(coroutine, "cr_frame", None)
    name = str(getattr(coroutine, "__qualname__", type(coroutine).__qualname__)).encode()
    if code is None or frame is None:
        return name
    values = frame.f_locals
    starred = bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]
    return b"\0".join([name, *(_plain(values.get(argument)) for argument in names)])


def _plain(value: Any) -> bytes:
    try:
        return marshal.dumps(value, 2)
    except ValueError:
        try:
            return digest(value, _name_of_code)
        except Exception:  # an object of the user's may refuse in its own way
            return type(value).__qualname__.encode()


def _name_of_code(value: Any) -> bytes:
    return str(getattr(value, "__qualname__", type(value).__qualname__)).encode()
