"""What a user may say about how an action is carried out: resources, retries, time-outs, the cache."""

from __future__ import annotations

from laminar.errors import PolicyError, nearest
from laminar.model.amounts import cores, megabytes, positive, seconds, whole
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias, overload

    from laminar.model.amounts import Duration

    #: Cores or an amount of memory, or what is requested and what is the limit.
    Amount: TypeAlias = float | str | tuple[float | str, float | str]

    #: Seconds, or a timedelta.
    Span: TypeAlias = float | Duration

#: Shared memory as large as the memory limit.
AUTO = "auto"
#: Seconds until what has no limit is stopped.
NEVER = float("inf")


class Amounts(Value, frozen=True):
    """Resources in plain units.

    Attributes:
        cpu: Cores.
        memory: Megabytes.
        gpu: Number of GPUs.
        disk: Megabytes of scratch space.
        shm: Megabytes of shared memory; infinite means as much as the machine has.
    """

    cpu: float | None
    memory: float | None
    gpu: int
    disk: float | None
    shm: float | None


class Resources(Value):
    """What an action needs of a machine.

    Attributes:
        cpu: Cores, may be a fraction, or a string such as ``"500m"``; or a pair of them, ``("1", "2")``: what the
            machine must have, and the most that the action may use.
        memory: Megabytes, or a string such as ``"2Gi"``; or a pair of them.
        gpu: Number of GPUs, or a string such as ``"A100:1"``.
        disk: Megabytes of scratch space, or a string such as ``"10Gi"``.
        shm: Megabytes of shared memory, or a string; ``"auto"`` for as much as the memory.

    Raises:
        PolicyError: An amount makes no sense.
    """

    cpu: Amount | None = None
    memory: Amount | None = None
    gpu: int | str | None = None
    disk: float | str | None = None
    shm: float | str | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        self.limit()

    def request(self) -> Amounts:
        """Give what a machine must have: the first of each pair."""
        return self._amounts(0)

    def limit(self) -> Amounts:
        """Give the most that the action may use: the second of each pair."""
        return self._amounts(1)

    def _amounts(self, which: int) -> Amounts:
        cpu, memory = _pair(self.cpu, cores, "cpu"), _pair(self.memory, megabytes, "memory")
        disk = None if self.disk is None else megabytes(self.disk, "disk")
        if self.shm != AUTO:
            shm = None if self.shm is None else megabytes(self.shm, "shm")
        else:
            shm = memory[1] if memory else float("inf")
        return Amounts(cpu and cpu[which], memory and memory[which], _gpus(self.gpu), disk, shm)


def _pair(value: Any, read: Any, what: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, tuple):
        amount = read(value, what)
        return amount, amount
    if len(value) != 2:
        raise PolicyError(f"{what}={value!r} has {len(value)} amounts. Give one, or a pair: (request, limit).")
    request, limit = (read(part, what) for part in value)
    if request > limit:
        raise PolicyError(f"{what}={value!r}: the request is more than the limit. Give (request, limit), least first.")
    return request, limit


def _gpus(value: int | str | None) -> int:
    if value is None:
        return 0
    count = str(value).rpartition(":")[2]
    if not count.isdecimal():
        raise PolicyError(f"gpu={value!r} is no number of GPUs. Give 1, '1' or 'A100:1'.")
    return int(count)


class ReusePolicy(Value):
    """Keep containers warm: each action is a fresh fork inside one that stays up, isolated from the others.

    Attributes:
        replicas: Containers that are kept at a time, as ``(fewest, most)``; a number alone means both. The fewest are
            started at the beginning of a run, more when all are busy.
        idle_ttl: Seconds after which a container without work ends by itself, also if nobody is left to tell it so.
        concurrency: Actions that run in one container at a time; they share its resources.

    Raises:
        PolicyError: A number makes no sense.

    Usage::

        Container(reuse=ReusePolicy(replicas=(1, 4), idle_ttl=300))
    """

    replicas: int | tuple[int, int] = (0, 1)
    idle_ttl: float = 60.0
    concurrency: int = 1

    def validate(self) -> None:
        """Refuse nonsense at once."""
        fewest, most = self.bounds()
        if not 0 <= fewest <= most or most < 1:
            raise PolicyError(
                f"ReusePolicy(replicas={self.replicas!r}): expects a number from 1, or (fewest, most) such as (0, 4)."
            )
        if not whole(self.concurrency) or self.concurrency < 1:
            raise PolicyError(f"ReusePolicy(concurrency={self.concurrency!r}): expects a whole number from 1.")
        positive(self.idle_ttl, "ReusePolicy(idle_ttl)")

    def bounds(self) -> tuple[int, int]:
        """Give the fewest and the most containers.

        Raises:
            PolicyError: It is neither a number nor a pair of them.
        """
        pair = self.replicas if isinstance(self.replicas, (tuple, list)) else (self.replicas, self.replicas)
        if len(pair) != 2 or not all(whole(number) for number in pair):
            raise PolicyError(
                f"ReusePolicy(replicas={self.replicas!r}): expects a number from 1, or (fewest, most) such as (0, 4)."
            )
        return pair[0], pair[1]


class Retry(Value):
    """Try again after a failure, with exponential backoff.

    Before attempt ``n + 1`` it waits ``delay * backoff ** (n - 1)`` seconds, plus up to ``jitter`` of that at random.

    Attributes:
        attempts: Tries in all; 1 means no retry.
        delay: Seconds before the first retry.
        backoff: Factor of each further delay.
        jitter: Share of the delay that is added at random, from 0.
        memory: Factor of the memory after a memory kill; such a try uses no ordinary attempt. None: no such retry.
        memory_max: Most memory that it may grow to, in megabytes or as ``"4Gi"``.
        delay_max: Most seconds that it waits; None for no such limit.

    Raises:
        PolicyError: A number makes no sense.
    """

    attempts: int = 1
    delay: float = 0.1
    backoff: float = 2.0
    jitter: float = 0.1
    memory: float | None = None
    memory_max: float | str | None = None
    delay_max: float | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if not whole(self.attempts) or self.attempts < 1:
            raise PolicyError(f"Retry(attempts={self.attempts!r}): expects a whole number from 1; 1 means no retry.")
        positive(self.delay, "Retry(delay)", zero=True)
        positive(self.backoff, "Retry(backoff)")
        positive(self.jitter, "Retry(jitter)", zero=True)
        if self.memory is not None and positive(self.memory, "Retry(memory)") <= 1:
            raise PolicyError(
                f"Retry(memory={self.memory!r}) must be more than 1: it is the factor by which memory grows."
            )
        if self.memory_max is not None:
            megabytes(self.memory_max, "Retry(memory_max)")
        if self.memory is not None and self.memory_max is None:
            raise PolicyError("Retry(memory=…) needs memory_max=…, the most memory that a retry may ask for.")
        if self.delay_max is not None:
            positive(self.delay_max, "Retry(delay_max)", zero=True)


class Backoff(Value, frozen=True):
    """How long to wait before a retry: ``base``, then ``factor`` times as long each time, up to ``cap``.

    Attributes:
        base: Seconds before the first retry, or a timedelta.
        factor: Factor of each further wait.
        cap: The longest wait, in seconds or as a timedelta; None for no such limit.

    Raises:
        PolicyError: A number makes no sense.
    """

    base: Span = 0.1
    factor: float = 2.0
    cap: Span | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        seconds(self.base, "Backoff(base)", zero=True)
        positive(self.factor, "Backoff(factor)")
        if self.cap is not None:
            seconds(self.cap, "Backoff(cap)", zero=True)


class RetryStrategy(Value, frozen=True):
    """How often a task is tried again.

    Attributes:
        count: Retries after the first try; 0 means none.
        backoff: How long to wait before each.

    Raises:
        PolicyError: A number makes no sense.

    Usage::

        @env.task(retries=RetryStrategy(3, backoff=Backoff(base=1, cap=30)))
    """

    count: int = 0
    backoff: Backoff = Backoff()

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if not whole(self.count) or self.count < 0:
            raise PolicyError(f"RetryStrategy(count={self.count!r}): expects a whole number of retries, from 0.")
        if not isinstance(self.backoff, Backoff):
            raise PolicyError(f"RetryStrategy(backoff={self.backoff!r}): expects Backoff(…).")

    @classmethod
    def of(cls, value: Any) -> RetryStrategy:
        """Read what ``retries=`` was given: a number of retries, or a strategy; None means no retry.

        Raises:
            PolicyError: It is neither.
        """
        if isinstance(value, RetryStrategy):
            return value
        if value is not None and (not whole(value) or value < 0):
            raise PolicyError(f"retries={value!r}: expects a whole number from 0, or RetryStrategy(…).")
        return cls(value or 0)

    def retry(self) -> Retry:
        """Give the policy that the engine carries out."""
        cap = self.backoff.cap
        return Retry(
            attempts=self.count + 1,
            delay=seconds(self.backoff.base, "Backoff(base)", zero=True),
            backoff=self.backoff.factor,
            delay_max=None if cap is None else seconds(cap, "Backoff(cap)", zero=True),
        )


class Timeout(Value):
    """Stop what takes too long. Each limit is a number of seconds or a timedelta, and kept in seconds.

    Attributes:
        seconds: How long one attempt may run, infinite for no limit; ``max_runtime`` is another word for it.
        max_queued_time: How long one attempt may wait for its place; None for no limit.
        deadline: How long the action may take in all, with waiting and every retry; None for no limit.

    Raises:
        PolicyError: A limit makes no sense, or none is given.

    Usage::

        Timeout(60)
        Timeout(max_runtime=60, deadline=timedelta(hours=1))
    """

    seconds: float
    max_queued_time: float | None = None
    deadline: float | None = None

    if TYPE_CHECKING:  # one limit must be given, by any of its names

        @overload
        def __init__(
            self, seconds: Span, max_queued_time: Span | None = None, deadline: Span | None = None
        ) -> None: ...
        @overload
        def __init__(
            self, *, max_runtime: Span, max_queued_time: Span | None = None, deadline: Span | None = None
        ) -> None: ...
        @overload
        def __init__(self, *, max_queued_time: Span, deadline: Span | None = None) -> None: ...
        @overload
        def __init__(self, *, deadline: Span) -> None: ...

    def __init__(
        self,
        seconds: Span | None = None,
        max_queued_time: Span | None = None,
        deadline: Span | None = None,
        *,
        max_runtime: Span | None = None,
    ) -> None:
        """Take the limits."""
        if seconds is not None and max_runtime is not None:
            raise PolicyError("Timeout(seconds=…, max_runtime=…): both say how long an attempt may run. Give one.")
        if (seconds, max_runtime, max_queued_time, deadline) == (None, None, None, None):
            raise PolicyError("Timeout(…) has no limit. Give seconds=…, max_queued_time=… or deadline=….")
        runtime = _limit(seconds, "seconds") if max_runtime is None else _limit(max_runtime, "max_runtime")
        self.seconds = NEVER if runtime is None else runtime
        self.max_queued_time = _limit(max_queued_time, "max_queued_time")
        self.deadline = _limit(deadline, "deadline")

    @property
    def max_runtime(self) -> float | None:
        """Seconds that one attempt may run; None for no limit."""
        return None if self.seconds == NEVER else self.seconds

    def replace(self, **changes: Any) -> Timeout:
        """Give a copy with some limits changed."""
        limits = {"seconds": self.max_runtime, "max_queued_time": self.max_queued_time, "deadline": self.deadline}
        return Timeout(**{**limits, **changes})

    @classmethod
    def of(cls, value: Any) -> Timeout | None:
        """Read what ``timeout=`` was given: seconds, a timedelta, or limits; None means no limit.

        Raises:
            PolicyError: It is none of these.
        """
        if value is None or isinstance(value, Timeout):
            return value
        return cls(seconds(value, "timeout"))


def _limit(value: Span | None, name: str) -> float | None:
    return None if value is None else seconds(value, f"Timeout({name})")


AUTOMATIC, OVERRIDE, DISABLE = BEHAVIORS = ("auto", "override", "disable")


class Cache(Value, frozen=True):
    """Whether a task's earlier result may stand for a new call.

    The key of a result is made of the task's inputs, its interface and the version of its code.

    Attributes:
        behavior: ``"auto"``: the version is a fingerprint of the code. ``"override"``: it is ``version_override``.
            ``"disable"``: each call runs.
        version_override: What stands in place of the code's fingerprint.
        ignored_inputs: Names of inputs that are no part of the key.
        salt: Text that is part of the key; another salt makes every earlier result unknown.

    Raises:
        PolicyError: A value makes no sense.

    Usage::

        @env.task(cache=Cache("override", version_override="2", ignored_inputs=("verbose",)))
    """

    behavior: str = AUTOMATIC
    version_override: str | None = None
    ignored_inputs: Sequence[str] = ()
    salt: str = ""

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if self.behavior not in BEHAVIORS:
            raise PolicyError(f"Cache(behavior={self.behavior!r}) is unknown.{nearest(str(self.behavior), BEHAVIORS)}")
        self._check_version()
        names = (self.ignored_inputs,) if isinstance(self.ignored_inputs, str) else self.ignored_inputs
        if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
            raise PolicyError(f"Cache(ignored_inputs={names!r}): expects names of inputs, such as ('verbose',).")
        self.__dict__["ignored_inputs"] = tuple(names)
        if not isinstance(self.salt, str):
            raise PolicyError(f"Cache(salt={self.salt!r}): expects text.")

    def _check_version(self) -> None:
        version = self.version_override
        if version is not None and (not isinstance(version, str) or not version):
            raise PolicyError(f"Cache(version_override={version!r}): expects text that is not empty, such as '2'.")
        if version is None and self.behavior == OVERRIDE:
            raise PolicyError("Cache('override') needs version_override=…, which stands for the version of the code.")
        if version is not None and self.behavior == DISABLE:
            raise PolicyError(f"Cache('disable', version_override={version!r}): nothing is cached. Leave one out.")

    @classmethod
    def of(cls, value: Any) -> Cache:
        """Read what ``cache=`` was given: a behavior, or a policy; None means that nothing is cached.

        Raises:
            PolicyError: It is neither.
        """
        if isinstance(value, Cache):
            return value
        if value is not None and not isinstance(value, str):
            raise PolicyError(f"cache={value!r}: expects 'auto', 'disable' or Cache(…).")
        return cls(DISABLE if value is None else value)

    @property
    def enabled(self) -> bool:
        """Whether results are kept at all."""
        return self.behavior != DISABLE
