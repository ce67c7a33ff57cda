"""Stable paths of everything that can be configured."""
