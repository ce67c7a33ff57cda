"""What can be said of how a task is carried out: by its environment, by its decorator, and for one call."""

from __future__ import annotations

from collections.abc import Mapping

from laminar.errors import TaskError, nearest
from laminar.model.amounts import seconds
from laminar.model.placement import Buildable
from laminar.model.policies import Cache, Resources, RetryStrategy, ReusePolicy, Timeout
from laminar.model.secret import Secret
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.packaging.image import Image

#: What may be said at which level; the environment is overridden by the decorator, that by the call.
OF_ENVIRONMENT = frozenset({"image", "resources", "env_vars", "secrets", "cache", "reusable", "queue", "interruptible"})
OF_TASK = OF_ENVIRONMENT | {"retries", "timeout", "short_name"}
OF_CALL = OF_TASK - {"image"}


class Settings(Value, frozen=True):
    """How a task is carried out.

    Attributes:
        image: What its container is made of: the name of an image, an image to build, or None for the executor's.
        resources: What it needs of a machine.
        env_vars: Environment variables that it sees.
        secrets: What it is given and nobody else may see.
        cache: Whether an earlier result may stand for a call.
        retries: How often it is tried again.
        timeout: How long it may take.
        interruptible: Whether its machine may be taken from it; that uses up no retry.
        reusable: Whether its container stays up for further calls.
        queue: Name of the queue that a server puts it in.
        short_name: What it is called where space is short.
    """

    image: str | Image | None = None
    resources: Resources = Resources()
    env_vars: Mapping[str, str] = {}
    secrets: tuple[Secret, ...] = ()
    cache: Cache = Cache("disable")
    retries: RetryStrategy = RetryStrategy()
    timeout: Timeout | None = None
    interruptible: bool = False
    reusable: ReusePolicy | None = None
    queue: str | None = None
    short_name: str | None = None


def encoded(overrides: Mapping[str, Any]) -> bytes:
    """Write down what a call overrides, for who carries it out."""
    import msgspec  # 21 ms, and only calls that override something need it

    from laminar.wire.specs import Overrides  # likewise

    return msgspec.json.encode(Overrides.of(overrides))


def decoded(overrides: bytes) -> dict[str, Any]:
    """Read what a call overrides."""
    import msgspec  # as above

    from laminar.wire.specs import Overrides  # likewise

    return msgspec.json.decode(overrides, type=Overrides).settings()


def read(given: Mapping[str, Any], allowed: frozenset[str], of_what: str) -> dict[str, Any]:
    """Check what was said, and bring it into one form. What was not said is not in the result.

    Args:
        given: Settings by name; None stands for not said, except where None is an answer.
        allowed: Names that may be said here.
        of_what: Name of the environment or task, for errors.

    Raises:
        TaskError: A name is unknown here, or a value is of the wrong type.
        PolicyError: A value makes no sense.
    """
    for name in given:
        if name not in allowed:
            raise TaskError(f"{of_what} has no setting {name!r}.{nearest(name, allowed)}")
    return {name: _READERS[name](value, of_what) for name, value in given.items()}


def _image(value: Any, of_what: str) -> Any:
    if value in (None, "auto"):
        return None
    if not isinstance(value, (str, Buildable)) or value == "":
        raise TaskError(f"{of_what}: image={value!r}: expects the name of an image, or laminar.Image.from_….")
    return value


def _resources(value: Any, of_what: str) -> Resources:
    if value is None:
        return Resources()
    if not isinstance(value, Resources):
        raise TaskError(f"{of_what}: resources={value!r}: expects laminar.Resources(cpu=…, memory=…).")
    return value


def _env_vars(value: Any, of_what: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TaskError(f"{of_what}: env_vars={value!r}: expects a dictionary of strings.")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise TaskError(f"{of_what}: env_vars={{{name!r}: {text!r}}}: both must be strings.")
        if not name or "=" in name or "\0" in name + text:
            raise TaskError(f"{of_what}: env_vars: {name!r} is no name of a variable, or has a null byte.")
    return dict(value)


def _secrets(value: Any, of_what: str) -> tuple[Secret, ...]:  # noqa: ARG001
    if value is None:
        return ()
    items = (value,) if isinstance(value, (str, Secret)) else tuple(value)
    return tuple(Secret.of(item) for item in items)


def _cache(value: Any, of_what: str) -> Cache:  # noqa: ARG001
    return Cache.of("disable" if value is None else value)


def _retries(value: Any, of_what: str) -> RetryStrategy:  # noqa: ARG001
    return RetryStrategy.of(value)


def _timeout(value: Any, of_what: str) -> Timeout | None:
    if value is None or isinstance(value, Timeout):
        return value
    limit = seconds(value, f"{of_what}: timeout", zero=True)
    return Timeout(limit) if limit else None


def _flag(value: Any, of_what: str) -> bool:
    if not isinstance(value, (bool, type(None))):
        raise TaskError(f"{of_what}: interruptible={value!r}: expects True or False.")
    return bool(value)


def _reusable(value: Any, of_what: str) -> ReusePolicy | None:
    if value in (None, "off"):
        return None
    if not isinstance(value, ReusePolicy):
        raise TaskError(f"{of_what}: reusable={value!r}: expects laminar.ReusePolicy(…), or 'off'.")
    return value


def _text(value: Any, of_what: str) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise TaskError(f"{of_what}: {value!r} is no name. Give text that is not empty.")
    return value


_READERS = {
    "image": _image,
    "resources": _resources,
    "env_vars": _env_vars,
    "secrets": _secrets,
    "cache": _cache,
    "retries": _retries,
    "timeout": _timeout,
    "interruptible": _flag,
    "reusable": _reusable,
    "queue": _text,
    "short_name": _text,
}
