"""Tasks: functions that run as actions, with plain Python control flow."""
