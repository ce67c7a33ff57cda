"""The server: its HTTP face, and what drives runs behind it."""
