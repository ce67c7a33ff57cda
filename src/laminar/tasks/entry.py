"""The worker's side of tasks: runs one call of one task and packs what it returns."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress

from laminar.data.serde.failures import describe
from laminar.errors import TaskError, UnpicklableArtifactError
from laminar.model.action import Entry, Manifest, Output, Ref
from laminar.tasks import registry, secrecy, surroundings
from laminar.tasks.task import Task
from laminar.worker.calling import current, makes_calls, task_factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from laminar.data.values import Values
    from laminar.model.action import Request
    from laminar.tasks.payload import Payload

#: The module whose handles have content of their own.
FILES = "laminar.tasks.files"


def load(payload: Mapping[str, Any]) -> TaskEntry:
    """Make the entry in a process that has loaded the user's code.

    Args:
        payload: ``values``: what packs and unpacks values.
    """
    for name in registry.names():
        with suppress(TaskError):  # who calls that task is told
            registry.find(name, "__main__", Task).interface.result  # noqa: B018 - compiled here, not in each fork
    return TaskEntry(payload["values"])


class TaskEntry(Entry):
    """Runs calls of tasks."""

    def __init__(self, values: Values) -> None:
        """Remember where values lie."""
        self.values = values

    def call(self, request: Request) -> Manifest:
        """Run a call in this thread; an asynchronous task gets an event loop of its own."""
        payload: Payload = request.payload
        try:
            task = _begin(payload)
            with surroundings.of(payload), secrecy.kept(payload):
                manifest = self._call(task, payload)
        except BaseException as error:
            manifest = Manifest({}, describe(error))
        return secrecy.cleaned(payload, manifest)

    def _call(self, task: Task[..., Any], payload: Payload) -> Manifest:
        stop = _Stop()
        try:
            arguments = self.values.unpack_arguments(payload.inputs)
            if not task.is_async:
                return self._manifest(task, task.interface.call(task.function, arguments))
            with asyncio.Runner(loop_factory=_loop) as runner:
                return self._manifest(task, runner.run(_body(task.interface.call, task.function, arguments, stop)))
        except asyncio.CancelledError as error:
            stop.obey()
            return Manifest({}, describe(error))
        except BaseException as error:
            return Manifest({}, describe(error))

    async def call_async(self, request: Request) -> Manifest:
        """Run a call on the running event loop."""
        payload: Payload = request.payload
        try:
            task = _begin(payload)
            if not payload.variables and not payload.hidden:
                return await self._result(task, payload)
            with surroundings.of(payload), secrecy.kept(payload):
                return await self._result(task, payload)
        except asyncio.CancelledError:
            running = asyncio.current_task()
            if running is not None and running.cancelling():
                raise
            return Manifest({}, describe(asyncio.CancelledError("the task raised it by itself")))
        except BaseException as error:
            return secrecy.cleaned(payload, Manifest({}, describe(error)))

    async def _result(self, task: Task[..., Any], payload: Payload) -> Manifest:
        arguments = self.values.unpack_arguments(payload.inputs)
        return self._manifest(task, await task.interface.call(task.function, arguments))

    def _manifest(self, task: Task[..., Any], result: Any) -> Manifest:
        result = task.interface.check_result(task.name, result)
        ref = self._pack(task, result)
        return Manifest({"result": Output((ref, *self._files(ref)) if FILES in sys.modules else (ref,))})

    def _files(self, ref: Ref) -> list[Ref]:
        """Name the content of files that a result refers to: without it the result is of no use to a later run."""
        if ref.data is not None and FILES.encode() not in ref.data:
            return []
        from laminar.tasks.files import arriving  # the task's code has loaded it

        with arriving() as handles:
            self.values.unpack(ref)
        return [Ref("file", handle.digest) for handle in handles if handle.digest]

    def _pack(self, task: Task[..., Any], result: Any) -> Ref:
        try:
            ref: Ref = self.values.pack(result)
        except UnpicklableArtifactError as error:
            raise UnpicklableArtifactError(
                f"Task {task.name} cannot return its result: {error}. Return what can be pickled."
            ) from error
        return ref


def _begin(payload: Payload) -> Task[..., Any]:
    """Find the task, and say to what it calls that it calls from it."""
    caller = current.get()
    if caller is not None:
        caller.task = payload.task
        caller.parent = caller.key.action.name
        caller.reads_cache = payload.reads_cache
    return registry.find(payload.task, payload.module, Task)


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(task_factory)
    return loop


class _Stop:
    """Cancels an asynchronous task when its process is told to end, which then ends by that signal."""

    def __init__(self) -> None:
        self._told = False

    def listen(self) -> None:
        """Take the signal from now on, where it can be taken."""
        task = asyncio.current_task()
        if threading.current_thread() is threading.main_thread():
            with suppress(NotImplementedError):  # not on this system
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._tell, task)

    def _tell(self, task: asyncio.Task[Any] | None) -> None:
        self._told = True
        if task is not None:
            task.cancel()

    def obey(self) -> None:
        """End the process, if it was told to."""
        if self._told:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)


async def _body(
    call: Callable[..., Coroutine[Any, Any, Any]], function: Any, arguments: dict[str, Any], stop: _Stop
) -> Any:
    stop.listen()
    try:
        return await call(function, arguments)
    finally:
        caller = current.get()
        if caller is not None:
            caller.over = True


makes_calls(_body.__code__)
