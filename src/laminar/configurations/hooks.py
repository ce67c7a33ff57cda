"""Stable path of the hooks."""

from laminar.flows.hooks import entry, execution, retry, submission

__all__ = ["entry", "execution", "retry", "submission"]
