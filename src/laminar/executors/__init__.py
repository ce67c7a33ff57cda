"""Places where an attempt can run. Each file knows how to start, watch and stop attempts in one kind of place."""
