"""Stable path of serialisation protocols."""

from laminar.data.serde.contract import Protocol, dtype

__all__ = ["Protocol", "dtype"]
