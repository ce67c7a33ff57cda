"""The contract of a database: statements, and short transactions that count whole or not at all.

Statements are written once, as SQLite reads them. What else another database needs stands in them as a comment that
begins with ``pg``; see :mod:`laminar.ledger.postgres`. A value whose kind only a column tells is compared with that
first: ``(name = ?1 OR ?1 IS NULL)``.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, TypeVar

    T = TypeVar("T")
    Row = tuple[Any, ...]
    Values = tuple[Any, ...] | Mapping[str, Any]

#: How often in a second it is taken for possible that something has changed, where the database does not tell.
GLANCES = 4


class Connection(ABC):
    """A transaction under way, as who works in it sees it."""

    #: Rows that the last statement has changed.
    changed: int

    @abstractmethod
    def execute(self, query: str, values: Values = ()) -> list[Row]:
        """Carry out a statement; gives the rows that it returns."""

    @abstractmethod
    def executemany(self, query: str, rows: Iterable[Row]) -> None:
        """Carry out a statement for each of many rows of values."""

    @abstractmethod
    def define(self, statements: str) -> None:
        """Carry out statements that make or change tables."""

    @abstractmethod
    def lock(self, *what: str) -> None:
        """Hold a name until the transaction ends: who else asks for it waits."""

    @abstractmethod
    def version(self, component: str) -> int:
        """Tell the version of a component's tables; 0 if they are not there."""

    @abstractmethod
    def set_version(self, component: str, version: int) -> None:
        """Note the version of a component's tables."""


class Database(ABC):
    """Where rows are kept. May be used from any thread.

    Attributes:
        name: What it is called in messages; without a password.
        dialect: Whose statements it reads where they cannot be the same: those of triggers.
    """

    name: str
    dialect: Literal["sqlite", "postgres"]

    @abstractmethod
    def read(self, query: str, values: Values = ()) -> list[Row]:
        """Carry out one statement that changes nothing.

        Raises:
            LedgerError: It cannot be read.
        """

    @abstractmethod
    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction: all that it changes counts once this returns, or nothing does if it raises.

        Args:
            work: Is called with the transaction, perhaps on another thread, and perhaps again if another transaction
                came between or the connection was lost; so it does nothing but carry out statements, and is short.

        Returns:
            What the work returns.

        Raises:
            LedgerError: It cannot be written, or what the database itself forbids was tried.
        """

    @abstractmethod
    def version(self, component: str) -> int:
        """Tell the version of a component's tables; 0 if they are not there."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open."""

    def stamp(self) -> int:
        """Give a number that changes when others may have written."""
        return int(time.monotonic() * GLANCES)
