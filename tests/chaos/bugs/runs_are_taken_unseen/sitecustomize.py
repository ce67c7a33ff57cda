"""A seeded bug: a run is taken without looking whether it is held, or exists."""

from laminar.ledger import sql
from laminar.ledger.rows import RunRow

claim = sql.Ledger.claim
RunRow.held = lambda self, now: False  # type: ignore[method-assign]
sql.Ledger.claim = lambda self, *what, resume: claim(self, *what, resume=True)  # type: ignore[method-assign]
