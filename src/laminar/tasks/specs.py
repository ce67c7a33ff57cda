"""What a task is, as plain data that a server keeps."""

from __future__ import annotations

import re
import warnings

from laminar.errors import DeploymentError
from laminar.model.triggers import TriggerTime
from laminar.tasks.kinds.contract import Mismatch
from laminar.tasks.schemas import schema_of
from laminar.wire.specs import (
    TASK,
    CacheSpec,
    CodeSpec,
    EntitySpec,
    InterfaceSpec,
    ParameterSpec,
    ResourcesSpec,
    RetrySpec,
    TriggerSpec,
    TypeSpec,
    described,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.model.triggers import Trigger
    from laminar.tasks.interface import Interface, Parameter
    from laminar.tasks.kinds import Kind
    from laminar.tasks.task import Task

LOADER = "laminar.tasks.served:load"
#: Where an object lies in memory, as a ``repr`` says it: another in each process.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def spec_of(task: Task[..., Any], image: str | None, calls: tuple[str, ...]) -> EntitySpec:
    """Describe a task.

    Args:
        task: The task.
        image: Name of its image; None for the executor's own.
        calls: Names of the tasks that it calls.

    Raises:
        TaskError: An annotation cannot be resolved, or the cache ignores a parameter that the task does not have.
        DeploymentError: An input of a trigger does not fit, or cannot be written as JSON.
    """
    settings = task.settings
    return EntitySpec(
        kind=TASK,
        name=task.name,
        module=task.module,
        qualname=task.function.__qualname__,
        environment=task.environment,
        doc=task.interface.doc,
        interface=interface_of(task.interface),
        loader=LOADER,
        image=image,
        resources=ResourcesSpec.of(settings.resources),
        env_vars=dict(settings.env_vars),
        secrets=described(settings.secrets),
        cache=CacheSpec.of(settings.cache, _code(task)),
        retries=RetrySpec.of(settings.retries),
        timeout=described(settings.timeout),
        interruptible=settings.interruptible,
        reusable=described(settings.reusable),
        queue=settings.queue,
        short_name=settings.short_name,
        calls=calls,
        triggers=tuple(_trigger(task, trigger) for trigger in task.triggers),
    )


def interface_of(interface: Interface) -> InterfaceSpec:
    """Describe what a task takes and gives.

    Raises:
        TaskError: An annotation cannot be resolved.
    """
    return InterfaceSpec(
        parameters=tuple(map(_parameter, interface.parameters)),
        returns=TypeSpec(type=interface.result.name, schema=schema_of(interface.result.schema())),
    )


def _parameter(parameter: Parameter) -> ParameterSpec:
    kind = parameter.kind
    return ParameterSpec(
        name=parameter.name,
        type=kind.name,
        schema=schema_of(kind.schema()),
        required=parameter.required,
        default=None if parameter.required else _default(kind, parameter.default),
        doc=parameter.doc,
    )


def _default(kind: Kind, value: Any) -> Any:
    """Write a default as JSON; as text, the same in every process, where JSON cannot say it."""
    import msgspec  # loaded by specifications already

    try:
        plain = kind.plain(kind.check(value))
        msgspec.json.encode(plain)
    except Exception:  # it does not fit, which a call is told; or it is of a class that cannot be written
        plain = repr(value)
    return ADDRESS.sub("", plain) if isinstance(plain, str) else plain


def _code(task: Task[..., Any]) -> CodeSpec | None:
    if not task.settings.cache.enabled:
        return None
    version = task.version()
    return CodeSpec(interface=version.interface, digest=version.code, parts=dict(version.parts))


def _trigger(task: Task[..., Any], trigger: Trigger) -> TriggerSpec:
    given = dict(trigger.inputs or {})
    kinds = {parameter.name: parameter.kind for parameter in task.interface.parameters}
    missing = [each.name for each in task.interface.parameters if each.required and each.name not in given]
    unknown = [name for name in given if name not in kinds]
    if missing or unknown:
        what = f"has no parameter {unknown[0]!r}" if unknown else f"needs a value for {missing[0]}"
        raise DeploymentError(
            f"Trigger {trigger.name!r} of task {task.name}: the task {what}. Correct inputs={{…}} of the trigger."
        )
    plain = {name: _input(task, trigger, name, kinds[name], value) for name, value in given.items()}
    return TriggerSpec.of(trigger, {name: value for name, value in plain.items() if given[name] != TriggerTime})


def _input(task: Task[..., Any], trigger: Trigger, name: str, kind: Kind, value: Any) -> Any:
    """Write an input of a trigger as JSON from which the task can read it."""
    if value == TriggerTime:
        return None
    try:
        plain = kind.plain(kind.check(value))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.check(kind.from_plain(plain))
    except Mismatch as mismatch:
        raise DeploymentError(
            f"Trigger {trigger.name!r} of task {task.name}: the input {name} {mismatch}. "
            "Give a value of that type which JSON can say."
        ) from None
    return plain
