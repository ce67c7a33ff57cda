"""Carries out what core decides: the only room that changes the state of runs."""
