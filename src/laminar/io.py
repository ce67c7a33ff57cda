"""Stable path of files and folders that tasks can take and give."""

from laminar.tasks.files import Dir, File

__all__ = ["Dir", "File"]
