"""Stable path of the components of flows."""

from laminar.flows.accessor import Accessor
from laminar.flows.execution import Execution
from laminar.flows.flow import Flow
from laminar.flows.layer import Layer, Parameters

__all__ = ["Accessor", "Execution", "Flow", "Layer", "Parameters"]
