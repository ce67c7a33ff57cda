"""Where the values of local runs lie."""

from __future__ import annotations

import os

from laminar.data.artifacts import Artifacts
from laminar.data.journal import SPACE
from laminar.data.local import LocalBlobs
from laminar.data.serde import frames
from laminar.data.values import Values
from laminar.runs import configuration


def root(folder: str | None = None) -> str:
    """Give the folder of local runs, absolute.

    Args:
        folder: The folder; by default the configured one.
    """
    return os.path.abspath(configuration.current().root if folder is None else folder)


def blobs(folder: str) -> LocalBlobs:
    """Give the blobs in a folder."""
    return LocalBlobs(folder)


def values(folder: str) -> Values:
    """Give what packs and unpacks the values of the runs in a folder."""
    return Values(Artifacts(LocalBlobs(folder), SPACE, frames.registry()))
