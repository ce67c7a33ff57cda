"""An environment of tasks, as what can be deployed."""

from __future__ import annotations

import functools

from laminar.runs.deployables import ENVIRONMENT, Deployable, Part
from laminar.tasks import registry
from laminar.tasks.specs import spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.tasks.environment import TaskEnvironment
    from laminar.tasks.task import Task


def deployable(environment: TaskEnvironment) -> Deployable:
    """Describe an environment."""
    tasks = environment.tasks.values()
    return Deployable(
        kind=ENVIRONMENT,
        name=environment.name,
        description=environment.description or "",
        source=environment,
        parts=tuple(map(_part, tasks)),
        modules=tuple(dict.fromkeys(task.module for task in tasks)),
        include=registry.included(environment.name),
        needs=environment.depends_on,
        declares=True,
    )


def of_task(task: Task[..., Any]) -> Deployable:
    """Describe the environment of a task."""
    return deployable(registry.owner(task.environment))


def _part(task: Task[..., Any]) -> Part:
    return Part(task.name, task.function, task.settings.image, functools.partial(spec_of, task))
