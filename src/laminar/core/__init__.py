"""Pure decisions. No clock, no randomness, no input or output, no threads: time and dice come in as arguments."""
