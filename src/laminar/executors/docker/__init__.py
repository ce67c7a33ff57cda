"""Attempts in containers of this machine's engine: Docker or Podman."""

from laminar.executors.docker.executor import Docker as Docker
