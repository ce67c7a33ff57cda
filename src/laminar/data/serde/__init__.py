"""Serialisation: the contract, the registry, and pickle, which serves every type that has no protocol of its own."""
