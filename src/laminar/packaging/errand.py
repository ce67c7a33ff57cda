"""An image made ready in a process of its own: for a server, which builds nothing itself, and unpacks nothing.

Its arguments are the engine's address, a folder for the output of builds, and the name of
the image; without a name it is the automatic one. It prints one line of JSON: the ``image``, or the ``error`` with its
``message``. What it does meanwhile are lines on standard error.
"""

from __future__ import annotations

import asyncio
import json
import sys

from laminar.containers.engine import connected
from laminar.errors import LaminarError
from laminar.packaging.images import Images, automatic


def main() -> None:
    """Do what the arguments say."""
    engine, logs, *names = sys.argv[1:]
    try:
        answer = {"image": asyncio.run(_ready(engine, logs, names[0] if names else None))}
    except LaminarError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer))


async def _ready(address: str, logs: str, name: str | None) -> str:
    async with connected(address) as engine:
        images = Images(engine.client, _tell, logs)
        return await images.ready(automatic(None) if name is None else name)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
