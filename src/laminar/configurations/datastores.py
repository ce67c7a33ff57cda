"""Stable path of the datastores."""

from laminar.flows.accessor import Accessor
from laminar.flows.datastores import AWS, GCS, S3, Azure, DataStore, Local, Memory

__all__ = ["AWS", "GCS", "S3", "Accessor", "Azure", "DataStore", "Local", "Memory"]
