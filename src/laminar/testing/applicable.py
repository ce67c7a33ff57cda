"""Behaviours of a suite that only some implementations have: for the others their tests do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Look at each test that is marked by :func:`where`, and put it there or take it away."""
        super().__init_subclass__(**kwargs)
        tests = {name: test for base in reversed(cls.__mro__) for name, test in vars(base).items() if callable(test)}
        for name, test in tests.items():
            wanted: dict[str, bool] | None = getattr(test, MARK, None)
            if wanted is not None:
                applies = all(getattr(cls, attribute) == value for attribute, value in wanted.items())
                setattr(cls, name, test if applies else None)
