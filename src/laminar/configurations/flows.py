"""Stable path of the configuration of flows."""

from laminar.flows.placement import FlowConfiguration as Configuration

__all__ = ["Configuration"]
