"""How a run is driven."""

from __future__ import annotations

from laminar.errors import FlowError
from laminar.model.amounts import positive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

ON_FAILURE = ("drain", "cancel")


class Scheduler:
    """How a run is driven.

    Attributes:
        on_failure: What happens to the rest when a layer fails: ``"drain"`` lets what runs come to its end, so that its
            results are kept; ``"cancel"`` stops it. Neither starts anything new.
        grace: Seconds that an attempt has to end by itself when it is stopped, before it is killed.
        quiet: Whether to print nothing; ``LAMINAR_QUIET=1`` does the same for all.

    Raises:
        FlowError: A setting makes no sense.
    """

    def __init__(
        self, *, on_failure: Literal["drain", "cancel"] = "drain", grace: float = 5.0, quiet: bool = False
    ) -> None:
        """Check and keep the settings."""
        if on_failure not in ON_FAILURE:
            raise FlowError(f"Scheduler(on_failure={on_failure!r}): expects one of {', '.join(map(repr, ON_FAILURE))}.")
        positive(grace, "Scheduler(grace)", zero=True)
        self.on_failure = on_failure
        self.grace = grace
        self.quiet = quiet

    def __repr__(self) -> str:
        """Show the settings."""
        return f"Scheduler(on_failure={self.on_failure!r}, grace={self.grace}, quiet={self.quiet})"
