"""What a task finds around it: environment variables of its own.

Where it runs inside the scheduler's process, ``os.environ`` shows each task its own variables; those of the process
stay as they are. Programs that a task starts, and libraries in C, see those of the process only, unless the task
passes its own on.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.tasks.payload import Payload

_own: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("laminar_variables", default=None)


class _Environ(type(os.environ)):  # type: ignore[misc]
    """``os.environ`` with the variables of the running task above those of the process."""

    def __getitem__(self, name: str) -> str:
        own = _own.get()
        if own is not None and name in own:
            return own[name]
        return super().__getitem__(name)  # type: ignore[no-any-return]

    def __setitem__(self, name: str, value: str) -> None:
        own = _own.get()
        if own is not None and name in own:
            own[name] = value
        else:
            super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        own = _own.get()
        if own is not None and name in own:
            del own[name]
        else:
            super().__delitem__(name)

    def __iter__(self) -> Iterator[str]:
        own = _own.get()
        if own is None:
            yield from super().__iter__()
        else:
            yield from dict.fromkeys([*super().__iter__(), *own])

    def __len__(self) -> int:
        return sum(1 for _ in self)


@contextlib.contextmanager
def of(payload: Payload) -> Iterator[None]:
    """Show a task its environment variables."""
    if not payload.variables:
        yield
        return
    if not payload.inside:
        os.environ.update(dict(payload.variables))  # this process is the attempt's own
        yield
        return
    if not isinstance(os.environ, _Environ):
        environ: Any = os.environ
        environ.__class__ = _Environ
    token = _own.set(dict(payload.variables))
    try:
        yield
    finally:
        _own.reset(token)
