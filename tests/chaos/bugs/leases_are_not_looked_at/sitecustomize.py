"""A seeded bug: a server takes runs that another one has."""

from laminar.ledger import submissions

HELD = "lease < unixepoch('subsec')"
submissions.FIND_ABANDONED = submissions.FIND_ABANDONED.replace(HELD, "1 = 1")
submissions.CLAIM_SUBMISSION = submissions.CLAIM_SUBMISSION.replace(HELD, "1 = 1")
