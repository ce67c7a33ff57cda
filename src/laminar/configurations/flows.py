"""Stable path of the configuration of flows."""

from laminar.flows.flow import FlowConfiguration as Configuration

__all__ = ["Configuration"]
