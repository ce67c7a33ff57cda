"""What a server has: tasks and flows that are deployed, runs, actions. All of it is asked for when it is needed."""

from __future__ import annotations

from laminar.remote.actions import Action
from laminar.remote.deployments import Deployment
from laminar.remote.flows import Flow
from laminar.remote.runs import Run
from laminar.tasks.deployed import Deployed as Task

__all__ = ["Action", "Deployment", "Flow", "Run", "Task"]
