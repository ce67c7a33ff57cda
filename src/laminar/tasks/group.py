"""Groups: a name for the calls that are made together, for who looks at the run."""

from __future__ import annotations

import contextlib
import contextvars

from laminar.errors import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_label: contextvars.ContextVar[str] = contextvars.ContextVar("laminar_group", default="")


def label() -> str:
    """Give the name of the group that the running code calls tasks in; groups within groups as ``outer/inner``."""
    return _label.get()


@contextlib.contextmanager
def group(name: str) -> Iterator[None]:
    """Give the calls that are made inside a name. It changes nothing else.

    Args:
        name: The name.

    Raises:
        TaskError: It is no text.

    Usage::

        with laminar.group("months"):
            rows = await asyncio.gather(*[load(month) for month in range(1, 13)])
    """
    if not isinstance(name, str) or not name:
        raise TaskError(f"group({name!r}): expects a name, such as group('months').")
    outer = _label.get()
    token = _label.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _label.reset(token)
