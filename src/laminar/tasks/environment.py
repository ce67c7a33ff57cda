"""Task environments: what tasks have in common."""

from __future__ import annotations

import re
import sys
from types import BuiltinFunctionType
from typing import Any, overload

from laminar.errors import TaskError
from laminar.tasks import registry
from laminar.tasks.settings import OF_ENVIRONMENT, OF_TASK, read
from laminar.tasks.task import P, R, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from laminar.model.policies import Cache, Resources, RetryStrategy, ReusePolicy, Timeout
    from laminar.model.secret import Secret
    from laminar.model.triggers import Trigger
    from laminar.packaging.image import Image

NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


class TaskEnvironment:
    """What tasks have in common: image, resources, variables, secrets, caching.

    Attributes:
        name: Its name: lower-case letters and digits, with single ``_`` or ``-`` between them.
        depends_on: Environments whose tasks its tasks call; they are deployed with it.
        description: What it is for.
        include: Further files that its code needs, relative to the file that defines it.
        tasks: Its tasks, by the names of their functions.

    Raises:
        TaskError: The name breaks the rule or is taken, or a setting is of the wrong type.
        PolicyError: A setting makes no sense.

    Usage::

        env = laminar.TaskEnvironment("etl", resources=laminar.Resources(memory="2Gi"))

        @env.task
        async def load(path: str) -> list[str]: ...
    """

    #: What describes an environment as what can be deployed; by name, as it is loaded by who deploys.
    __laminar_deployable__ = "laminar.tasks.deploying:deployable"

    def __init__(
        self,
        name: str,
        *,
        image: str | Image | None = "auto",
        resources: Resources | None = None,
        env_vars: Mapping[str, str] | None = None,
        secrets: str | Secret | Sequence[str | Secret] | None = None,
        depends_on: Iterable[TaskEnvironment] = (),
        cache: str | Cache = "disable",
        reusable: ReusePolicy | None = None,
        description: str | None = None,
        include: Sequence[str] = (),
        queue: str | None = None,
        interruptible: bool = False,
    ) -> None:
        """Check and keep what is said."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise TaskError(
                f"TaskEnvironment(name={name!r}): expects lower-case letters and digits, with single '_' or '-' "
                "between them, such as 'data_prep'."
            )
        self.name = name
        self._settings = {
            "image": image,
            "resources": resources,
            "env_vars": env_vars,
            "secrets": secrets,
            "cache": cache,
            "reusable": reusable,
            "queue": queue,
            "interruptible": interruptible,
        }
        self._level = read(self._settings, OF_ENVIRONMENT, f"Environment {name}")
        self.depends_on: tuple[TaskEnvironment, ...] = ()
        self.add_dependency(*depends_on)
        self.description = description
        self.include = (include,) if isinstance(include, str) else tuple(include)
        self.tasks: dict[str, Task[..., Any]] = {}
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        registry.claim(name, self, frame.f_code.co_filename, frame.f_lineno, self.include)

    if TYPE_CHECKING:

        @overload
        def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
        @overload
        def task(
            self,
            *,
            retries: int | RetryStrategy = 0,
            timeout: float | Any | Timeout | None = None,
            interruptible: bool = ...,
            cache: str | Cache = ...,
            short_name: str | None = None,
            resources: Resources = ...,
            image: str | Image = ...,
            env_vars: Mapping[str, str] = ...,
            secrets: str | Secret | Sequence[str | Secret] = ...,
            reusable: ReusePolicy | None = ...,
            queue: str | None = ...,
            triggers: Trigger | Sequence[Trigger] = (),
        ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(self, function: Any = None, /, *, triggers: Any = (), **settings: Any) -> Any:  # type: ignore[misc]
        """Make a function a task of this environment.

        Args:
            function: The function, synchronous or asynchronous.
            triggers: What starts it by itself, once it is deployed.
            **settings: How it is carried out; what is said here holds before what the environment says: ``retries``,
                ``timeout``, ``interruptible``, ``cache``, ``short_name``, ``resources``, ``image``, ``env_vars``,
                ``secrets``, ``reusable``, ``queue``.

        Raises:
            TaskError: It cannot be a task: a method, a lambda, a generator, or one with ``*args``.
            PolicyError: A setting makes no sense.

        Usage::

            @env.task(retries=3, timeout=300)
            async def fetch(url: str) -> bytes: ...
        """
        if function is None:
            return lambda function: self._add(function, settings, triggers)
        return self._add(function, settings, triggers)

    def _add(self, function: Callable[..., Any], settings: Mapping[str, Any], triggers: Any) -> Task[..., Any]:
        _refuse(function, self.name)
        level = read(settings, OF_TASK, f"Task {self.name}.{function.__name__}")
        several = tuple(triggers) if isinstance(triggers, (list, tuple)) else (triggers,)
        task: Task[..., Any] = Task(self.name, function, (self._level, level, {}), several)
        self.tasks[function.__name__] = task
        registry.add(task)
        return task

    def clone_with(self, name: str, **changes: Any) -> TaskEnvironment:
        """Give an environment like this one, without its tasks.

        Args:
            name: Its name.
            **changes: What is different: any argument of :class:`TaskEnvironment`.
        """
        same: dict[str, Any] = {
            **self._settings,
            "depends_on": self.depends_on,
            "description": self.description,
            "include": self.include,
        }
        return TaskEnvironment(name, **{**same, **changes})

    def add_dependency(self, *environments: TaskEnvironment) -> None:
        """Say that tasks of this environment call tasks of others, so that these are deployed with it.

        Raises:
            TaskError: One is no environment.
        """
        for other in environments:
            if not isinstance(other, TaskEnvironment):
                raise TaskError(f"Environment {self.name}: depends_on expects task environments, got {other!r}.")
            if other not in self.depends_on:
                self.depends_on = (*self.depends_on, other)

    def __repr__(self) -> str:
        """Show the name and the tasks."""
        return f"<TaskEnvironment {self.name}: {', '.join(self.tasks) or 'no tasks'}>"


def _refuse(function: Any, environment: str) -> None:
    """Refuse what cannot be a task."""
    if isinstance(function, Task):
        raise TaskError(f"{function.name} is a task already. Use @env.task once.")
    if not callable(function) or isinstance(function, (staticmethod, classmethod, type, BuiltinFunctionType)):
        raise TaskError(
            f"Environment {environment}: a task is a function, got {function!r}. Define it at the top of a module."
        )
    name = getattr(function, "__name__", "")
    if name == "<lambda>":
        raise TaskError(f"Environment {environment}: a lambda has no name to be found by. Write a function with def.")
    if not name or not hasattr(function, "__qualname__"):
        raise TaskError(f"Environment {environment}: {function!r} has no name to be found by. Write a function.")
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        raise TaskError(
            f"Environment {environment}: {function.__qualname__} is a method, and nothing of its object would travel. "
            "Define it as a function, and pass what it needs."
        )
