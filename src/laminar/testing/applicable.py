"""Behaviours of a suite that only some implementations have: for the others their tests do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    TestT = TypeVar("TestT", bound=Callable[..., None])

MARK = "__laminar_where__"


def where(**attributes: bool) -> Callable[[TestT], TestT]:
    """Mark a test that is there only in suites whose attributes have these values.

    Args:
        **attributes: Values by name.

    Usage::

        @where(isolated=True)
        def test_attempts_share_no_memory(self, bench): ...
    """

    def mark(test: TestT) -> TestT:
        setattr(test, MARK, attributes)
        return test

    return mark


class Applicable:
    """Base of suites: takes away the tests that do not apply to a subclass, before pytest collects it."""

    _marked: ClassVar[dict[str, Callable[..., None]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Look at each test that is marked by :func:`where`, and put it there or take it away."""
        super().__init_subclass__(**kwargs)
        cls._marked = {name: test for name, test in vars(cls).items() if hasattr(test, MARK)}
        for name, test in _inherited(cls).items():
            applies = all(getattr(cls, attribute) == value for attribute, value in getattr(test, MARK).items())
            setattr(cls, name, test if applies else None)


def _inherited(suite: type[Applicable]) -> dict[str, Callable[..., None]]:
    """Find the marked tests of a suite, with those that its bases have but which do not apply there."""
    found: dict[str, Callable[..., None]] = {}
    for base in reversed(suite.__mro__):
        for name, value in vars(base).items():
            if callable(value) and not hasattr(value, MARK):
                found.pop(name, None)  # it was written anew
        found.update(vars(base).get("_marked", {}))
    return found
