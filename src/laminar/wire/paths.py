"""Where a server's API is."""

from __future__ import annotations

#: What all paths begin with.
API = "/api/v1"
#: Parameter of the query that carries the signature of an address.
SIGNATURE = "signature"
