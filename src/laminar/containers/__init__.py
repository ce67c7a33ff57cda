"""The container engine of this machine, Docker or Podman: where it answers, what it can do, what it says."""
