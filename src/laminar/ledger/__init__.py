"""What happened, durably: runs, groups, actions, attempts and events, as rows of one small database."""
