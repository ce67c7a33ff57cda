"""Tasks: functions that become actions when they are called within a run."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import pickle
import warnings
from typing import Any, Generic, ParamSpec, TypeVar

from laminar.data.canonical import digest
from laminar.errors import BlockingCallError, DigestError, TaskError, UnpicklableArtifactError
from laminar.model.cache import CacheKey
from laminar.model.policies import Cache
from laminar.tasks import fingerprints
from laminar.tasks.group import label
from laminar.tasks.interface import Interface
from laminar.tasks.settings import OF_CALL, Settings, encoded, read
from laminar.wire.messages import Call
from laminar.worker.calling import Caller, current, makes_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from typing import NoReturn

    from laminar.data.values import Values
    from laminar.model.policies import Retry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

#: Whether the running code is the body of an asynchronous task that was called outside of a run.
_plainly: contextvars.ContextVar[bool] = contextvars.ContextVar("laminar_plainly", default=False)


class Task(Generic[P, R]):
    """A function of an environment.

    Outside of a run, a call is a call of the function. Within one it is a child action: it may run elsewhere, is tried
    again, cached, recorded. Made by :meth:`laminar.TaskEnvironment.task`.

    Attributes:
        name: Full name, ``<environment>.<function>``.
        environment: Name of its environment.
        function: The function itself; ``forward`` is another word for it.
        module: Name of the module that defines it.
        interface: What it takes and gives.
        is_async: Whether the function is a coroutine function.
    """

    #: What describes the environment of a task as what can be deployed; by name, as it is loaded by who deploys.
    __laminar_deployable__ = "laminar.tasks.deploying:of_task"

    def __init__(
        self,
        environment: str,
        function: Callable[P, R],
        levels: tuple[Mapping[str, Any], ...],
        triggers: tuple[Any, ...] = (),
    ) -> None:
        """Take a function.

        Args:
            environment: Name of its environment.
            function: The function.
            levels: Settings of the environment, of the decorator, and of a call; the later ones hold.
            triggers: What starts it by itself, once it is deployed.

        Raises:
            TaskError: It cannot be a task.
        """
        self.name = f"{environment}.{function.__name__}"
        self.environment = environment
        self.function = function
        self.forward = function
        self.module = function.__module__
        self.triggers = triggers
        self.interface = Interface.of(function)
        self.is_async = inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(function)
        self._levels = levels
        functools.update_wrapper(self, function)

    @functools.cached_property
    def settings(self) -> Settings:
        """How it is carried out."""
        merged: dict[str, Any] = {}
        for level in self._levels:
            merged.update(level)
        return Settings(**merged)

    @functools.cached_property
    def retry(self) -> Retry:
        """When it is tried again, as the engine carries it out."""
        return self.settings.retries.retry()

    @functools.cached_property
    def _result_type(self) -> bytes:
        """Count in the names of calls: what was recorded of another type is no result of this task."""
        return digest(json.dumps(self.interface.result.schema(), sort_keys=True), _no_code)

    @property
    def overrides(self) -> Mapping[str, Any]:
        """What was said of it by :meth:`override`."""
        return self._levels[2]

    @property
    def short_name(self) -> str:
        """What it is called where space is short."""
        return self.settings.short_name or self.function.__name__

    def override(self, **changes: Any) -> Task[P, R]:
        """Give the task with other settings, for the calls that are made of it.

        Args:
            **changes: Any of ``resources``, ``cache``, ``retries``, ``timeout``, ``env_vars``, ``secrets``,
                ``reusable``, ``interruptible``, ``queue``, ``short_name``. What is given holds, also 0 and None.

        Raises:
            TaskError: A setting is unknown, or cannot be changed for a call.
            PolicyError: A value makes no sense.

        Usage::

            await train.override(retries=0, resources=laminar.Resources(memory="4Gi"))(rows)
        """
        own = {**self._levels[2], **read(changes, OF_CALL, f"Task {self.name}")}
        return Task(self.environment, self.function, (self._levels[0], self._levels[1], own), self.triggers)

    # Calls

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, or within a run a child action.

        Raises:
            TaskInputError: An argument does not fit; within a run.
            BlockingCallError: A synchronous task is used without ``await`` where an event loop runs.
            Exception: What the task has raised, as itself.
        """
        caller = current.get()
        if caller is None:
            return self._plain(args, kwargs)  # type: ignore[no-any-return]
        call = self.call(caller, args, kwargs)
        if self.is_async:
            return awaited(caller, call)  # type: ignore[return-value]
        if asyncio._get_running_loop() is not None:
            return Pending(self.name, awaited(caller, call))  # type: ignore[return-value]
        return caller.value(caller.call_blocking(call))  # type: ignore[no-any-return]

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Any]:
        """Call the task, to be awaited whether the function is asynchronous or not."""
        caller = current.get()
        if caller is not None:
            return awaited(caller, self.call(caller, args, kwargs))
        return _later(self.function, args, kwargs)

    def _plain(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async:
            return _plain_body(self.function(*args, **kwargs))  # type: ignore[arg-type]
        if _plainly.get() and asyncio._get_running_loop() is not None:
            return Pending(self.name, _later(self.function, args, kwargs))
        return self.function(*args, **kwargs)

    def call(self, caller: Caller, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Make the message for a call.

        Raises:
            TaskInputError: An argument does not fit.
            UnpicklableArtifactError: An argument cannot travel.
        """
        arguments = self.interface.bind(self.name, args, kwargs)  # type: ignore[arg-type]
        self._warned  # noqa: B018 - once
        inputs = self.pack(caller.values, arguments)
        try:
            known = fingerprints.digest(arguments)
        except DigestError:
            known = digest(inputs, _no_code)  # what only pickle can tell apart is told apart by its pickle
        overrides = self._levels[2]
        made = encoded(overrides) if overrides else b""
        name = caller.name(self.name, self._result_type + known)
        cache = self.cache_key(arguments, read=caller.reads_cache)
        return Call(name, self.name, self.module, inputs, label(), made, cache, caller.version)

    def pack(self, values: Values, arguments: Mapping[str, Any]) -> bytes:
        """Pack the arguments of a call.

        Raises:
            UnpicklableArtifactError: One cannot travel.
        """
        try:
            return values.pack_arguments(arguments)
        except UnpicklableArtifactError as error:
            raise UnpicklableArtifactError(
                f"Task {self.name} cannot be given its arguments: {error}. Pass what can be pickled."
            ) from error

    @functools.cached_property
    def _warned(self) -> None:
        """Warn once of types that travel by pickle, of which nothing else is known."""
        kinds = [(f"parameter {each.name}", each.kind) for each in self.interface.parameters]
        for what, kind in (*kinds, ("the result", self.interface.result)):
            if not kind.known and not kind.anything:
                warnings.warn(
                    f"Task {self.name}: {what} is of type {kind.describe()}, which travels by pickle: it must be "
                    "importable wherever the task runs, and pickles of one version may not load in another.",
                    RuntimeWarning,
                    stacklevel=5,
                )

    def cache_key(self, arguments: Mapping[str, Any], *, read: bool) -> CacheKey | None:
        """Give under what the result of a call is kept; None if it is not.

        Args:
            arguments: The arguments.
            read: Whether a result that is there may be used.

        Raises:
            DigestError: An argument cannot be digested.
        """
        cache = self.settings.cache
        if cache.behavior == "disable":
            return None
        version = self.version()
        parts = {"interface": version.interface, "code": version.code}
        for name, value in arguments.items():
            if name not in cache.ignored_inputs:
                parts[f"input {name}"] = fingerprints.digest(value, classes=bool(version.parts)).hex()
        if self.module == "__main__":  # values name their classes by it, and a module would not know them
            parts["script"] = self.module
        if cache.salt:
            parts["salt"] = cache.salt
        key = digest((self.name, *parts.items()), _no_code).hex()
        return CacheKey(key, parts, version.parts, read)

    def version(self) -> Version:
        """Give what stands for its code in the key of a cached result.

        Raises:
            TaskError: The cache ignores a parameter that the task does not have.
        """
        cache = self.settings.cache
        known: Version | None = self.__dict__.get("_known_version")
        if known is None:
            unknown = [name for name in cache.ignored_inputs if name not in self.interface.names]
            if unknown:
                raise TaskError(f"Task {self.name}: Cache(ignored_inputs={unknown}): it has no such parameters.")
            known = self.__dict__["_known_version"] = _version(self, cache)
        return known

    def __get__(self, instance: object, owner: type | None = None) -> Task[P, R]:
        """Refuse to be a method; a class gives the task itself."""
        if instance is None:
            return self
        raise TaskError(
            f"Task {self.name} is an attribute of a {type(instance).__name__}, and a task cannot be a method: "
            "nothing of the object would travel. Define it as a function, and pass what it needs."
        )

    def __repr__(self) -> str:
        """Show the full name."""
        return f"<Task {self.name}>"

    def __laminar_code__(self) -> tuple[str, Any]:
        """Tell what stands for its code in that of a task which calls it: its function, or its version by hand."""
        version = self.settings.cache.version_override
        if version is not None:
            return f"task {self.name} version {version}", None
        return f"task {self.name}", self.function

    def __laminar_digest__(self) -> bytes:
        """Count by name where it is a value, such as an argument."""
        return self.name.encode()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by name."""
        return _found, (self.name, self.module, pickle.dumps(dict(self._levels[2])) if self._levels[2] else b"")


class Version:
    """What stands for a task's code in a cache key.

    Attributes:
        interface: Digest of what it takes and gives.
        code: Digest of its code, or its version by hand.
        parts: Of what the code is made; empty for a version by hand.
    """

    def __init__(self, interface: str, code: str, parts: Mapping[str, str]) -> None:
        """Take the attributes."""
        self.interface = interface
        self.code = code
        self.parts = parts


def _version(task: Task[Any, Any], cache: Cache) -> Version:
    interface = task.interface.digest()
    if cache.behavior == "override" or cache.version_override is not None:
        return Version(interface, f"version {cache.version_override}", {})
    code = fingerprints.code_of(task.function)
    return Version(interface, code.digest, code.parts)


def _no_code(value: object) -> bytes:
    raise TypeError(value)


def _found(name: str, module: str, overrides: bytes) -> Task[Any, Any]:
    from laminar.tasks.registry import find  # only what has travelled is found by its name

    task: Task[Any, Any] = find(name, module, Task)
    return task.override(**pickle.loads(overrides)) if overrides else task  # noqa: S301 - an argument of a task


async def awaited(caller: Caller, call: Call) -> Any:
    """Wait for a child on the running event loop, and give what it returns."""
    return caller.value(await caller.call(call))


makes_calls(awaited.__code__)


async def _plain_body(body: Coroutine[Any, Any, T]) -> T:
    """Run the body of an asynchronous task outside of a run."""
    token = _plainly.set(True)
    try:
        return await body
    finally:
        _plainly.reset(token)


async def _later(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = function(*args, **kwargs)
    return await _plain_body(made) if inspect.iscoroutine(made) else made


class Pending:
    """A call of a synchronous task where an event loop runs: it must be awaited, and is no value before that."""

    __slots__ = ("_coroutine", "_name")

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Take the call."""
        self._name = name
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for the result."""
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Go on, as coroutines do; so it can become an :class:`asyncio.Task`."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise in it, as in coroutines."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    @property
    def cr_code(self) -> Any:
        """The code that runs, as coroutines have it."""
        return self._coroutine.cr_code  # type: ignore[attr-defined]

    @property
    def cr_frame(self) -> Any:
        """Where it stands, as coroutines have it."""
        return self._coroutine.cr_frame  # type: ignore[attr-defined]

    @property
    def cr_running(self) -> bool:
        """Whether it runs just now, as coroutines have it."""
        return self._coroutine.cr_running  # type: ignore[attr-defined, no-any-return]

    @property
    def cr_await(self) -> Any:
        """What it waits for, as coroutines have it."""
        return self._coroutine.cr_await  # type: ignore[attr-defined]

    def _refuse(self, *_: object) -> NoReturn:
        self._coroutine.close()
        raise BlockingCallError(
            f"Task {self._name} was called where an event loop runs, and its result used without await: to wait for "
            f"it there would block all else on the loop. Write: await {self._name.rpartition('.')[2]}(…)"
        )

    def __getattr__(self, name: str) -> Any:
        """Refuse to be used as a value."""
        if name.startswith("__"):  # what Python asks of any object
            raise AttributeError(name)
        self._refuse()

    __iter__ = __len__ = __bool__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __str__ = __format__ = _refuse
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        """Show what it waits for."""
        return f"<call of {self._name} that waits to be awaited>"


def _register() -> None:
    from collections.abc import Coroutine as AnyCoroutine  # so that asyncio takes a pending call for a coroutine

    AnyCoroutine.register(Pending)


_register()
