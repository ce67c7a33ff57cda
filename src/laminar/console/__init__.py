"""What people see of a run while it goes on: progress in a terminal, plain lines elsewhere."""
