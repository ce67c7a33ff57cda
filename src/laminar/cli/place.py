"""Where runs are looked at: on this machine, or on a server."""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Place(ABC):
    """Where runs are looked at: on this machine, or on a server.

    Attributes:
        records: Knows what happened in them.
    """

    records: Any

    @abstractmethod
    def runs(self, limit: int, labels: Mapping[str, str], state: str | None, entity: str | None) -> list[Any]:
        """List runs, the newest first.

        Args:
            limit: How many at most.
            labels: Those that bear all of these.
            state: Those in this state; None for all.
            entity: Those of this task or flow; None for all.
        """

    @abstractmethod
    def parts(self, run: str) -> list[Any]:
        """Find a run by its id, which may be abbreviated: one look for each flow of a chain, oldest first.

        Raises:
            UnknownRunError: There is none.
        """

    @abstractmethod
    def has_calls(self, look: Any) -> bool:
        """Tell whether a run consists of calls; else it consists of layers."""

    @abstractmethod
    def noted(self, look: Any) -> dict[str, Any]:
        """Give what was said of a run when it was begun."""
