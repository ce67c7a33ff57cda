"""What answers requests, by resource: each handler checks, calls one function, and answers."""
