"""Right programs: no type checker may complain."""
