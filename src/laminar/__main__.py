"""The ``laminar`` program, also as ``python -m laminar``."""

from __future__ import annotations

import sys


def main() -> None:
    """Carry out the command line, and end the process; Ctrl-C is answered also while the commands are loaded."""
    try:
        from laminar.cli import main as commands  # 60 ms of click and what it needs
    except KeyboardInterrupt:
        sys.exit(130)
    commands.main()


if __name__ == "__main__":
    main()
