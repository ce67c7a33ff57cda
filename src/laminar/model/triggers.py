"""When a deployed task or flow is to start by itself."""

from __future__ import annotations

from laminar.errors import PolicyError, nearest
from laminar.model.amounts import positive, seconds, whole
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from typing import Any

UTC = "UTC"
FIELDS = ("minute", "hour", "day of month", "month", "day of week")
#: What stands for five fields.
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
OVERLAPS = ("skip", "queue", "cancel-old", "allow")
CATCHUPS = ("none", "latest")


class Cron(Value, frozen=True):
    """By the calendar, as ``cron`` reads it.

    Attributes:
        expression: Five fields: minute, hour, day of month, month, day of week; or an alias such as ``"@daily"``.
        timezone: Name of the time zone in which the fields are read, such as ``"Europe/Vienna"``.

    Raises:
        PolicyError: A field or the time zone makes no sense.

    Usage::

        Cron("30 6 * * MON-FRI", timezone="Europe/Vienna")
    """

    expression: str
    timezone: str = UTC

    def validate(self) -> None:
        """Refuse nonsense at once."""
        _check_expression(self.expression)
        if self.timezone != UTC:
            _check_timezone(self.timezone)

    @property
    def fields(self) -> str:
        """The five fields, with an alias spelled out."""
        return ALIASES.get(self.expression.strip().lower(), self.expression)


def _check_expression(expression: Any) -> None:
    if not isinstance(expression, str):
        raise PolicyError(f"Cron(expression={expression!r}): expects text, got {type(expression).__name__}.")
    if expression.strip().startswith("@"):
        if expression.strip().lower() not in ALIASES:
            raise PolicyError(f"Cron({expression!r}) is no alias.{nearest(expression, ALIASES)}")
        return
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise PolicyError(
            f"Cron({expression!r}) has {len(fields)} fields. Give five: {', '.join(FIELDS)}, as in '0 6 * * MON-FRI'."
        )
    for number, field in enumerate(fields):
        if not _is_read(["*"] * number + [field] + ["*"] * (len(FIELDS) - number - 1)):
            raise PolicyError(
                f"Cron({expression!r}): the {FIELDS[number]} {field!r} is not understood. {RANGES[number]}"
            )
    if not _is_read(fields):
        raise PolicyError(f"Cron({expression!r}) names a day that none of its months has, so it would never fire.")


RANGES = (
    "Give 0 to 59, or *, */5, 0,30 or 10-20.",
    "Give 0 to 23, or *, */2, 6,18 or 9-17.",
    "Give 1 to 31, L for the last day, or *, */2, 1,15 or 1-7.",
    "Give 1 to 12, JAN to DEC, or *, */3 or JAN-MAR.",
    "Give 0 to 7 (0 and 7 are Sunday), SUN to SAT, or *, MON-FRI, MON#1 for the first Monday, 5L for the last Friday.",
)


def _is_read(fields: list[str]) -> bool:
    from datetime import datetime  # only where a schedule is made

    from cronsim import CronSim, CronSimError  # likewise; 21 ms

    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))  # noqa: DTZ001 - only the fields are read
    except (CronSimError, ValueError, AssertionError):
        return False
    return True


def _check_timezone(name: Any) -> None:
    import zoneinfo  # only where a schedule names a time zone; 3 ms

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError, TypeError):
        known = zoneinfo.available_timezones()
        hint = nearest(str(name), known) if known else " This machine has no time zones: install the package tzdata."
        raise PolicyError(f"Cron(timezone={name!r}): there is no such time zone.{hint}") from None


class FixedRate(Value, frozen=True):
    """At a fixed distance in time.

    Attributes:
        interval_minutes: Minutes from one start to the next; a timedelta is taken too, by either name.
        start_time: When to begin; by default when it is activated. Without a time zone it is in UTC.

    Raises:
        PolicyError: A value makes no sense.

    Usage::

        FixedRate(15)
        FixedRate(interval=timedelta(hours=6))
    """

    interval_minutes: float
    start_time: datetime | None = None

    def __init__(
        self,
        interval_minutes: float | timedelta | None = None,
        start_time: datetime | None = None,
        *,
        interval: timedelta | None = None,
    ) -> None:
        """Take the interval by one of its names."""
        if (interval is None) == (interval_minutes is None):
            raise PolicyError("FixedRate(…) expects one of interval_minutes=15 and interval=timedelta(minutes=15).")
        if interval is not None and not hasattr(interval, "total_seconds"):
            raise PolicyError(f"FixedRate(interval={interval!r}): expects a timedelta; minutes are interval_minutes=….")
        self.__dict__["interval_minutes"] = _minutes(interval_minutes if interval is None else interval)
        self.__dict__["start_time"] = _aware(start_time)

    @property
    def seconds(self) -> float:
        """Seconds from one start to the next."""
        return self.interval_minutes * 60


def _minutes(value: Any) -> float:
    if hasattr(value, "total_seconds"):
        minutes = seconds(value, "FixedRate(interval)") / 60
    else:
        minutes = positive(value, "FixedRate(interval_minutes)")
    if minutes * 60 < 1:
        raise PolicyError(f"FixedRate({value!r}): less than a second lies between two starts. Give a second or more.")
    return minutes


def _aware(moment: Any) -> datetime | None:
    if moment is None:
        return None
    from datetime import UTC, datetime  # only where a schedule says when to begin

    if not isinstance(moment, datetime):
        raise PolicyError(
            f"FixedRate(start_time={moment!r}): expects a datetime with its time zone, got {type(moment).__name__}."
        )
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class FireTime(Value, frozen=True):
    """Stands for the time at which a trigger fires: give :data:`TriggerTime` for an input of type ``datetime``."""

    def __repr__(self) -> str:
        """Show the name by which it is used."""
        return "TriggerTime"


#: The time at which a trigger fires.
TriggerTime = FireTime()


class Trigger(Value, frozen=True):
    """Start a deployed task or flow by itself.

    Attributes:
        name: Its name, unique for the task.
        automation: When it fires: :class:`Cron` or :class:`FixedRate`.
        inputs: Inputs of each run; :data:`TriggerTime` stands for the time at which it fires.
        description: What it is for.
        auto_activate: Whether it is active as soon as it is deployed.
        overlap: What to do if the run before still goes on: ``"skip"`` this one, ``"queue"`` it, ``"cancel-old"``, or
            ``"allow"`` both.
        catchup: What to do about times at which nothing could fire: ``"none"``, the ``"latest"`` of them, or the
            latest so many.

    Raises:
        PolicyError: A value makes no sense.

    Usage::

        Trigger("nightly", Cron("0 3 * * *"), inputs={"day": TriggerTime})
    """

    name: str
    automation: Cron | FixedRate
    inputs: Mapping[str, Any] | None = None
    description: str = ""
    auto_activate: bool = True
    overlap: str = "skip"
    catchup: str | int = "none"

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise PolicyError(f"Trigger(name={self.name!r}): expects text that is not empty.")
        if not isinstance(self.automation, (Cron, FixedRate)):
            raise self._wrong("automation", "expects Cron(…) or FixedRate(…).")
        self._check_inputs()
        if not isinstance(self.description, str):
            raise self._wrong("description", "expects text.")
        if not isinstance(self.auto_activate, bool):
            raise self._wrong("auto_activate", "expects True or False.")
        if self.overlap not in OVERLAPS:
            raise self._wrong("overlap", f"is unknown.{nearest(str(self.overlap), OVERLAPS)}")
        if self.catchup not in CATCHUPS and not (whole(self.catchup) and self.catchup > 0):
            raise self._wrong("catchup", "expects 'none', 'latest', or how many from 1.")

    def _check_inputs(self) -> None:
        inputs = {} if self.inputs is None else self.inputs
        if not isinstance(inputs, dict) or not all(isinstance(name, str) for name in inputs):
            raise self._wrong("inputs", "expects a dictionary by the names of inputs.")

    def _wrong(self, field: str, expected: str) -> PolicyError:
        return PolicyError(f"Trigger({self.name!r}, {field}={getattr(self, field)!r}): {expected}")
