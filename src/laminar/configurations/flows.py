"""Stable path of the configuration of flows."""

from laminar.flows.configured import FlowConfiguration as Configuration

__all__ = ["Configuration"]
