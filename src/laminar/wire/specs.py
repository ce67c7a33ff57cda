"""What a deployed task, flow or layer is, as both sides of the wire know it: plain data that JSON can say.

A specification says how something is carried out, and nothing of how it is written: the code is in the bundle. Policies
have a plain form here that turns into the records of :mod:`laminar.model.policies` and back without loss; lengths of
time are seconds, and None stands for no limit.
"""

from __future__ import annotations

import datetime  # loaded by msgspec already
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from laminar.model.amounts import seconds
from laminar.model.policies import Backoff, Cache, Resources, RetryStrategy, ReusePolicy, Timeout
from laminar.model.secret import Secret
from laminar.model.triggers import Cron, FixedRate, Trigger, TriggerTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from laminar.model.amounts import Duration

TASK: Final = "task"
FLOW: Final = "flow"
LAYER: Final = "layer"
Kind: TypeAlias = Literal["task", "flow", "layer"]

#: Name of a task (``etl.load``), a flow (``Train``), or a layer (``Train.Shards``).
EntityName: TypeAlias = Annotated[str, Meta(pattern=r"^[\w.-]{1,200}$(?!\n)")]
#: What tells two deployments of one name apart.
Version: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$(?!\n)")]
Variables: TypeAlias = dict[str, str]
#: The absolute path of a folder that is not the root, without ``.`` and ``..``.
Folder: TypeAlias = Annotated[str, Meta(pattern=r"^(/(?!\.{1,2}(/|$))[^/\0\n]+)+$(?!\n)", max_length=1000)]

Number: TypeAlias = int | float | str
Amount: TypeAlias = int | float | str | tuple[Number, Number]


class Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Plain data; a field that is unknown is refused."""


class ResourcesSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.policies.Resources`, as the user has written them."""

    cpu: Amount | None = None
    memory: Amount | None = None
    gpu: int | str | None = None
    disk: Number | None = None
    shm: Number | None = None

    @classmethod
    def of(cls, resources: Resources) -> Self:
        """Describe resources."""
        return cls(**vars(resources))

    def value(self) -> Resources:
        """Give the resources.

        Raises:
            PolicyError: An amount makes no sense.
        """
        return Resources(**structs.asdict(self))


class RetrySpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.policies.RetryStrategy`, with its waits in seconds."""

    count: int = 0
    base: float = 0.1
    factor: float = 2.0
    cap: float | None = None

    @classmethod
    def of(cls, strategy: RetryStrategy) -> Self:
        """Describe a strategy."""
        backoff = strategy.backoff
        cap = None if backoff.cap is None else _seconds(backoff.cap)
        return cls(count=strategy.count, base=_seconds(backoff.base), factor=backoff.factor, cap=cap)

    def value(self) -> RetryStrategy:
        """Give the strategy.

        Raises:
            PolicyError: A number makes no sense.
        """
        return RetryStrategy(self.count, Backoff(self.base, self.factor, self.cap))


def _seconds(span: float | Duration) -> float:
    return seconds(span, "a wait", zero=True)


class TimeoutSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.policies.Timeout`: seconds, None for no limit."""

    max_runtime: float | None = None
    max_queued_time: float | None = None
    deadline: float | None = None

    @classmethod
    def of(cls, timeout: Timeout) -> Self:
        """Describe limits."""
        return cls(max_runtime=timeout.max_runtime, max_queued_time=timeout.max_queued_time, deadline=timeout.deadline)

    def value(self) -> Timeout:
        """Give the limits.

        Raises:
            PolicyError: One makes no sense, or there is none.
        """
        limits: Any = structs.asdict(self)
        return Timeout(**limits)


class ReuseSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.policies.ReusePolicy`."""

    replicas: int | tuple[int, int] = (0, 1)
    idle_ttl: float = 60.0
    concurrency: int = 1

    @classmethod
    def of(cls, policy: ReusePolicy) -> Self:
        """Describe a policy."""
        several = policy.replicas if isinstance(policy.replicas, int) else policy.bounds()
        return cls(replicas=several, idle_ttl=policy.idle_ttl, concurrency=policy.concurrency)

    def value(self) -> ReusePolicy:
        """Give the policy.

        Raises:
            PolicyError: A number makes no sense.
        """
        return ReusePolicy(**structs.asdict(self))


class CodeSpec(Spec, frozen=True, kw_only=True):
    """What stands for a task's code in the key of a cached result.

    Attributes:
        interface: Digest of what it takes and gives.
        digest: Digest of its code with all of the project that it uses; or its version, if the user has given one.
        parts: The digest of each function, class and constant by its name; empty where the version is the user's.
    """

    interface: str
    digest: str
    parts: dict[str, str] = {}


class CacheSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.policies.Cache`, and what stands for the code where something is cached."""

    behavior: str = "auto"
    version_override: str | None = None
    ignored_inputs: tuple[str, ...] = ()
    salt: str = ""
    code: CodeSpec | None = None

    @classmethod
    def of(cls, cache: Cache, code: CodeSpec | None = None) -> Self:
        """Describe a policy."""
        return cls(
            behavior=cache.behavior,
            version_override=cache.version_override,
            ignored_inputs=tuple(cache.ignored_inputs),
            salt=cache.salt,
            code=code,
        )

    def value(self) -> Cache:
        """Give the policy.

        Raises:
            PolicyError: A value makes no sense.
        """
        return Cache(self.behavior, self.version_override, self.ignored_inputs, self.salt)


class SecretSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.secret.Secret`: the names alone.

    Attributes:
        key: Its name.
        group: What it belongs to.
        variable: The environment variable that holds it; None if only a file does.
        mount: Path of the file that holds it; None if only a variable does.
    """

    key: str
    group: str | None = None
    variable: str | None = None
    mount: str | None = None

    @classmethod
    def of(cls, secret: Secret) -> Self:
        """Describe a secret."""
        mount = None if secret.mount is None else str(secret.mount)
        return cls(key=secret.key, group=secret.group, variable=secret.variable, mount=mount)

    def value(self) -> Secret:
        """Give the secret.

        Raises:
            PolicyError: A name makes no sense.
        """
        return Secret(self.key, self.group, self.variable, self.mount)


class CronSpec(Spec, frozen=True, kw_only=True, tag="cron"):
    """:class:`~laminar.model.triggers.Cron`."""

    expression: str
    timezone: str = "UTC"


class FixedRateSpec(Spec, frozen=True, kw_only=True, tag="fixed-rate"):
    """:class:`~laminar.model.triggers.FixedRate`; its start has a time zone."""

    interval_minutes: float
    start_time: Annotated[datetime.datetime, Meta(tz=True)] | None = None


class TriggerSpec(Spec, frozen=True, kw_only=True):
    """:class:`~laminar.model.triggers.Trigger`.

    Attributes:
        name: Its name, unique for what it starts.
        automation: When it fires.
        inputs: Inputs of each run, as JSON by the interface of what it starts.
        times: Names of the inputs that are the time at which it fires.
        description: What it is for.
        auto_activate: Whether it is active as soon as it is deployed.
        overlap: What to do if the run before still goes on.
        catchup: What to do about times at which nothing could fire.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    automation: CronSpec | FixedRateSpec
    inputs: dict[str, Any] = {}
    times: tuple[str, ...] = ()
    description: str = ""
    auto_activate: bool = True
    overlap: str = "skip"
    catchup: str | int = "none"

    @classmethod
    def of(cls, trigger: Trigger, inputs: Mapping[str, Any]) -> Self:
        """Describe a trigger.

        Args:
            trigger: The trigger.
            inputs: Its inputs as JSON can say them, but for those that are the time.
        """
        given = trigger.inputs or {}
        return cls(
            name=trigger.name,
            automation=_automation(trigger.automation),
            inputs=dict(inputs),
            times=tuple(sorted(name for name, value in given.items() if value == TriggerTime)),
            description=trigger.description,
            auto_activate=trigger.auto_activate,
            overlap=trigger.overlap,
            catchup=trigger.catchup,
        )

    def value(self) -> Trigger:
        """Give the trigger, its inputs as JSON has them.

        Raises:
            PolicyError: A value makes no sense.
        """
        when: Any = Cron if isinstance(self.automation, CronSpec) else FixedRate
        inputs = {**self.inputs, **dict.fromkeys(self.times, TriggerTime)}
        return Trigger(
            name=self.name,
            automation=when(**structs.asdict(self.automation)),
            inputs=inputs or None,
            description=self.description,
            auto_activate=self.auto_activate,
            overlap=self.overlap,
            catchup=self.catchup,
        )


def _automation(when: Cron | FixedRate) -> CronSpec | FixedRateSpec:
    if isinstance(when, Cron):
        return CronSpec(expression=when.expression, timezone=when.timezone)
    return FixedRateSpec(interval_minutes=when.interval_minutes, start_time=when.start_time)


class TypeSpec(Spec, frozen=True, kw_only=True):
    """What values are.

    Attributes:
        type: The type as code says it, such as ``list[int]``.
        schema: Its structure, as :meth:`laminar.tasks.kinds.Kind.schema` has it; None where nothing is known.
    """

    type: str
    schema: Any = None


class ParameterSpec(TypeSpec, frozen=True, kw_only=True):
    """A parameter of a task or flow.

    Attributes:
        name: Its name.
        required: Whether a run must give it.
        default: What stands in for it otherwise, as JSON; as text where JSON cannot say it.
        doc: What the docstring says of it.
    """

    name: str
    required: bool = True
    default: Any = None
    doc: str = ""


class InterfaceSpec(Spec, frozen=True, kw_only=True):
    """What a task or flow takes and gives; a flow gives nothing."""

    parameters: tuple[ParameterSpec, ...] = ()
    returns: TypeSpec | None = None


class EntitySpec(Spec, frozen=True, kw_only=True):
    """A deployed task, flow or layer.

    Attributes:
        kind: Which of them.
        name: Its name: ``<environment>.<function>`` of a task, the class of a flow, ``<flow>.<layer>`` of a layer.
        module: The module that defines it.
        qualname: Its name in that module.
        environment: Name of a task's environment; of a flow and its layers, of the flow.
        doc: The first paragraph of its docstring.
        interface: What it takes and gives.
        loader: What makes its entry in a worker, ``module:function``.
        image: Name of the image of its container; None for the executor's own.
        resources: What it needs of a machine.
        env_vars: Variables that it sees.
        secrets: What it is given and nobody else may see, by name.
        cache: Whether an earlier result may stand for a call.
        retries: How often it is tried again. Layers say none: the scheduler of their flow decides.
        timeout: How long it may take; None for no limit. Layers say that of their flow's executor.
        interruptible: Whether its machine may be taken from it.
        reusable: Whether its container stays up.
        queue: Name of the queue that it waits in.
        short_name: What it is called where space is short.
        command: What starts the user's code in its container; None for laminar's own.
        workdir: Folder of its container that holds the code, and in which that is run; None for ``/laminar``.
        in_image: Whether its image holds the code, so that the bundle says no more than how that is loaded.
        calls: Names of the tasks that it calls, as far as the code tells.
        triggers: What starts it by itself.
        layers: Names of the layers of a flow, in their order.
    """

    kind: Kind
    name: EntityName
    module: str
    qualname: str
    environment: str = ""
    doc: str = ""
    interface: InterfaceSpec = InterfaceSpec()
    loader: str
    image: str | None = None
    resources: ResourcesSpec = ResourcesSpec()
    env_vars: Variables = {}
    secrets: tuple[SecretSpec, ...] = ()
    cache: CacheSpec = CacheSpec(behavior="disable")
    retries: RetrySpec = RetrySpec()
    timeout: TimeoutSpec | None = None
    interruptible: bool = False
    reusable: ReuseSpec | None = None
    queue: str | None = None
    short_name: str | None = None
    command: str | None = None
    workdir: Folder | None = None
    in_image: bool = False
    calls: tuple[EntityName, ...] = ()
    triggers: tuple[TriggerSpec, ...] = ()
    layers: tuple[EntityName, ...] = ()

    def overridden(self, overrides: Overrides) -> EntitySpec:
        """Give the specification as a call has changed it; the code that the cache knows stays."""
        changes: dict[str, Any] = dict(overrides.said())
        if "cache" in changes:
            changes["cache"] = structs.replace(changes["cache"], code=self.cache.code)
        return structs.replace(self, **changes)


class Overrides(Spec, frozen=True, kw_only=True):
    """What one call changes of how a task is carried out; what is unset stays, and None is an answer."""

    resources: ResourcesSpec | UnsetType = UNSET
    env_vars: Variables | UnsetType = UNSET
    secrets: tuple[SecretSpec, ...] | UnsetType = UNSET
    cache: CacheSpec | UnsetType = UNSET
    retries: RetrySpec | UnsetType = UNSET
    timeout: TimeoutSpec | UnsetType | None = UNSET
    interruptible: bool | UnsetType = UNSET
    reusable: ReuseSpec | UnsetType | None = UNSET
    queue: str | UnsetType | None = UNSET
    short_name: str | UnsetType | None = UNSET

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Describe what ``task.override`` was given, once it is checked: policies by the names of settings."""
        return cls(**{name: described(value) for name, value in settings.items()})

    def said(self) -> Iterator[tuple[str, Any]]:
        """Give what is set, by name."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not UNSET:
                yield name, value

    def settings(self) -> dict[str, Any]:
        """Give what is set, as ``task.override`` takes it.

        Raises:
            PolicyError: A value makes no sense.
        """
        return {name: _meant(value) for name, value in self.said()}


_SPECS: dict[type, Any] = {
    Resources: ResourcesSpec,
    RetryStrategy: RetrySpec,
    Timeout: TimeoutSpec,
    ReusePolicy: ReuseSpec,
    Cache: CacheSpec,
    Secret: SecretSpec,
}


def described(value: Any) -> Any:
    """Give the plain form of a setting: a policy, secrets, or what is plain already."""
    if isinstance(value, tuple):
        return tuple(map(described, value))
    spec = _SPECS.get(type(value))
    return value if spec is None else spec.of(value)


def _meant(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_meant, value))
    spec: Any = value
    return spec.value() if isinstance(value, Struct) else value
