"""A seeded bug: a server that takes a run up again does not know what has been committed."""

from laminar.ledger import journal

journal.CallJournal.read = lambda self: {}  # type: ignore[method-assign]
