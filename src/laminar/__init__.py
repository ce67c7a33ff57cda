"""laminar: workflows in plain Python, container first, from a laptop to a cluster.

Importing it loads nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar import remote as remote
    from laminar.errors import NonRecoverableError as NonRecoverableError
    from laminar.flows.accessor import Accessor as Accessor
    from laminar.flows.execution import Execution as Execution
    from laminar.flows.flow import Flow as Flow
    from laminar.flows.layer import Layer as Layer
    from laminar.flows.layer import Parameters as Parameters
    from laminar.model.policies import Backoff as Backoff
    from laminar.model.policies import Cache as Cache
    from laminar.model.policies import Resources as Resources
    from laminar.model.policies import RetryStrategy as RetryStrategy
    from laminar.model.policies import ReusePolicy as ReusePolicy
    from laminar.model.policies import Timeout as Timeout
    from laminar.model.secret import Secret as Secret
    from laminar.model.triggers import Cron as Cron
    from laminar.model.triggers import FixedRate as FixedRate
    from laminar.model.triggers import Trigger as Trigger
    from laminar.model.triggers import TriggerTime as TriggerTime
    from laminar.packaging.image import Image as Image
    from laminar.runs.configuration import current_domain as current_domain
    from laminar.runs.configuration import current_project as current_project
    from laminar.runs.configuration import init as init
    from laminar.runs.configuration import init_from_config as init_from_config
    from laminar.runs.deploying import Deployment as Deployment
    from laminar.runs.deploying import deploy as deploy
    from laminar.tasks.context import ctx as ctx
    from laminar.tasks.environment import TaskEnvironment as TaskEnvironment
    from laminar.tasks.files import Dir as Dir
    from laminar.tasks.files import File as File
    from laminar.tasks.group import group as group
    from laminar.tasks.home import Action as Action
    from laminar.tasks.mapping import map as map  # noqa: A004 - the field's word
    from laminar.tasks.run import Run as Run
    from laminar.tasks.running import resume as resume
    from laminar.tasks.running import run as run
    from laminar.tasks.running import with_runcontext as with_runcontext
    from laminar.tasks.task import Task as Task
    from laminar.tasks.tracing import trace as trace

__version__ = VERSION

_HOMES = {
    "Accessor": "laminar.flows.accessor",
    "Action": "laminar.tasks.home",
    "Backoff": "laminar.model.policies",
    "Cache": "laminar.model.policies",
    "Cron": "laminar.model.triggers",
    "Deployment": "laminar.runs.deploying",
    "Dir": "laminar.tasks.files",
    "Execution": "laminar.flows.execution",
    "File": "laminar.tasks.files",
    "FixedRate": "laminar.model.triggers",
    "Flow": "laminar.flows.flow",
    "Image": "laminar.packaging.image",
    "Layer": "laminar.flows.layer",
    "NonRecoverableError": "laminar.errors",
    "Parameters": "laminar.flows.layer",
    "Resources": "laminar.model.policies",
    "RetryStrategy": "laminar.model.policies",
    "ReusePolicy": "laminar.model.policies",
    "Run": "laminar.tasks.run",
    "Secret": "laminar.model.secret",
    "Task": "laminar.tasks.task",
    "TaskEnvironment": "laminar.tasks.environment",
    "Timeout": "laminar.model.policies",
    "Trigger": "laminar.model.triggers",
    "TriggerTime": "laminar.model.triggers",
    "ctx": "laminar.tasks.context",
    "current_domain": "laminar.runs.configuration",
    "current_project": "laminar.runs.configuration",
    "deploy": "laminar.runs.deploying",
    "group": "laminar.tasks.group",
    "init": "laminar.runs.configuration",
    "init_from_config": "laminar.runs.configuration",
    "map": "laminar.tasks.mapping",
    "resume": "laminar.tasks.running",
    "run": "laminar.tasks.running",
    "trace": "laminar.tasks.tracing",
    "with_runcontext": "laminar.tasks.running",
}

__all__ = [
    "Accessor",
    "Action",
    "Backoff",
    "Cache",
    "Cron",
    "Deployment",
    "Dir",
    "Execution",
    "File",
    "FixedRate",
    "Flow",
    "Image",
    "Layer",
    "NonRecoverableError",
    "Parameters",
    "Resources",
    "RetryStrategy",
    "ReusePolicy",
    "Run",
    "Secret",
    "Task",
    "TaskEnvironment",
    "Timeout",
    "Trigger",
    "TriggerTime",
    "__version__",
    "ctx",
    "current_domain",
    "current_project",
    "deploy",
    "group",
    "init",
    "init_from_config",
    "map",
    "remote",
    "resume",
    "run",
    "trace",
    "with_runcontext",
]


#: Rooms that are reached without being imported by name.
_ROOMS = ("remote",)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None and name not in _ROOMS:
        raise AttributeError(f"module 'laminar' has no attribute {name!r}")
    from importlib import import_module  # front doors are loaded by name, so that importing laminar costs nothing

    value = import_module(f"laminar.{name}") if home is None else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
