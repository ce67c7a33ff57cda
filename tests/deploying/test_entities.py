"""What a server is told of tasks, flows and layers."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import typing
import uuid

import jsonschema
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from plans import Project

import laminar
from laminar import Cache, Cron, FixedRate, Flow, Layer, Resources, ReusePolicy, Secret, Timeout, Trigger, TriggerTime
from laminar.configurations import executors
from laminar.configurations.layers import Container, Retry
from laminar.tasks.kinds import kind_of
from laminar.tasks.schemas import schema_of
from laminar.wire.specs import CacheSpec, CronSpec, ResourcesSpec, RetrySpec, ReuseSpec, SecretSpec, TimeoutSpec

env = laminar.TaskEnvironment(
    "described",
    resources=Resources(cpu=("1", "2"), memory="2Gi"),
    env_vars={"A": "1"},
    secrets=[Secret("api-key"), Secret("password", group="db", mount="/run/password")],
    reusable=ReusePolicy(replicas=(0, 2)),
    queue="slow",
)


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


@dataclasses.dataclass
class Row:
    name: str
    score: float = 0.0
    inner: Row | None = None


class Named(typing.NamedTuple):
    x: int


class Struct(msgspec.Struct):
    x: int
    y: list[str] = []


class Model(pydantic.BaseModel):
    x: int = 1


@env.task(
    retries=3,
    timeout=60,
    cache=Cache("override", version_override="2", ignored_inputs=("day",)),
    short_name="loading",
    interruptible=True,
    triggers=[Trigger("nightly", Cron("0 3 * * *"), inputs={"day": TriggerTime, "colors": [Color.RED]})],
)
def load(day: datetime.datetime, colors: list[Color], limit: int = 3, row: Row = Row("x")) -> dict[str, Row]:  # noqa: B008
    """Load the rows
    of a day.

    Args:
        day: Which day.
    """
    return {}


class Train(Flow, triggers=Trigger("hourly", FixedRate(60), inputs={"rate": 0.5, "day": TriggerTime})):
    """Trains a model."""


class More(Train): ...


@Train.register(
    container=Container(
        image="some/image:1", cpu=2, memory="4Gi", env={"B": "2"}, command="python main.py", workdir="/work"
    ),
    retry=Retry(attempts=3),
    timeout=Timeout(5),
)
class Fit(Layer):
    """Fits."""

    def __call__(self) -> None: ...


class Held(Flow): ...


@Held.register(container=Container(workdir="/laminar/"))
class Rest(Layer):
    def __call__(self) -> None: ...


@pytest.fixture(scope="module")
def entities():
    return {spec.name: spec for one in laminar.deploy(env, Train, More, dryrun=True) for spec in one.entities}


def test_a_task_is_described_as_it_is_carried_out(entities):
    spec = entities["described.load"]

    assert (spec.kind, spec.module, spec.qualname, spec.environment) == ("task", __name__, "load", "described")
    assert spec.doc == "Load the rows of a day."
    assert spec.resources == ResourcesSpec(cpu=("1", "2"), memory="2Gi")
    assert spec.retries == RetrySpec(count=3)
    assert spec.timeout == TimeoutSpec(max_runtime=60)
    assert spec.reusable == ReuseSpec(replicas=(0, 2))
    assert spec.secrets == (
        SecretSpec(key="api-key", variable="API_KEY"),
        SecretSpec(key="password", group="db", mount="/run/password"),
    )
    assert (spec.env_vars, spec.queue, spec.short_name, spec.interruptible) == ({"A": "1"}, "slow", "loading", True)
    assert spec.cache.code.digest == "version 2"
    assert msgspec.structs.replace(spec.cache, code=None) == CacheSpec(
        behavior="override", version_override="2", ignored_inputs=("day",)
    )


def test_its_interface_says_what_a_run_must_be_given(entities):
    interface = entities["described.load"].interface
    day, colors, limit, row = interface.parameters

    assert (day.name, day.type, day.required, day.doc) == ("day", "datetime", True, "Which day.")
    assert colors.schema == {"type": "array", "items": {"title": "Color", "enum": ["RED", "GREEN"]}}
    assert (limit.required, limit.default) == (False, 3)
    assert row.default == {"name": "x", "score": 0.0, "inner": None}
    assert interface.returns.type == "dict[str, Row]"


def test_inputs_of_its_triggers_are_json_and_the_time_is_named(entities):
    (trigger,) = entities["described.load"].triggers

    assert trigger.automation == CronSpec(expression="0 3 * * *")
    assert (trigger.inputs, trigger.times) == ({"colors": ["RED"]}, ("day",))


def test_a_flow_is_described_with_its_triggers_and_one_that_inherits_from_it_without(entities):
    spec = entities["Train"]

    assert (spec.kind, spec.doc, spec.layers) == ("flow", "Trains a model.", ("Train.Fit",))
    assert (spec.triggers[0].inputs, spec.triggers[0].times) == ({"rate": 0.5}, ("day",))
    assert (entities["More"].triggers, entities["More"].layers) == ((), ("More.Fit",))


def test_a_layer_is_described_by_its_container_and_its_retries_are_the_schedulers(entities):
    spec = entities["Train.Fit"]

    assert (spec.kind, spec.doc, spec.environment, spec.image) == ("layer", "Fits.", "Train", "some/image:1")
    assert (spec.resources.cpu, spec.resources.memory) == (2, "4Gi")
    assert (spec.env_vars, spec.command, spec.workdir) == ({"B": "2"}, "python main.py", "/work")
    assert (spec.retries, spec.timeout) == (RetrySpec(), None)


def test_what_a_flow_says_of_its_executor_holds_for_layers_that_say_nothing():
    held = executors.Docker(timeout=60, image="own/image:1", reuse=ReusePolicy(replicas=2))
    (deployment,) = laminar.deploy(Held(executor=held), dryrun=True)
    spec = {one.name: one for one in deployment.entities}["Held.Rest"]

    assert (spec.image, spec.timeout, spec.workdir) == ("own/image:1", TimeoutSpec(max_runtime=60), None)
    assert spec.reusable == ReuseSpec(replicas=2)


def test_a_deployment_shows_itself_in_a_line_and_in_a_table():
    (made,) = laminar.deploy(Train, dryrun=True)

    assert repr(made) == f"<Deployment flow Train {made.version}>"
    assert made.summary_repr().startswith(f"Flow Train, version {made.version}: 1 layer, ")
    assert made.images == ("some/image:1",)
    lines = [line.split() for line in made.table_repr().splitlines()]
    assert lines == [
        ["KIND", "NAME", "TAKES", "AND", "GIVES", "IMAGE"],
        ["flow", "Train"],
        ["layer", "Train.Fit", "some/image:1"],
    ]


VALUES = [
    (int, 1),
    (float, 1.5),
    (str, "x"),
    (bool, True),
    (None, None),
    (bytes, b"\xff"),
    (complex, 1j),
    (datetime.datetime, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
    (datetime.date, datetime.date(2026, 1, 2)),
    (datetime.time, datetime.time(1, 2)),
    (datetime.timedelta, datetime.timedelta(minutes=1)),
    (decimal.Decimal, decimal.Decimal("1.5")),
    (uuid.UUID, uuid.UUID(int=1)),
    (pathlib.Path, pathlib.Path("x/y")),
    (Color, Color.GREEN),
    (Row, Row("x", 1.5, Row("y"))),
    (Named, Named(1)),
    (Struct, Struct(1, ["x"])),
    (Model, Model(x=2)),
    (typing.Any, {"x": [1]}),
    (typing.Literal[1, "a", True, None], "a"),
    (typing.Literal[1, "a", True, None], True),
    (int | None, None),
    (list[int] | dict[str, int], {"x": 1}),
    (list[int], [1, 2]),
    (set[str], {"x", "y"}),
    (frozenset[int], frozenset({1})),
    (tuple[int, str], (1, "x")),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[()], ()),
    (dict[str, list[float]], {"x": [1.5]}),
    (dict[int, int], {1: 2}),
    (typing.Sequence[int], [1]),
    (typing.Mapping[str, int], {"x": 1}),
    (np.ndarray, np.array([[1, 2]])),
    (np.float64, np.float64(1.5)),
    (pd.DataFrame, pd.DataFrame({"x": [1]})),
]


@pytest.mark.parametrize(("annotation", "value"), VALUES, ids=[str(one) for one, _ in VALUES])
def test_json_of_a_value_fits_the_schema_of_its_type(annotation, value):
    kind = kind_of(annotation)
    schema = schema_of(kind.schema())

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(kind.plain(kind.check(value)), schema)


@pytest.mark.parametrize(
    ("annotation", "wrong"),
    [
        (int, "x"),
        (str, 1),
        (list[int], ["x"]),
        (Color, "BLUE"),
        (Row, {"score": 1.0}),
        (tuple[int, str], [1]),
        (int | None, "x"),
        (typing.Literal[1, "a"], "b"),
        (dict[str, int], {"x": "y"}),
        (bool, 0),
    ],
)
def test_json_that_does_not_fit_is_told_by_the_schema(annotation, wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema_of(kind_of(annotation).schema()))


def test_of_a_class_that_travels_by_pickle_nothing_is_said():
    assert schema_of(kind_of(Project).schema()) is None
