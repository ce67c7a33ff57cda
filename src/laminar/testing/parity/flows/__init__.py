"""Flows whose runs the suite looks at; each is defined as a user would, at the top of a module."""
