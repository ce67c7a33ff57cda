"""Stable path of the configurations of layers."""

from laminar.flows.configurations import Catch, Container, ForEach, Parameter
from laminar.flows.configurations import LayerConfiguration as Configuration
from laminar.model.policies import Resources, Retry, ReusePolicy, Timeout

__all__ = [
    "Catch",
    "Configuration",
    "Container",
    "ForEach",
    "Parameter",
    "Resources",
    "Retry",
    "ReusePolicy",
    "Timeout",
]
