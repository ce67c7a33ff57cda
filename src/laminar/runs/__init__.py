"""The one place on the user's side that puts the parts of a run together."""
