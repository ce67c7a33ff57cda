"""The command line: run, look at, follow, resume and abort runs."""
