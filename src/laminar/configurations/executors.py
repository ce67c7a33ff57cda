"""Stable path of the executors."""

from laminar.executors.contract import Executor
from laminar.executors.docker import Docker
from laminar.executors.process import Process
from laminar.executors.thread import Thread

__all__ = ["Docker", "Executor", "Process", "Thread"]
