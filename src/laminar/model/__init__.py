"""The words of laminar: ids, states, policies, specifications, events. Imports nothing but the standard library."""
