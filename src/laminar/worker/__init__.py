"""Runs attempts: loads the user's code, calls the entry, hands over a manifest. Knows neither layers nor tasks."""
