"""Kinds: what a type annotation means for the values that pass a task's boundary."""

from laminar.tasks.kinds.compiler import kind_of
from laminar.tasks.kinds.contract import Kind, Mismatch, UnresolvedError

__all__ = ["Kind", "Mismatch", "UnresolvedError", "kind_of"]
