"""Handles of files and folders, under the path that other frameworks have them at."""

from __future__ import annotations

from laminar.tasks.files import Dir, File

__all__ = ["Dir", "File"]
