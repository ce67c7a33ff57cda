"""Facts about this machine and its processes: who runs, who descends from whom, what the kernel killed."""
