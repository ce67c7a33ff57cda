"""Ways to start agents."""
