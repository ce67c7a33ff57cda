"""Stable path of the scheduler's settings."""

from laminar.flows.schedulers import Scheduler

__all__ = ["Scheduler"]
